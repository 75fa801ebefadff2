"""When an order whose fate is unclear is asked after: soon, then less often, and at its fence.

Questions fall due one, three and seven intervals after what is in doubt was asked for, then
every four; and as soon as a fence has passed, for from then on "not found" is an answer, and where
that question is lost, one, three and seven intervals later.
"""

from __future__ import annotations

from ..model.values import NS_PER_S
from .order import Order, RequestState

ANSWER_PATIENCE_NS = 10 * NS_PER_S
"""How long a request of ours may stay unanswered before it is asked after."""

GAPS = (1, 2, 4)
"""Intervals before the first questions; the last gap stays."""


def is_due(order: Order, asked_ts: int, now: int, interval_ns: int) -> bool:
    """Tell whether a question after an order has fallen due since it was last asked after.

    Args:
        asked_ts: when that was; 0 for never.
    """
    found = _doubts(order)
    if order.reported_qty > order.cum_qty:
        since = order.heard_ts + ANSWER_PATIENCE_NS
        found.append((since, since))
    return any(
        asked_ts < fence_ts <= now
        or any(
            _questions(now - begun, interval_ns) > _questions(asked_ts - begun, interval_ns)
            for begun in (since, fence_ts)
            if begun <= now
        )
        for since, fence_ts in found
        if since <= now
    )


def _doubts(order: Order) -> list[tuple[int, int]]:
    """Return when each thing that is in doubt was asked for, and its fence."""
    found = []
    if order.fence_ts is not None:
        found.append((order.created_ts, order.fence_ts))
    if order.cancel is RequestState.IN_DOUBT:
        found.append((order.cancel_asked_ts, order.cancel_fence_ts))
    if order.replace is RequestState.IN_DOUBT:
        found.append((order.replace_asked_ts, order.replace_fence_ts))
    return found


def _questions(elapsed_ns: int, interval_ns: int) -> int:
    """Return how many questions are due so long after a doubt arose."""
    left, count = elapsed_ns // interval_ns, 0
    for gap in GAPS:
        if left < gap:
            return count
        left -= gap
        count += 1
    return count + left // GAPS[-1]
