"""Limit one order's quantity, whatever it is worth."""

from __future__ import annotations

from ...model.values import NewOrder, Verdict, plain
from .base import RiskContext, passed, refused

NAME = "order_qty"

_OFF = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the quantity, in base units, with the limit."""
    limit = ctx.limits.max_order_qty
    if limit is None:
        return _OFF
    if order.qty <= limit:
        return passed(NAME, order.qty, limit)
    reason = f"quantity {plain(order.qty)}, at most {plain(limit)} in one order"
    return refused(NAME, reason, order.qty, limit)
