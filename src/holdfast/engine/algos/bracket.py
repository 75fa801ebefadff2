"""Send the whole quantity at once; what fills is kept between a stop and a target.

The two exits are not sent here: `protection` holds them at the size of what has filled, for
every parent that names a stop or a target, and takes one back when the other has closed it.
"""

from __future__ import annotations

from .base import Action, Moment, Terms
from .direct import react as send_all


def react(moment: Moment, terms: Terms) -> list[Action]:
    """Work the entry like a direct order."""
    return send_all(moment, terms)
