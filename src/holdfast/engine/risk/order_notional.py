"""Limit what one order is worth."""

from __future__ import annotations

from ...model.values import ZERO, NewOrder, Verdict, plain
from .base import RiskContext, passed, refused

NAME = "order_notional"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the notional, in quote currency, with the limit; of an amendment the whole order's.

    At the highest of the order's own prices and the reference: a sell may fill above its limit.
    """
    limit = ctx.limits.max_order_notional
    case = ctx.case(order)
    if case.price is None:
        return refused(NAME, f"no price of {order.symbol} yet to value it at", limit=limit)
    notional = ctx.whole_qty(order) * max(case.price, order.dearest, case.reference or ZERO)
    if notional <= limit:
        return passed(NAME, notional, limit)
    reason = f"notional {plain(notional)}, at most {plain(limit)} in one order"
    return refused(NAME, reason, notional, limit)
