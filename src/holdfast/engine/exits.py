"""How much of a position an open exit may have closed without our having heard of it.

A reduce-only order trades against what is held and no further, so what it has done unheard is
never more than the most that there was to close since its own beginning, or since the venue's
books last agreed with ours. That most is kept with the order: fills that we do hear may have
turned the position since, and then the position lies further than we think.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ..model import events as ev
from ..model.values import ZERO, AccountId, Key, OrderRole, OrderType, Side

if TYPE_CHECKING:
    from .order import Order
    from .state import State


def closable(qty: Decimal, side: Side) -> Decimal:
    """Return how much of a signed position an exit of this side can close."""
    return max(-qty * side.sign, ZERO)


def trades_at_market(order: Order) -> bool:
    """Tell whether an exit, or what protects and has triggered, trades at the market right now."""
    if order.role is OrderRole.EXIT and order.request.order_type is OrderType.MARKET:
        return True
    return order.role is not OrderRole.ENTRY and order.is_closing and order.price is None


def opened(state: State, order: Order) -> None:
    """Begin with what there is to close."""
    request = order.request
    if request.reduce_only:
        order.may_close = closable(state.position(request.key).qty, request.side)


def reappeared(order: Order) -> None:
    """Begin with all that it could have done: while it counted as gone nobody followed it."""
    if order.request.reduce_only:
        order.may_close = order.leaves_qty


def traded(state: State, fill: ev.OrderFilled, *, is_late: bool) -> None:
    """Follow a fill that was booked.

    Args:
        is_late: others that came after it at the venue have been booked already. It may have
            given an exit something to close that those have taken away.
    """
    key = (fill.account, fill.symbol)
    for order in _exits(state, key):
        if is_late and fill.side is not order.side:
            order.may_close += fill.qty
        else:
            _raise_to_what_is_held(state, order)


def adopted(state: State, key: Key) -> None:
    """Follow a position that was taken over as it is."""
    for order in _exits(state, key):
        _raise_to_what_is_held(state, order)


def agreed(state: State, account: AccountId) -> None:
    """Begin anew: nothing has traded unheard."""
    for order in _unproven(state, account):
        order.may_close = closable(state.position(order.key).qty, order.side)


def is_unproven(state: State, account: AccountId) -> bool:
    """Tell whether an exit may have closed more than there is to close now."""
    return bool(_unproven(state, account))


def _exits(state: State, key: Key) -> list[Order]:
    return [order for order in state.open_orders_of(key) if order.request.reduce_only]


def _unproven(state: State, account: AccountId) -> list[Order]:
    return [
        order
        for key in state.open_orders
        if key[0] == account
        for order in _exits(state, key)
        if order.may_close > closable(state.position(key).qty, order.side)
    ]


def _raise_to_what_is_held(state: State, order: Order) -> None:
    order.may_close = max(order.may_close, closable(state.position(order.key).qty, order.side))
