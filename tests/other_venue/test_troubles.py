"""One request at the other venue that goes wrong: done or not, answered or not, understood or not."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from decimal import Decimal

import pytest

from holdfast.model.errors import RateLimitError, TradingError, VenueRefused, VenueUnavailable
from tests.other_venue.street import BTC, QUICK, session, street

TEXTS = ("unknown", "unavailable", "internal", "throttled", "mistimed", "too_many", "banned")
DONE = ("unknown_done", "internal_done", "timeout_done")
ROADS = ("page", "page_done", "reset", "reset_done", "mute_done", "half", "slow")
"""What kinds of trouble there are, see `venue`: `_done` is trouble with the answer alone."""

CASES = [
    *((kind, "entry", at % 2 == 0) for at, kind in enumerate((*TEXTS, *DONE))),
    *((kind, "stop", at % 2 == 1) for at, kind in enumerate((*TEXTS[::2], *DONE))),
    *((kind, "entry", False) for kind in ROADS),
    *((kind, "stop", False) for kind in ("page", "reset", "half")),
]
PLACES = {
    ("entry", True): "order.place",
    ("entry", False): "POST /fapi/v1/order",
    ("stop", True): "algoOrder.place",
    ("stop", False): "POST /fapi/v1/algoOrder",
}


@pytest.mark.parametrize(("kind", "what", "over_ws"), CASES)
async def test_no_order_is_lost_or_sent_twice(tmp_path, kind, what, over_ws):
    async with asyncio.timeout(30):
        with street("bare_texts") as market:
            given = {"over_ws": over_ws, "breaker_threshold": 1000, **QUICK}
            async with session(tmp_path, market, **given) as one:
                await one_goes_wrong(one, market, kind, PLACES[what, over_ws])


@pytest.mark.parametrize("habit", ["wordless", "all_well"])
@pytest.mark.parametrize("kind", ["bus_done", "timeout_done", "throttled", "unknown_done"])
async def test_a_refusal_counts_by_its_code_however_it_is_told(tmp_path, kind, habit):
    """Without words, or as a success whose code comes last."""
    async with asyncio.timeout(30):
        with street(habit, "late_events") as market:
            given = {"over_ws": False, "breaker_threshold": 1000, **QUICK}
            async with session(tmp_path, market, **given) as one:
                await one_goes_wrong(one, market, kind, PLACES["entry", False])


async def one_goes_wrong(one, market, kind, place):
    trouble = market.trouble(kind, place)
    outcomes = [(0, 0), (1, Decimal("0.01"))]
    try:
        await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
    except TradingError:
        outcomes = [(0, 0)]  # we are told that nothing was done
    await one.until(lambda: market.protected() == market.books()[1])
    await one.agree()
    held = market.books()[1].get(BTC, Decimal(0))
    assert (market.entered(), held) in outcomes

    await asyncio.sleep(1.2)  # as long as the ban, and past the fence of what may be sent again
    await one.service.place_order(BTC, "BUY", "0.011", stop_loss="49000")
    total = {BTC: held + Decimal("0.011")}
    await one.until(lambda: market.books()[1] == market.protected() == total)
    await one.agree()
    await one.service.close_position(BTC)
    await one.until(lambda: not market.books()[1] and not market.books()[2])
    await one.agree()
    assert trouble.fired == 1
    assert one.status == "RUNNING"
    names = market.names_placed()
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", VenueUnavailable),
        ("unknown", VenueUnavailable),
        ("banned", RateLimitError),
        ("unknown_done", None),
    ],
)
async def test_a_close_is_done_or_is_told_not_to_be_and_the_stop_stays(tmp_path, kind, error):
    with street() as market:
        async with session(tmp_path, market, **QUICK) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: market.protected() == market.books()[1] != {})
            await one.agree()
            trouble = market.trouble(kind, "order.place")
            with pytest.raises(error) if error else nullcontext():
                await one.service.close_position(BTC)
            assert trouble.fired == 1
            if error:
                assert market.protected() == market.books()[1] == {BTC: Decimal("0.01")}
                await asyncio.sleep(1.1)  # as long as the ban
                await one.service.close_position(BTC)

            await one.until(lambda: not market.books()[1] and not market.books()[2])
            await one.agree()
            assert one.status == "RUNNING"


async def test_an_adjustment_that_never_arrived_is_told_too(tmp_path):
    with street() as market:
        async with session(tmp_path, market, **QUICK) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: market.protected() == market.books()[1] != {})
            await one.agree()
            trouble = market.trouble("reset", "order.place")
            with pytest.raises(VenueUnavailable):
                await one.service.adjust_position(BTC, "0.005")

            assert trouble.fired == 1
            assert market.books()[1] == {BTC: Decimal("0.01")}


def ends_early(market, share):
    """Let the market have no more than a share of what the next orders at the market want."""
    books = market.venue.books

    def take(order, new):
        books.tell(new)
        qty = order.qty * Decimal(share)
        if qty:
            books._fill(order, qty, books.prices[order.symbol], is_maker=False)
        books._end(order, "EXPIRED")

    market.call(lambda: setattr(books, "_take", take))


@pytest.mark.parametrize("share", ["0", "0.5"])
async def test_a_close_that_the_venue_ends_before_it_has_filled_is_told_as_none(tmp_path, share):
    # Self-trade prevention, or a book that is too thin: the command had told of a success.
    with street() as market:
        async with session(tmp_path, market, **QUICK) as one:
            await one.service.place_order(BTC, "BUY", "0.01")
            await one.agree()
            ends_early(market, share)
            with pytest.raises(VenueRefused, match=r"of 0\.01 filled"):
                await one.service.close_position(BTC)
            await one.agree()
            left = Decimal("0.01") * (1 - Decimal(share))
            with pytest.raises(VenueRefused, match="ended with"):
                await one.service.adjust_position(BTC, -left)

            assert market.books()[1].get(BTC, 0) != -left
            await one.agree()
