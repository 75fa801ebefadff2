"""Open only while the symbol's volatility lies in a band.

Volatility is the standard deviation of log returns over the window of `correlation_returns`
samples, each scaled by its true length, annualised over 365 days. With too few samples the
band is not judged, unless history is still to come.
"""

from __future__ import annotations

import math
from decimal import Decimal

from ...model.values import NewOrder, Verdict
from .base import RiskContext, passed, percent, refused

NAME = "volatility"

YEAR_S = 365 * 86_400


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the symbol's volatility with both ends of the band."""
    limits = ctx.limits
    low, high = limits.volatility_min, limits.volatility_max
    window = ctx.window(order.symbol)
    if window.size < max(2, limits.volatility_returns_min):
        if ctx.market.awaits_past:
            return refused(NAME, "the bars before now, by which it is judged, are not there yet")
        return passed(NAME, limit=high)
    deviation = window.spread * math.sqrt(YEAR_S / (window.size - 1))
    value = Decimal(repr(round(deviation, 9)))
    if value > high:
        reason = f"{order.symbol} moves {percent(value)} a year, at most {percent(high)}"
        return refused(NAME, reason, value, high)
    if value < low:
        reason = f"{order.symbol} moves {percent(value)} a year, at least {percent(low)}"
        return refused(NAME, reason, value, low)
    return passed(NAME, value, high)
