"""Stop opening once equity has fallen a fraction below the session's highest.

Open losses count. The limit itself refuses.
"""

from __future__ import annotations

from ...model.values import ZERO, NewOrder, Verdict
from .base import RiskContext, passed, percent, refused

NAME = "drawdown"

_OFF = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the fall from the peak with the limit."""
    limit = ctx.limits.max_drawdown_pct
    if limit is None:
        return _OFF
    books, asset = ctx.state.account(order.account), ctx.state.settled_in(order.key)
    peak = books.benchmark(asset).peak_equity
    if peak <= ZERO:  # no point of the equity curve yet
        return passed(NAME, ZERO, limit)
    fall = max((peak - ctx.case(order).equity) / peak, ZERO)
    if fall < limit:
        return passed(NAME, fall, limit)
    reason = f"equity is {percent(fall)} below its peak, the limit is {percent(limit)}"
    return refused(NAME, reason, fall, limit)
