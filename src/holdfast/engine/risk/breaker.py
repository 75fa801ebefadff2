"""Refuse new risk while calls to the account's venue keep failing.

A breaker that is half open lets orders through: one of them is the attempt that closes it.
"""

from __future__ import annotations

from decimal import Decimal

from ...model.values import NewOrder, Verdict
from ..breaker import BreakerState
from .base import RiskContext, passed, refused

NAME = "breaker"

_PASSED = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Look for an open breaker of the order's account."""
    for name, breaker in ctx.state.breakers.items():
        account, _, failure = name.rpartition(" ")
        if breaker.state is BreakerState.OPEN and account == order.account:
            count, limit = breaker.failure_count, ctx.settings.breaker_threshold
            reason = f"the {failure} breaker opened after {count} failures, at {limit} it opens"
            return refused(NAME, reason, Decimal(count), Decimal(limit))
    return _PASSED
