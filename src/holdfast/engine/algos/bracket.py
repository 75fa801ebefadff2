"""Send the whole quantity at once; what fills is kept between a stop and a target.

The two exits are not sent here: `protection` holds them at the size of what has filled, for
every parent that names a stop or a target, and takes one back when the other has closed it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..order import Order
from ..parent import Parent
from .base import Action, Cause
from .direct import react as send_all


def react(parent: Parent, children: Sequence[Order], cause: Cause) -> list[Action]:
    """Work the entry like a direct order."""
    return send_all(parent, children, cause)
