"""Keep within the venue's caps on open orders, with the stops and targets still to come.

The venue takes so many waiting conditional orders of an account, over all its symbols, and so
many other open orders in a symbol. An entry past the first would be held without its stop.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ...model.values import AccountId, NewOrder, OrderRole, ParentId, Verdict
from ..order import Order
from ..parent import Parent
from ..state import State
from .base import RiskContext, passed, refused

NAME = "open_orders"

AT_ONCE = 2
"""A protective order is replaced by placing the new one first: each may stand twice for a while."""

_PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Count what is open and what its fills will need, this order included."""
    limits, is_conditional = ctx.limits, order.order_type.is_conditional
    if _most(ctx.state) <= min(limits.max_open_orders, limits.max_conditional_orders):
        return passed(NAME, limit=Decimal(limits.max_conditional_orders))
    if not is_conditional:
        limit = limits.max_open_orders
        there = (each for each in ctx.state.open_orders_of(order.key) if not each.is_waiting)
        count = 1 + sum(1 for each in there if each.cl_ord_id != order.cl_ord_id)
        if count > limit:
            reason = f"{count} orders would be open in {order.symbol}, at most {limit}"
            return refused(NAME, reason, Decimal(count), Decimal(limit))
    limit = limits.max_conditional_orders
    count = _conditional(order, ctx)
    if count <= limit or not (is_conditional or ctx.protective(order)):
        return passed(NAME, Decimal(count), Decimal(limit))
    reason = f"{count} conditional orders would be open or kept room for, at most {limit}"
    return refused(NAME, reason, Decimal(count), Decimal(limit))


def _most(state: State) -> int:
    """Return what the counts can't exceed, reckoned in no time: it settles almost every case."""
    live = len(state.parents) - len(state.closed_parents)
    open_ones = len(state.orders) - len(state.closed_orders) - len(state.denied_orders)
    return open_ones + 1 + AT_ONCE * len(_PROTECTIVE) * (live + 1)


def _conditional(order: NewOrder, ctx: RiskContext) -> int:
    """Count the account's waiting conditional orders, and those its positions are to get."""
    state = ctx.state
    standing: dict[ParentId, int] = {}
    growing = {order.parent_id}
    count = int(order.order_type.is_conditional)
    if order.parent_id not in state.parents:
        count += AT_ONCE * ctx.protective(order)
    for each in _open(ctx, order.account):
        if each.cl_ord_id == order.cl_ord_id:
            continue
        owner = each.request.parent_id
        if each.role is OrderRole.ENTRY:
            growing.add(owner)
        if not each.is_waiting:
            continue
        if each.role in _PROTECTIVE and owner in state.parents:
            standing[owner] = standing.get(owner, 0) + 1
        else:
            count += 1
    for key, ids in state.live_parents.items():
        if key[0] == order.account:
            for parent_id in ids:
                reserved = _reserved(state.parents[parent_id], is_growing=parent_id in growing)
                count += max(reserved, standing.pop(parent_id, 0))
    return count + sum(standing.values())


def _open(ctx: RiskContext, account: AccountId) -> Iterable[Order]:
    state = ctx.state
    for key, ids in state.open_orders.items():
        if key[0] == account:
            for i in ids:
                yield state.orders[i]


def _reserved(parent: Parent, *, is_growing: bool) -> int:
    """Return how many protective orders a parent may come to have at the venue."""
    if is_growing or parent.wake_ts is not None:
        return AT_ONCE * parent.legs
    return parent.legs if parent.open_qty else 0
