"""Keep market orders out of a market whose spread alone costs more than is tolerated."""

from __future__ import annotations

from ...model.values import MARKET, ZERO, NewOrder, Verdict
from .base import RiskContext, passed, percent, refused

NAME = "slippage"

_PASSED = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare half the spread, as a fraction of the middle, with the tolerance.

    Passes where no quote is known, or it is old: bars and trades tell of no spread.
    """
    if order.order_type is not MARKET:
        return _PASSED
    market = ctx.case(order).market
    best_bid, best_ask = market.touch
    if not (best_bid > 0.0 and best_ask > 0.0):
        return _PASSED
    limit = ctx.settings.slippage_tolerance
    bid, ask = market.decimal(best_bid) or ZERO, market.decimal(best_ask) or ZERO
    share = (ask - bid) / (ask + bid)
    if share <= limit:
        return passed(NAME, share, limit)
    reason = f"half the spread is {percent(share)} of the price, at most {percent(limit)}"
    return refused(NAME, reason, share, limit)
