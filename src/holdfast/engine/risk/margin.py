"""Keep a fraction of equity free of initial margin, in the worst case."""

from __future__ import annotations

from ...model.values import ZERO, NewOrder, Verdict
from .base import RiskContext, passed, percent, refused

NAME = "margin"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare what would stay free, as a fraction of equity, with the least that must."""
    least = ctx.limits.min_free_margin_pct
    case = ctx.case(order)
    if case.missing:
        return refused(NAME, case.missing, limit=least)
    equity, tied = case.equity, ZERO
    for key, notional in case.notionals.items():
        tied += ctx.exposure.tied(key, notional)
    free = (equity - tied) / equity
    if free >= least:
        return passed(NAME, free, least)
    reason = f"free margin could fall to {percent(free)} of equity, at least {percent(least)}"
    return refused(NAME, reason, free, least)
