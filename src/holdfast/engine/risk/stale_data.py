"""Refuse to open on prices that are too old, or whose source is cut off."""

from __future__ import annotations

from decimal import Decimal

from ...model.values import NS_PER_S, NewOrder, Verdict, plain
from ..market import QUOTE_LAG_NS_MAX
from .base import RiskContext, passed, refused

NAME = "stale_data"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the age of the last news, in seconds, with the limit."""
    limit = Decimal(ctx.limits.stale_after_s)
    market = ctx.case(order).market
    if market.cut_off:
        return refused(NAME, f"market data is cut off: {market.cut_off}", limit=limit)
    age_ns = market.age_ns(ctx.now)
    if age_ns is None:
        return refused(NAME, f"nothing heard of {order.symbol} yet", limit=limit)
    age_s = Decimal(age_ns) / NS_PER_S
    if market.lags_behind:
        lag_s = Decimal(market.traded_ts - market.quoted_ts) / NS_PER_S
        reason = f"the quote of {order.symbol} is {plain(lag_s)} s older than its last trade"
        return refused(NAME, reason, lag_s, Decimal(QUOTE_LAG_NS_MAX) / NS_PER_S)
    if age_s <= limit:
        return passed(NAME, age_s, limit)
    reason = f"the last news of {order.symbol} is {plain(age_s)} s old, at most {limit} s"
    return refused(NAME, reason, age_s, limit)
