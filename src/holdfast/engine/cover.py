"""How much of a holding a stop must close, and how much those that work would."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ..model.values import ZERO, Key, OrderRole, OrderStatus, OrderType

if TYPE_CHECKING:
    from .order import Order
    from .parent import Parent
    from .state import State

WORKING = frozenset({OrderStatus.NEW, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED})
"""The statuses in which a protective order is at the venue."""


def cover(state: State, parent: Parent) -> Decimal:
    """Return the quantity that a parent's stop must cover: what it holds of the position."""
    held = state.position(parent.key).qty * parent.side.sign
    return min(parent.open_qty, max(held, ZERO))


def closes(order: Order, qty: Decimal) -> Decimal:
    """Return how much of a quantity an open order closes when it triggers."""
    return qty if order.request.close_position else order.leaves_qty


def dust_exit(state: State, key: Key, kind: OrderType) -> Order | None:
    """Return our open order that closes all of a position too small to trade, near the price.

    The venue takes no other one of its kind in its direction beside it.
    """
    for order in state.open_orders_of(key):
        is_whole = order.is_ours and order.request.close_position
        if is_whole and order.role is OrderRole.EXIT and order.request.order_type is kind:
            return order
    return None


def is_covered(state: State, parent: Parent) -> bool:
    """Tell whether everything the parent holds has a working stop at the venue."""
    qty = cover(state, parent)
    if not qty or parent.start.stop_loss is None:
        return True
    nearer = dust_exit(state, parent.key, OrderType.STOP_MARKET)
    if nearer is not None and nearer.status in WORKING:
        return True
    stops = [o for o in state.children(parent) if o.role is OrderRole.STOP_LOSS and o.is_open]
    return sum((closes(o, qty) for o in stops if o.status in WORKING), ZERO) >= qty


_STOPS = frozenset({OrderType.STOP_MARKET, OrderType.STOP, OrderType.TRAILING_STOP_MARKET})


def is_stop_of(state: State, order: Order) -> bool:
    """Tell whether an order, whoever placed it, is a stop of what is held."""
    held = state.position(order.key).qty
    return order.request.order_type in _STOPS and held * order.side.sign < ZERO


def uncovered(state: State, key: Key) -> Decimal:
    """Return how much of a position no stop at the venue would close, whoever opened it.

    A trailing stop that is to set out at a price may not have done so: it counts for nothing.
    """
    held = abs(state.position(key).qty)
    stops = (order for order in state.open_orders_of(key) if is_stop_of(state, order))
    working = (o for o in stops if o.status in WORKING and o.request.activation_price is None)
    return max(held - sum((closes(order, held) for order in working), ZERO), ZERO)
