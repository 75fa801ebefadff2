"""Sessions at another venue than ours, whose habits differ from ours and are legitimate."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from decimal import Decimal
from logging import WARNING

import pytest

from holdfast.model.errors import VenueUnavailable
from tests.other_venue.contracts import LIFE
from tests.other_venue.street import BTC, QUICK, session, street

HABITS = (
    "gzip chunked lower_headers no_counters spaced pings",
    "deflate close_each upper_headers reordered more_fields fragments",
    "close_silently numbers odd_contracts unknown_events late_events",
    "texts sparse stale_times flat_rows late_replies text_ids lite_late",
    "nulls ascii foreign_frames other_child_names replays fills_first",
    "binary three_trades bnb_fees own_numbers wrapped children_first newest_first",
    "close_each until_closed resets wide_ids more_fields spaced shrinks results",
)
"""Words for what the venue does, see `sockets`, `writing`, `books` and `venue`: some together."""


@pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
@pytest.mark.parametrize("habits", HABITS)
async def test_a_session_lives_with_the_venues_habits(tmp_path, caplog, habits, over_ws):
    """Bracket, resting order, amendment, cancel, fills in parts, stop, close: the books agree,
    and nothing has to be complained of.
    """
    with street(*habits.split()) as market:
        async with session(tmp_path, market, over_ws=over_ws, **QUICK) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: len(market.books()[2]) == 1)
            await one.agree()
            await rest_amend_and_cancel(one, market)
            await fill_in_parts(one, market)

            market.price(48_900)
            await one.until(lambda: not market.books()[1])
            await one.agree()
            await one.service.place_order(BTC, "SELL", "0.01", stop_loss="51000")
            await one.until(lambda: len(market.books()[2]) == 1)
            await one.agree()
            await one.service.close_position(BTC)
            await one.until(lambda: not market.books()[1] and not market.books()[2])
            await one.agree()

            assert one.status == "RUNNING"
            assert not one.state.differences
            assert market.venue.unanswered == 0
            assert [each.getMessage() for each in caplog.records if each.levelno >= WARNING] == []
            assert len({order["newClientOrderId"] for order in market.ordinary()}) == 5
            assert len(market.ordinary()) == 5


async def rest_amend_and_cancel(one, market):
    resting = await one.service.place_order(BTC, "BUY", "0.02", "LIMIT", "49900", stop_loss="48000")
    await one.service.modify_order(resting.id, new_price="49800")
    await one.agree()
    assert resting.id in market.books()[2]
    await one.service.cancel_order(resting.id)
    await one.until(lambda: len(market.books()[2]) == 1)
    await one.agree()


async def fill_in_parts(one, market):
    market.venue.books.part = Decimal("0.5")
    await one.service.place_order(BTC, "BUY", "0.02", "LIMIT", "49700", stop_loss="49000")
    market.price(49_690)
    await asyncio.sleep(0.05)
    market.price(49_600)
    await one.until(lambda: market.protected() == market.books()[1] == {BTC: Decimal("0.03")})
    await one.agree()


@pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
async def test_counters_beyond_the_limits_hold_nothing_back(tmp_path, over_ws):
    """A venue that refuses nothing has not counted so much in the time that it speaks of."""
    with street("odd_counters") as market:
        async with session(tmp_path, market, over_ws=over_ws) as one:
            async with asyncio.timeout(10):
                await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
                await one.until(lambda: market.protected() == market.books()[1] != {})
                await one.agree()
                await one.service.close_position(BTC)
                await one.until(lambda: not market.books()[1] and not market.books()[2])
            await one.agree()
            assert one.status == "RUNNING"


async def test_a_stop_that_the_venue_makes_as_small_as_what_is_held_is_over_when_it_filled(
    tmp_path,
):
    """Another program closed half of it, and the stop triggered in the same moment."""
    with street("shrinks") as market:
        books = market.venue.books
        async with session(tmp_path, market) as one:
            await one.service.place_order(BTC, "BUY", "0.02", stop_loss="49000")
            await one.until(lambda: len(market.books()[2]) == 1)
            await one.agree()

            market.call(
                lambda: (
                    books.placed_by_hand(BTC, "SELL", "0.01", "MARKET"),
                    books.price(BTC, 48_900),
                )
            )

            await one.agree()
            assert market.books()[1:] == ({}, [])
            assert one.status == "RUNNING"


async def test_a_contract_without_index_whose_name_is_not_ascii_is_like_any_other(tmp_path):
    with street("ascii") as market:
        async with session(tmp_path, market, symbols=(LIFE,)) as one:
            prices = one.service.live.engine.core.market.of(LIFE)
            await one.until(lambda: prices.mark == 0.5)
            await one.service.place_order(LIFE, "BUY", "110", stop_loss="0.48")
            await one.until(lambda: market.protected() == market.books()[1] == {LIFE: 110})
            await one.agree()
            market.close("users", 1001)
            market.price("0.47", LIFE)
            await one.until(lambda: not one.books()[1])
            await one.agree()
            assert one.status == "RUNNING"


@pytest.mark.parametrize("kind", ["unknown_done", "reset_done", "reset"])
async def test_lists_that_trail_make_no_order_absent_that_is_there(tmp_path, kind):
    with street("lags", "late_events") as market:
        given = {"read_lag_s": 1.0, "over_ws": False, **QUICK}
        async with session(tmp_path, market, **given) as one:
            market.trouble(kind, "POST /fapi/v1/order")
            market.trouble(kind, "POST /fapi/v1/algoOrder")
            market.call(market.venue.users.clear)  # nothing is heard either
            with pytest.raises(VenueUnavailable) if kind == "reset" else nullcontext():
                await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: market.protected() == market.books()[1])
            await one.agree()
            assert market.entered() == (0 if kind == "reset" else 1)
            assert one.status == "RUNNING"
            assert not one.state.differences
