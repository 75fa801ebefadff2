"""Refuse everything new while the kill switch is engaged; it stays so across restarts."""

from __future__ import annotations

from ...model.values import NewOrder, Verdict
from .base import RiskContext, passed, refused

NAME = "kill_switch"

_PASSED = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:  # noqa: ARG001 - a rule's shape
    """Ask whether the switch is engaged."""
    if not ctx.state.is_killed:
        return _PASSED
    why = ctx.state.kill_reason or "no reason given"
    return refused(NAME, f"engaged ({why}); an operator must release the kill switch first")
