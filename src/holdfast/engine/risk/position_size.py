"""Keep one symbol's worst-case position within a fraction of equity."""

from __future__ import annotations

from ...model.values import NewOrder, Verdict
from .base import RiskContext, passed, percent, refused

NAME = "position_size"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the notional that the position could reach with equity."""
    limit = ctx.limits.position_size_pct
    case = ctx.case(order)
    if case.missing:
        return refused(NAME, case.missing, limit=limit)
    share = case.notional / case.equity
    if share <= limit:
        return passed(NAME, share, limit)
    reason = f"{order.symbol} could reach {percent(share)} of equity, at most {percent(limit)}"
    return refused(NAME, reason, share, limit)
