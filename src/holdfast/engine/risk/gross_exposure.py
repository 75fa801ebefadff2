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
    case = ctx.case(order)
    if case.missing:
        return refused(NAME, case.missing, limit=limit)
    share = case.gross / case.equity
    if share <= limit:
        return passed(NAME, share, limit)
    reason = f"gross exposure could reach {percent(share)} of equity, at most {percent(limit)}"
    return refused(NAME, reason, share, limit)
