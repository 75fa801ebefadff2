"""Stop opening once the day has cost all accounts together a fraction of what they began it with.

Counted is the order's margin asset, on the session's accounts that have contracts of it and whose
day has begun; where that was yesterday, today has cost nothing yet. Open losses count. The limit
itself refuses; as on one account, a day that began with nothing has no share to lose.
"""

from __future__ import annotations

from ...model.values import ZERO, NewOrder, Verdict, plain
from ..portfolio import holders
from .base import RiskContext, passed, percent, refused

NAME = "portfolio_loss"

_OFF = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the loss since the day's start with the limit."""
    limit = ctx.limits.max_portfolio_daily_loss_pct
    if limit is None:
        return _OFF
    began, equity, asset = ZERO, ZERO, ctx.state.settled_in(order.key)
    has_begun = False
    for account in holders(ctx.state, asset):
        known = ctx.state.account(account).benchmark(asset)
        if known.day >= 0:
            is_begun, own = known.day >= ctx.today, ctx.equity(account, asset)
            began += known.day_equity if is_begun else own
            equity += own
            has_begun = has_begun or is_begun
    if not has_begun or began < ZERO < equity:
        return passed(NAME, ZERO, limit)
    if began <= ZERO:
        return refused(NAME, f"the day began with an equity of {plain(began)}", limit=limit)
    loss = (began - equity) / began
    if loss < limit:
        return passed(NAME, loss, limit)
    reason = f"all accounts lost {percent(loss)} today, the limit is {percent(limit)}"
    return refused(NAME, reason, loss, limit)
