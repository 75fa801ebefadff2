"""The venue's counters: which limits it has, and how its answers tell them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...model.values import NS_PER_S
from ..limits import Budget, Limit
from .codec import RateLimit

WEIGHT, ORDERS_10S, ORDERS_1M = range(3)

LIMITS = (
    Limit("request weight per minute", 2400, 60 * NS_PER_S),
    Limit("orders per 10 seconds", 300, 10 * NS_PER_S),
    Limit("orders per minute", 1200, 60 * NS_PER_S),
)
"""In the order of `codec.Cost`. The venue's own word (exchangeInfo) replaces the amounts."""

RETRY_AFTER = "Retry-After"
_HEADERS = (
    ("X-MBX-USED-WEIGHT-1M", WEIGHT),
    ("X-MBX-ORDER-COUNT-10S", ORDERS_10S),
    ("X-MBX-ORDER-COUNT-1M", ORDERS_1M),
)
_ROWS = {
    ("REQUEST_WEIGHT", "MINUTE", 1): WEIGHT,
    ("ORDERS", "SECOND", 10): ORDERS_10S,
    ("ORDERS", "MINUTE", 1): ORDERS_1M,
}


def hear_headers(budget: Budget, headers: Mapping[str, str], now: int) -> None:
    """Take in what an HTTP answer counts; headers are looked up in the mapping's own manner."""
    for name, place in _HEADERS:
        count = headers.get(name)
        if count is not None and count.isascii() and count.isdigit():
            budget.hear_count(place, int(count), now)


def hear_rate_limits(budget: Budget, rows: Iterable[RateLimit], now: int) -> None:
    """Take in what an answer on the WebSocket API counts, or what exchangeInfo allows."""
    for row in rows:
        place = _ROWS.get((row.rate_limit_type, row.interval, row.interval_num))
        if place is None:
            continue
        budget.hear_limit(place, row.limit)
        if row.count >= 0:
            budget.hear_count(place, row.count, now)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a 429 or 418 names; None where it names none."""
    text = headers.get(RETRY_AFTER, "")
    return float(text) if text.isascii() and text.isdigit() else None
