"""What the venue's answers say of its limits."""

from __future__ import annotations

import pytest

from holdfast.venues.binance_futures import codec
from holdfast.venues.binance_futures.asking import Asker
from holdfast.venues.binance_futures.counters import (
    RETRY_AFTER_MAX_S,
    UNSAID,
    counts_in,
    counts_of,
    retry_after_s,
)
from holdfast.venues.limits import Urgency
from tests.venues.binance_futures.adapter_desk import desk, no_jitter, scripted
from tests.venues.binance_futures.frames import raw


def row(kind, interval, number, limit, **count):
    head = {"rateLimitType": kind, "interval": interval, "intervalNum": number}
    return head | {"limit": limit, **count}


def told(*rows):
    reply = codec.read_reply(raw({"id": 1, "status": 200, "result": {}, "rateLimits": [*rows]}))
    return reply.rate_limits


@pytest.mark.parametrize("counter", [{}, {"rateLimitType": None}, {"rateLimitType": "ORDERS"}])
def test_a_counter_that_is_incomplete_leaves_an_answer_as_it_is(counter):
    reply = codec.read_reply(raw({"id": 1, "status": 200, "result": {}, "rateLimits": [counter]}))

    assert reply.is_ok
    assert counts_of(reply.rate_limits) == UNSAID


def test_headers_say_what_is_counted():
    headers = {
        "x-mbx-used-weight-1m": "1500",
        "x-mbx-order-count-10s": "7",
        "x-mbx-order-count-1m": "?",
    }

    assert counts_in(headers) == (1500, 7, -1)
    assert counts_in({}) == UNSAID


def test_rows_on_the_websocket_api_say_what_is_counted_and_strange_ones_nothing():
    rows = told(
        row("REQUEST_WEIGHT", "MINUTE", 1, 6000, count=2300),
        row("ORDERS", "SECOND", 10, 300, count=2),
        row("ORDERS", "DAY", 1, 200_000, count=90_000),
        row("RAW_REQUESTS", "MINUTE", 5, 1, count=1),
    )

    assert counts_of(rows) == (2300, 2, -1)


async def test_limits_that_the_venue_names_replace_ours_and_strange_ones_do_not():
    async with scripted() as server, desk(server.url) as one:
        asker = Asker(one.asker.road, one.clock, no_jitter)
        asker.hear_limits(told(row("REQUEST_WEIGHT", "MINUTE", 1, 100), row("ORDERS", "DAY", 1, 1)))
        budget, now = asker.budget, one.clock.now()

        assert budget.when((90, 0, 0), Urgency.PROTECT, now) == now
        budget.take((90, 0, 1), Urgency.PROTECT, now)
        assert budget.when((10, 0, 0), Urgency.PROTECT, now) > now
        assert budget.when((0, 0, 10), Urgency.PROTECT, now) == now


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("17", 17.0),
        ("0", 0.0),
        ("9999999999", float(RETRY_AFTER_MAX_S)),
        ("9" * 400, None),
        ("-1", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_within_reason_or_nothing(text, seconds):
    assert retry_after_s({"retry-after": text}) == seconds
    assert retry_after_s({}) is None
