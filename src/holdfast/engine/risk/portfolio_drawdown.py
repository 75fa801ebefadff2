"""Stop opening once the equity of all accounts together has fallen a fraction below its highest.

Counted is the order's margin asset, on the session's accounts that have contracts of it. Open
losses count. The limit itself refuses.
"""

from __future__ import annotations

from ...model.values import ZERO, NewOrder, Verdict
from ..portfolio import sampled_in
from .base import RiskContext, passed, percent, refused

NAME = "portfolio_drawdown"

_OFF = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the fall from the peak with the limit."""
    limit = ctx.limits.max_portfolio_drawdown_pct
    if limit is None:
        return _OFF
    asset = ctx.state.settled_in(order.key)
    peak = ctx.state.portfolio_peaks.get(asset, ZERO)
    if peak <= ZERO:  # not each account has been sampled yet
        return passed(NAME, ZERO, limit)
    together = sampled_in(ctx.state, asset)
    equity = sum((ctx.equity(account, asset) for account in together), ZERO)
    fall = max((peak - equity) / peak, ZERO)
    if fall < limit:
        return passed(NAME, fall, limit)
    reason = (
        f"equity of all accounts is {percent(fall)} below its peak, the limit is {percent(limit)}"
    )
    return refused(NAME, reason, fall, limit)
