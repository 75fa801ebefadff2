"""Stop opening once the equity of all accounts together has fallen a fraction below its highest.

Counted are the session's accounts that have the order's margin asset. Open losses count. The limit
itself refuses.
"""

from __future__ import annotations

from ...model.values import ZERO, NewOrder, Verdict
from ..portfolio import peers
from .base import RiskContext, passed, percent, refused

NAME = "portfolio_drawdown"

_OFF = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the fall from the peak with the limit."""
    limit = ctx.limits.max_portfolio_drawdown_pct
    if limit is None:
        return _OFF
    peak = ctx.state.portfolio_peaks.get(ctx.state.margin_asset(order.account), ZERO)
    if peak <= ZERO:  # not each account has been sampled yet
        return passed(NAME, ZERO, limit)
    equity = ctx.case(order).equity
    for account in peers(ctx.state, order.account):
        equity += ctx.exposure.equity(account)
    fall = max((peak - equity) / peak, ZERO)
    if fall < limit:
        return passed(NAME, fall, limit)
    reason = (
        f"equity of all accounts is {percent(fall)} below its peak, the limit is {percent(limit)}"
    )
    return refused(NAME, reason, fall, limit)
