"""Refuse new risk in every session status but RUNNING."""

from __future__ import annotations

from ...model.values import RUNNING, NewOrder, Verdict
from .base import RiskContext, passed, refused

NAME = "session"

_PASSED = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:  # noqa: ARG001 - a rule's shape
    """Ask for the session's status."""
    status = ctx.state.status
    if status is RUNNING:
        return _PASSED
    why = f" ({ctx.state.status_reason})" if ctx.state.status_reason else ""
    return refused(NAME, f"the session is {status.value}{why}, new risk needs RUNNING")
