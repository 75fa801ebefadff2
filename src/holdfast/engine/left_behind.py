"""What can only close and rests on when there is nothing left to close.

It is the operator's, or a strategy's own entry, and stays: but it would close what is opened next,
by a price of before.
"""

from __future__ import annotations

from ..model import commands as cmd
from ..model.values import OPERATOR, Key, OrderRole
from .core import Core
from .order import Order, RequestState
from .state import State


def tell_left(core: Core, key: Key) -> None:
    """Say once of each such order that it outlives the position that it was to close."""
    left = left_at(core.state, key)
    names = [order.cl_ord_id for order in left if order.cl_ord_id not in core.told_left]
    if not names:
        return
    core.told_left = {each for each in core.told_left if each in core.state.orders}.union(names)
    text = f"{key[1]} is flat, and orders that can only close rest on: {', '.join(names)}"
    hint = "what is opened next they would close: cancel them if they are not wanted"
    core.send(cmd.Notify(level="warning", text=f"{text}; {hint}"))


def left_at(state: State, key: Key) -> list[Order]:
    """Return what can only close and rests on where nothing is held."""
    return [] if state.position(key).qty else [o for o in state.open_orders_of(key) if rests(o)]


def rests(order: Order) -> bool:
    """Tell whether an order waits to close, goes with no position, and is not asked back."""
    request = order.request
    if request.close_position:
        return False  # of two that were to close dust: it is taken back
    is_by_hand = request.strategy_id == OPERATOR and order.role is OrderRole.EXIT
    is_meant = order.is_ours and (is_by_hand or order.role is OrderRole.ENTRY)
    has_price = request.price is not None or request.order_type.is_conditional
    is_asked_back = order.cancel is not RequestState.NONE or bool(order.ending)
    return is_meant and request.reduce_only and has_price and not is_asked_back
