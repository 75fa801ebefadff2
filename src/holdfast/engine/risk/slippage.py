"""Keep market orders out of a market whose spread alone costs more than is tolerated."""

from __future__ import annotations

from ...model.values import MARKET, ZERO, NewOrder, Verdict
from .base import RiskContext, passed, percent, refused

NAME = "slippage"

_PASSED = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare half the spread, as a fraction of the middle, with the tolerance.

    Passes where no quote is known: bars and trades tell of no spread.
    """
    market = ctx.case(order).market
    if order.order_type is not MARKET or not (market.bid > 0.0 and market.ask > 0.0):
        return _PASSED
    limit = ctx.settings.slippage_tolerance
    bid, ask = market.decimal(market.bid) or ZERO, market.decimal(market.ask) or ZERO
    share = (ask - bid) / (ask + bid)
    if share <= limit:
        return passed(NAME, share, limit)
    reason = f"half the spread is {percent(share)} of the price, at most {percent(limit)}"
    return refused(NAME, reason, share, limit)
