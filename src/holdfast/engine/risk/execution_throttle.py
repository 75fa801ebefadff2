"""Stop a strategy that keeps getting filled without a pause: it may be feeding on itself."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal

from ...model.values import NS_PER_S, NewOrder, Verdict
from .base import RiskContext, passed, refused

NAME = "execution_throttle"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Count the strategy's entry fills in the window; the limit itself refuses.

    A fill exactly a window old no longer counts.
    """
    limits = ctx.limits
    times = ctx.state.execution_times.get(order.strategy_id, [])
    start = ctx.now - limits.execution_window_s * NS_PER_S
    count, limit = len(times) - bisect_right(times, start), limits.max_executions
    if count < limit:
        return passed(NAME, Decimal(count), Decimal(limit))
    reason = (
        f"strategy {order.strategy_id} has {count} entry fills in "
        f"{limits.execution_window_s} s, the limit is {limit}"
    )
    return refused(NAME, reason, Decimal(count), Decimal(limit))
