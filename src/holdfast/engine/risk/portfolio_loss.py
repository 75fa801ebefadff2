"""Stop opening once the day has cost all accounts together a fraction of what they began it with.

Counted are the session's accounts that have the order's margin asset, and whose day has begun.
Open losses count. The limit itself refuses.
"""

from __future__ import annotations

from ...model.values import ZERO, NewOrder, Verdict
from ..portfolio import peers
from .base import RiskContext, passed, percent, refused

NAME = "portfolio_loss"

_OFF = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the loss since the day's start with the limit."""
    limit = ctx.limits.max_portfolio_daily_loss_pct
    if limit is None:
        return _OFF
    began = equity = ZERO
    for name in (order.account, *peers(ctx.state, order.account)):
        account = ctx.state.account(name)
        if account.day >= 0:
            began += account.day_equity
            equity += ctx.exposure.equity(name)
    if began <= ZERO:
        return passed(NAME, ZERO, limit)
    loss = (began - equity) / began
    if loss < limit:
        return passed(NAME, loss, limit)
    reason = f"all accounts lost {percent(loss)} today, the limit is {percent(limit)}"
    return refused(NAME, reason, loss, limit)
