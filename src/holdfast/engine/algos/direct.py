"""Send the whole quantity at once."""

from __future__ import annotations

from collections.abc import Sequence

from ..order import Order
from ..parent import Parent
from .base import STARTED, Action, Cause, SendChild


def react(parent: Parent, children: Sequence[Order], cause: Cause) -> list[Action]:
    """Send everything at the start; what comes back unfilled is not sent again."""
    del children
    return [SendChild(parent.start.qty)] if cause is STARTED else []
