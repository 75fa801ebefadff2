"""Refuse an order that repeats another just sent: a loop, a double click.

The children of one parent may be alike. An order exactly a window old is no longer "just". Where
more went within the window than are remembered, what can't be compared is refused.
"""

from __future__ import annotations

from decimal import Decimal

from ...model.values import NS_PER_S, NewOrder, Verdict, plain
from .. import forgetting
from .base import RiskContext, passed, refused

NAME = "duplicate"

_PASSED = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Look for the same order within the window; `value` is how many seconds ago it went."""
    window_s, state = ctx.limits.duplicate_window_s, ctx.state
    if not window_s:
        return _PASSED
    for cl_ord_id, sent_ts in reversed(state.recent_orders.items()):
        age_ns = ctx.now - sent_ts
        if age_ns >= window_s * NS_PER_S:
            return _PASSED  # the rest is older still
        earlier = state.orders.get(cl_ord_id)
        if earlier is None:
            return _refuse_unseen(window_s)
        if _is_same(order, earlier.request):
            return again(f"{cl_ord_id} is the same, sent", age_ns, window_s)
    is_full = len(state.recent_orders) >= forgetting.RECENT_ORDERS_KEPT
    return _refuse_unseen(window_s) if is_full else _PASSED


def again(what: str, age_ns: int, window_s: int) -> Verdict:
    """Refuse what repeats something, which the text says: `twap 7 is the same, begun`."""
    age_s = Decimal(age_ns) / NS_PER_S
    reason = f"{what} {plain(age_s)} s ago; wait {window_s} s"
    return refused(NAME, reason, age_s, Decimal(window_s))


def _refuse_unseen(window_s: int) -> Verdict:
    reason = f"more orders went within {window_s} s than are remembered to compare with"
    return refused(NAME, reason, limit=Decimal(window_s))


def _is_same(order: NewOrder, earlier: NewOrder) -> bool:
    if order.cl_ord_id == earlier.cl_ord_id:
        return False  # an amendment is checked under the order's own id
    if order.parent_id and order.parent_id == earlier.parent_id:
        return False
    return (
        order.symbol == earlier.symbol
        and order.side is earlier.side
        and order.strategy_id == earlier.strategy_id
        and order.order_type is earlier.order_type
        and order.account == earlier.account
        and order.qty == earlier.qty
        and order.price == earlier.price
        and order.trigger_price == earlier.trigger_price
        and order.reduce_only is earlier.reduce_only  # a turn closes, then opens as much
    )
