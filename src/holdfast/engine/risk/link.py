"""Refuse new risk while nobody tells us of our orders, and until the books were compared again."""

from __future__ import annotations

from ...model.values import NewOrder, Verdict
from .base import RiskContext, passed, refused

NAME = "link"

_PASSED = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Ask whether the account's reports come."""
    cut_off = ctx.market.accounts_cut_off.get(order.account)
    if cut_off is None:
        return _PASSED
    if not cut_off.up_ts:
        return refused(NAME, f"reports of {order.account} do not come: {cut_off.reason}")
    return refused(NAME, f"the books of {order.account} were not compared since reports come again")
