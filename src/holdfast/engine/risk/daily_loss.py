"""Stop opening once the day has cost a fraction of the equity that it began with.

Open losses count. The limit itself refuses. Before today has been started nothing is lost, nor
where more was taken out since than the day began with: that was won.
"""

from __future__ import annotations

from ...model.values import ZERO, NewOrder, Verdict
from .base import RiskContext, passed, percent, refused

NAME = "daily_loss"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the loss since the day's start with the limit."""
    limit = ctx.limits.max_daily_loss_pct
    known = ctx.state.account(order.account).benchmark(ctx.state.settled_in(order.key))
    if known.day < ctx.today:
        return passed(NAME, ZERO, limit)
    equity = ctx.case(order).equity
    if known.day_equity < ZERO < equity:
        return passed(NAME, ZERO, limit)
    if known.day_equity <= ZERO:
        return refused(NAME, f"the day began with an equity of {known.day_equity}", limit=limit)
    loss = (known.day_equity - equity) / known.day_equity
    if loss < limit:
        return passed(NAME, loss, limit)
    return refused(NAME, f"{percent(loss)} lost today, the limit is {percent(limit)}", loss, limit)
