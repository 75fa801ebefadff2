"""Keep the account's worst-case sum of absolute notionals within a fraction of equity."""

from __future__ import annotations

from ...model.values import NewOrder, Verdict
from .base import RiskContext, passed, percent, refused

NAME = "gross_exposure"

_OFF = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare gross notional over equity with the limit."""
    limit = ctx.limits.max_gross_exposure_pct
    if limit is None:
        return _OFF
    if missing := ctx.missing(order):
        return refused(NAME, missing, limit=limit)
    share = ctx.worst(order).gross / ctx.equity(order.account)
    if share <= limit:
        return passed(NAME, share, limit)
    reason = f"gross exposure could reach {percent(share)} of equity, at most {percent(limit)}"
    return refused(NAME, reason, share, limit)
