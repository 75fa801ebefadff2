"""Send the whole quantity at once."""

from __future__ import annotations

from .base import STARTED, Action, Moment, SendChild, Terms


def react(moment: Moment, terms: Terms) -> list[Action]:
    """Send everything at the start; what comes back unfilled is not sent again."""
    del terms
    return [SendChild(moment.parent.start.qty)] if moment.cause is STARTED else []
