"""The venue's counters: which limits it has, and how its answers tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from weakref import WeakValueDictionary

from ...model.values import NS_PER_S
from ..limits import Budget, Limit, Window
from .codec import Cost, ErrorBody, RateLimit

__all__ = [
    "CONNECTING",
    "LIMITS",
    "RETRY_AFTER_MAX_S",
    "UNSAID",
    "Budget",
    "Counts",
    "counts_in",
    "counts_of",
    "place_of",
    "retry_after_of",
    "retry_after_s",
    "shared_budget",
]

LIMITS = (
    Limit("weight of a minute", 2400, 60 * NS_PER_S),
    Limit("orders of 10 s", 300, 10 * NS_PER_S),
    Limit("orders of a minute", 1200, 60 * NS_PER_S),
)
"""In the order of `codec.Cost`. The venue's own word (exchangeInfo) replaces the amounts."""

CONNECTING = Cost(5)
"""What opening a connection to the WebSocket API takes."""

_ADDRESSES: WeakValueDictionary[str, Window] = WeakValueDictionary()


def shared_budget(rest_url: str, random: Callable[[], float]) -> Budget:
    """Return a budget whose weights are those of all in this process who speak to one host.

    The venue counts weights by our address, whoever asks: the feed, the account, a reader. Orders
    are counted by account, and are the budget's own.
    """
    window = _ADDRESSES.get(rest_url)
    if window is None:
        window = _ADDRESSES[rest_url] = Window(LIMITS[0])
    return Budget(LIMITS, random, window)


Counts = tuple[int, int, int]
"""What the venue counts in each limit; -1 where it did not say."""

UNSAID: Counts = (-1, -1, -1)
RETRY_AFTER_MAX_S = 3 * 86_400
"""The longest ban there is; what names a longer one is not believed."""

_HEADERS = ("x-mbx-used-weight-1m", "x-mbx-order-count-10s", "x-mbx-order-count-1m")
_PLACES = {
    ("REQUEST_WEIGHT", "MINUTE", 1): 0,
    ("ORDERS", "SECOND", 10): 1,
    ("ORDERS", "MINUTE", 1): 2,
}


def place_of(row: RateLimit) -> int | None:
    """Return which of `LIMITS` a row speaks of; None for one that is of no concern."""
    return _PLACES.get((row.rate_limit_type, row.interval, row.interval_num))


def counts_in(headers: Mapping[str, str]) -> Counts:
    """Return what an HTTP answer counts. The names of headers are in lower case."""
    weight, of_10_s, of_a_minute = (_number(headers.get(name)) for name in _HEADERS)
    return (weight, of_10_s, of_a_minute)


def counts_of(rows: Iterable[RateLimit]) -> Counts:
    """Return what an answer on the WebSocket API counts."""
    found = [*UNSAID]
    for row in rows:
        place = place_of(row)
        if place is not None:
            found[place] = row.count
    return (found[0], found[1], found[2])


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a 429 or 418 names; None where it names none."""
    seconds = _number(headers.get("retry-after"))
    return float(min(seconds, RETRY_AFTER_MAX_S)) if seconds >= 0 else None


def retry_after_of(error: ErrorBody) -> float | None:
    """Return the seconds that a refusal on the WebSocket API names; None where it names none."""
    seconds = error.retry_after_s
    return seconds if seconds is None else min(seconds, RETRY_AFTER_MAX_S)


def _number(text: str | None) -> int:
    """Return a whole number of at most 18 digits; -1 for anything else."""
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) <= 18
    return int(text) if is_number and text is not None else -1
