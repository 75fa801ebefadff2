"""What the other venue does to a session that is under way: it hangs up, restarts, changes."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from holdfast.model.errors import (
    InputError,
    RiskDenied,
    TradingError,
    VenueRefused,
    VenueUnavailable,
)
from holdfast.model.values import MAIN
from holdfast.venues.binance_futures import contract_list, orders_ws
from tests.other_venue.street import BTC, QUICK, session, street

CLOSES = (1000, 1001, 1008, 1011, 0, None)
"""Codes of a close frame; 0 is one without a code, None is a connection that just ends."""


async def hold(one, market, qty="0.01"):
    """Hold so much, with a stop."""
    await one.service.place_order(BTC, "BUY", qty, stop_loss="49000")
    await one.until(lambda: len(market.books()[2]) == 1)
    await one.agree()


async def hold_again(one, market, qty="0.02"):
    """Hold so much once the session lets us: its feed has to tell of the price again."""
    market.price(50_000)
    for _ in range(100):
        try:
            return await hold(one, market, qty)
        except (RiskDenied, InputError):
            await asyncio.sleep(0.1)
    raise AssertionError("nothing may be entered any more")


async def leave(one, market):
    await one.service.close_position(BTC)
    await one.until(lambda: not market.books()[1] and not market.books()[2])
    await one.agree()


@pytest.mark.parametrize("code", CLOSES)
async def test_sockets_that_the_venue_closes_are_opened_anew_and_what_was_missed_is_fetched(
    tmp_path, code
):
    with street() as market:
        async with session(tmp_path, market) as one:
            await hold(one, market)
            assert market.close("users", code) == market.close("orders", code) == 1
            assert market.close("markets", code) == 2
            market.price(48_900)  # the stop triggers, and nobody hears of it

            await one.until(lambda: not one.books()[1])
            await one.agree()
            await one.running()
            await hold_again(one, market)


async def test_a_key_that_expires_is_replaced_and_what_was_missed_is_fetched(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            await hold(one, market)
            market.call(lambda: (market.venue.expire_key(), market.venue.books.price(BTC, 48_900)))

            await one.until(lambda: not one.books()[1])
            await one.agree()
            assert market.venue.api.keys == 2


async def test_a_stream_that_says_everything_again_counts_nothing_twice(tmp_path):
    with street("replays") as market:
        async with session(tmp_path, market) as one:
            await hold(one, market)
            await leave(one, market)
            await hold(one, market, "0.02")
            before = one.books()
            market.close("users", 1001)
            await one.until(lambda: market.venue.users)
            market.price(50_001)
            market.call(lambda: market.venue.books.fund(BTC, "0.0001"))

            await one.until(lambda: one.books()[0] != before[0])
            await one.agree()
            assert one.books()[1:] == before[1:]
            await one.until(lambda: not one.state.differences)  # a look may come in between


async def test_order_ids_that_begin_anew_are_not_taken_for_the_orders_of_before(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            await hold(one, market)
            await leave(one, market)
            market.call(
                lambda: (forget(market.venue.books), market.venue.books.number_from(8_389_765_000))
            )
            await hold(one, market, "0.02")
            resting = await one.service.place_order(
                BTC, "BUY", "0.01", "LIMIT", "49900", stop_loss="48000"
            )
            await one.agree()
            await one.service.cancel_order(resting.id)
            await leave(one, market)
            assert one.status == "RUNNING"


def forget(books):
    books.orders.clear()
    books.algos.clear()
    books.fills.clear()
    books.income.clear()


async def test_filters_that_change_are_read_again_and_the_next_order_fits_them(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            await hold(one, market)
            market.call(
                lambda: market.venue.books.contracts[BTC].update(
                    tick=Decimal(5), lot=Decimal("0.01")
                )
            )
            with pytest.raises(TradingError):
                await one.service.place_order(
                    BTC, "BUY", "0.015", "LIMIT", "49903", stop_loss="48000"
                )
            instrument = one.service.live.engine.core.state.instruments
            await one.until(lambda: instrument[MAIN, BTC].tick == 5)
            await one.service.place_order(BTC, "BUY", "0.01", "LIMIT", "49900", stop_loss="48000")
            await one.agree()
            await leave(one, market)


async def test_a_margin_table_that_changes_is_read_again_while_the_session_runs(
    tmp_path, monkeypatch
):
    """A session runs for months; by an old table the last margin would seem to be there still."""
    monkeypatch.setattr(contract_list, "EVERY_S", 0.2)
    monkeypatch.setattr(contract_list, "OFF_EVERY_S", 0.2)
    with street() as market:
        async with session(tmp_path, market) as one:
            await hold(one, market)
            needed = one.service.live.engine.core.exposure.maintenance_margin(MAIN)
            market.venue.api.maint_margin_ratio = 0.02

            await one.until(
                lambda: one.service.live.engine.core.exposure.maintenance_margin(MAIN) == 5 * needed
            )
            await leave(one, market)


async def test_a_contract_that_settles_may_be_left_and_not_entered(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            await hold(one, market)
            market.call(lambda: market.venue.books.contracts[BTC].update(status="SETTLING"))
            with pytest.raises(VenueRefused, match="Symbol is closed"):
                await one.service.place_order(BTC, "BUY", "0.02", stop_loss="49000")
            await one.agree()
            await leave(one, market)
            assert one.status == "RUNNING"


async def test_a_venue_that_is_gone_for_a_while_is_found_again_with_what_it_did(tmp_path):
    with street() as market:
        async with session(tmp_path, market, **QUICK) as one:
            await hold(one, market)
            market.restart(lambda: market.venue.books.price(BTC, 48_900))

            await one.until(lambda: not one.books()[1])
            await one.agree()
            await one.running()
            await hold_again(one, market)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/private/*", "page"),
        ("/ws-fapi/*", "banned"),
        ("/market/*", "reset"),
        ("/public/*", "unavailable"),
    ],
)
async def test_a_handshake_that_is_refused_is_tried_again(tmp_path, path, kind):
    with street() as market:
        trouble = market.trouble(kind, f"WS {path}")
        async with session(tmp_path, market) as one:
            await hold(one, market)
            assert trouble.fired == 1
            assert len(market.venue.placed) == 2


async def test_orders_go_over_rest_while_the_websocket_api_is_not_to_be_had(tmp_path):
    with street() as market:
        market.trouble("mute", "WS /ws-fapi/*", count=1000)
        async with session(tmp_path, market) as one:
            assert not market.venue.orders
            await hold(one, market)
            await leave(one, market)


def deafen(market):
    """Let the WebSocket API be open, answer pings, and carry nothing out."""
    for method in ("order.*", "algoOrder.*"):
        market.trouble("mute", method, count=1000)


async def test_an_exit_takes_rest_where_the_websocket_api_carries_nothing_out(tmp_path):
    with street() as market:
        async with session(tmp_path, market, **QUICK) as one:
            await hold(one, market)
            deafen(market)
            with pytest.raises(VenueUnavailable):
                await one.service.close_position(BTC)
            await asyncio.sleep(orders_ws.SLOW_S)  # and the answer may come yet
            await leave(one, market)
            assert market.venue.orders
            assert one.status == "RUNNING"


@pytest.mark.parametrize("kind", ["unknown", "internal"])
async def test_an_exit_takes_rest_where_the_websocket_api_fails_again_and_again(tmp_path, kind):
    with street() as market:
        given = {"breaker_threshold": 1000, **QUICK}
        async with session(tmp_path, market, **given) as one:
            await hold(one, market)
            market.trouble(kind, "order.*", count=1000)
            for _ in range(orders_ws.FAILURES_MAX):
                with pytest.raises(VenueUnavailable):
                    await one.service.close_position(BTC)
            await leave(one, market)
            assert market.venue.orders
            assert one.status == "RUNNING"


async def test_a_stop_takes_rest_where_the_websocket_api_carries_nothing_out(tmp_path):
    with street() as market:
        async with session(tmp_path, market, **QUICK) as one:
            market.trouble("mute", "algoOrder.*", count=1000)
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: market.protected() == market.books()[1] != {})
            await one.agree()
            await leave(one, market)
            assert one.status == "RUNNING"


@pytest.mark.parametrize("is_gone", [False, True], ids=["liquidated", "delisted"])
async def test_what_the_venue_takes_over_is_over_here_too(tmp_path, is_gone):
    name = "settlement_autoclose-1" if is_gone else "autoclose-1795"
    with street() as market:
        books = market.venue.books

        def take_over():
            books.taken_over(BTC, name, 49_500)
            if is_gone:
                books.contracts[BTC]["status"] = "CLOSE"

        async with session(tmp_path, market) as one:
            await hold(one, market)
            await one.service.place_order(BTC, "BUY", "0.01", "LIMIT", "48000", stop_loss="47000")
            await one.agree()
            market.call(take_over)

            await one.until(lambda: not one.books()[1] and not one.books()[2])
            await one.agree()
            await asyncio.sleep(2.2)  # an audit
            await one.agree()
            assert not one.state.differences


async def test_an_amendment_to_what_has_filled_already_ends_the_order(tmp_path):
    with street("late_events") as market:
        market.venue.books.part = Decimal("0.5")
        async with session(tmp_path, market) as one:
            resting = await one.service.place_order(
                BTC, "BUY", "0.02", "LIMIT", "49900", stop_loss="49000"
            )
            await one.agree()
            market.price(49_890)  # nobody knows yet that half of it has filled
            await one.service.modify_order(resting.id, new_quantity="0.01")

            assert resting.id not in market.books()[2]
            await one.until(lambda: market.protected() == market.books()[1])
            await one.agree()
            assert market.books()[1] == {BTC: Decimal("0.01")}
            assert one.status == "RUNNING"


async def test_a_stream_that_is_open_and_silent_is_left_for_another(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            market.call(market.venue.users.clear)
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: market.venue.users)
            await one.until(lambda: market.protected() == market.books()[1] != {})
            await one.agree()
            assert one.status == "RUNNING"
