"""Exits by hand that rest on when there is nothing left to close.

They are the operator's, and stay: but they would close what is opened next, by a price of before.
"""

from __future__ import annotations

from ..model import commands as cmd
from ..model.values import OPERATOR, Key, OrderRole
from .core import Core
from .order import Order, RequestState


def tell_left(core: Core, key: Key) -> None:
    """Say once of each exit by hand that it outlives the position that it was to close."""
    if core.state.position(key).qty:
        return
    left = [order for order in core.state.open_orders_of(key) if _rests(order)]
    names = [order.cl_ord_id for order in left if order.cl_ord_id not in core.told_left]
    if not names:
        return
    core.told_left = {each for each in core.told_left if each in core.state.orders}.union(names)
    text = f"{key[1]} is flat, and exits placed by hand rest on: {', '.join(names)}"
    hint = "what is opened next they would close: cancel them if they are not wanted"
    core.send(cmd.Notify(level="warning", text=f"{text}; {hint}"))


def _rests(order: Order) -> bool:
    request = order.request
    if request.close_position:
        return False  # of two that were to close dust: it is taken back
    is_by_hand = order.is_ours and request.strategy_id == OPERATOR and order.role is OrderRole.EXIT
    has_price = request.price is not None or request.order_type.is_conditional
    return is_by_hand and has_price and order.cancel is RequestState.NONE and not order.ending
