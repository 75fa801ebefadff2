"""Limit one order's quantity, whatever it is worth."""

from __future__ import annotations

from ...model.values import NewOrder, Verdict, plain
from .base import RiskContext, passed, refused

NAME = "order_qty"

_OFF = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the quantity, in base units, with the limit; of an amendment the whole order's."""
    limit = ctx.limits.max_order_qty
    if limit is None:
        return _OFF
    qty = ctx.whole_qty(order)
    if qty <= limit:
        return passed(NAME, qty, limit)
    reason = f"quantity {plain(qty)}, at most {plain(limit)} in one order"
    return refused(NAME, reason, qty, limit)
