from __future__ import annotations

from multidict import CIMultiDict

from holdfast.venues.binance_futures import codec
from holdfast.venues.binance_futures.counters import (
    LIMITS,
    hear_headers,
    hear_rate_limits,
    retry_after_s,
)
from holdfast.venues.limits import TAKEN, Budget, Urgency
from tests.venues.binance_futures.frames import raw

NOW = 1_700_000_000_000_000_000


def budget():
    return Budget(LIMITS, lambda: 0.0)


def test_headers_count_what_others_on_the_address_took():
    taken = budget()
    taken.take((100, 1, 1), Urgency.READ, NOW)
    headers = CIMultiDict(
        {"x-mbx-used-weight-1m": "1500", "X-MBX-ORDER-COUNT-10S": "7", "x-mbx-order-count-1m": "?"}
    )
    hear_headers(taken, headers, NOW)

    assert list(taken.used(NOW).values()) == [1500, 7, 1]


def test_a_lower_count_than_our_own_is_not_believed():
    """The venue's window begins on the clock; ours is never shorter."""
    taken = budget()
    taken.take((100, 0, 0), Urgency.READ, NOW)
    hear_headers(taken, {"X-MBX-USED-WEIGHT-1M": "3"}, NOW)

    assert taken.used(NOW)["request weight per minute"] == 100


def test_rate_limits_on_the_websocket_api_set_counts_and_limits():
    def row(kind, interval, number, limit, **count):
        head = {"rateLimitType": kind, "interval": interval, "intervalNum": number}
        return head | {"limit": limit, **count}

    rows = [
        row("REQUEST_WEIGHT", "MINUTE", 1, 6000, count=2300),
        row("ORDERS", "SECOND", 10, 300, count=2),
        row("RAW_REQUESTS", "MINUTE", 5, 1, count=1),
    ]
    reply = codec.read_reply(raw({"id": 1, "status": 200, "result": {}, "rateLimits": rows}))
    taken = budget()
    hear_rate_limits(taken, reply.rate_limits, NOW)

    assert list(taken.used(NOW).values()) == [2300, 2, 0]
    assert taken.take((1000, 0, 0), Urgency.READ, NOW) == TAKEN  # this venue allows 6000


def test_retry_after_is_seconds_or_nothing():
    assert retry_after_s({"Retry-After": "17"}) == 17.0
    assert retry_after_s({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}) is None
    assert retry_after_s({}) is None
