"""Refuse new risk while the account is set otherwise than we trade it.

In multi-assets mode other wallets stand for a position than the ones that limits go by; in hedge
mode an order of ours has no position to name.
"""

from __future__ import annotations

from ...model.values import NewOrder, Verdict
from .base import RiskContext, passed, refused

NAME = "account_mode"

_PASSED = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Look at how the order's account is set."""
    problem = ctx.state.odd_modes.get(order.account)
    return _PASSED if problem is None else refused(NAME, problem)
