"""Limit how many messages go out for an account in a while; keep room for cancels and exits.

Venues count by account.
"""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal

from ...model.values import NS_PER_S, NewOrder, Verdict
from .base import RiskContext, passed, refused

NAME = "message_throttle"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Count orders, cancels and amendments in the window, this order included.

    A message exactly a window old no longer counts.
    """
    limits, times = ctx.limits, ctx.state.message_times.get(order.account, ())
    start = ctx.now - limits.message_window_s * NS_PER_S
    count = len(times) - bisect_right(times, start) + 1
    limit = limits.max_messages - limits.message_reserve
    if count <= limit:
        return passed(NAME, Decimal(count), Decimal(limit))
    reason = f"{count} messages in {limits.message_window_s} s, at most {limit} that open"
    return refused(NAME, reason, Decimal(count), Decimal(limit))
