"""Refuse new risk to a strategy that was stopped; its positions keep their exits."""

from __future__ import annotations

from ...model.values import NewOrder, Verdict
from .base import RiskContext, passed, refused

NAME = "strategy"

_PASSED = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Ask whether the order's strategy was stopped."""
    why = ctx.state.stopped_strategies.get(order.strategy_id)
    if why is None:
        return _PASSED
    return refused(NAME, f"strategy {order.strategy_id} was stopped: {why}")
