"""What a refusal says of its order, and which entries end what goes out in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.values import ENTRY, OrderStatus
from .parent import NOT_OF_THE_ORDER, PASSING

if TYPE_CHECKING:
    from .order import Order


NOTHING = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.NEVER_ARRIVED})
"""How an order ends that never came to the venue's book."""


def is_put_off(order: Order) -> bool:
    """Tell whether an order did not come about for a reason that may be over soon."""
    return order.status is OrderStatus.DENIED or (order.is_refused and order.code in PASSING)


def is_unfit(order: Order) -> bool:
    """Tell whether the venue refused an order for what it was."""
    return order.is_refused and order.code not in NOT_OF_THE_ORDER


def refusal(order: Order) -> str:
    """Say that an entry was taken back, or refused by the venue; "" where it was not.

    What a pause has taken back goes out again when it is over.
    """
    is_refused = order.is_refused and not is_put_off(order)
    is_back = order.status is OrderStatus.CANCELED and not order.cancel_is_pause
    if order.role is not ENTRY or not (is_back or is_refused):
        return ""
    how = "taken back" if is_back else "refused"
    why = f": {order.reason}" if order.reason else ""
    return f"{order.cl_ord_id} was {how}{why}"
