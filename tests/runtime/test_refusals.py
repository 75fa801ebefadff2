"""What callers are told of orders that the venue declined, or that never got there."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from holdfast import (
    BinanceFuturesBroker,
    InsufficientBalanceError,
    LiveTradingService,
    NetworkError,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    OutcomeUnknownError,
    RateLimitError,
    TradingConfig,
    TradingSessionStatus,
    VenueRefused,
    VenueUnavailable,
)
from holdfast.exchange_server.settings import DEFAULT_KEY
from holdfast.ports import NO_ROOM, NOT_CONNECTED, NOT_SENT, TOO_LATE
from holdfast.runtime import operations, shortfall
from holdfast.runtime.refusals import RETRY_AFTER_S, venue_error
from tests.runtime.session_desk import BTC
from tests.venues.binance_futures.adapter_street import street

POST = "POST *order*"


@pytest.mark.parametrize(
    ("reason", "code", "kind"),
    [
        ("Margin is insufficient.", -2019, InsufficientBalanceError),
        ("Too many requests", -1003, RateLimitError),
        ("Too many new orders", -1015, RateLimitError),
        ("Server is currently overloaded", -1008, RateLimitError),
        (NO_ROOM, None, RateLimitError),
        (TOO_LATE, None, VenueUnavailable),
        (f"{NOT_CONNECTED}the connection is down", None, NetworkError),
        (f"{NOT_SENT}this machine's clock is off", None, VenueUnavailable),
        ("HTTP 418: the venue has banned this address: <html>", None, RateLimitError),
        ("HTTP 429: too many requests from this address", None, RateLimitError),
        (
            "HTTP 403: the firewall in front of the venue refuses this address",
            None,
            VenueUnavailable,
        ),
        ("HTTP 503: Service Unavailable.", None, VenueUnavailable),
        ("HTTP 451: the venue does not serve this place", None, VenueRefused),
        ("HTTP 404", None, VenueRefused),
        ("Filter failure: LOT_SIZE", -1013, VenueRefused),
        ("no", None, VenueRefused),
    ],
)
def test_what_became_of_a_request_is_the_error_of_who_must_act(reason, code, kind):
    error = venue_error(reason, code)

    assert type(error) is kind
    assert (str(error), error.code) == (reason, code)
    assert not isinstance(error, RateLimitError) or error.retry_after > 0


@asynccontextmanager
async def trading(folder, market, **settings):
    """Run a session at an exchange on a port, until its market has spoken."""
    config = TradingConfig(
        data_dir=folder,
        log_trades=False,
        recv_window_ns="1s",
        clock_skew_ns="100ms",
        query_interval_ns="100ms",
        disabled=["duplicate"],
        **settings,
    )
    broker = BinanceFuturesBroker(DEFAULT_KEY, DEFAULT_KEY, rest_url=market.url, read_lag_s=0.05)
    service = LiveTradingService(config=config)
    service.set_broker(broker)
    await service.start_session(strategies=[], symbols=[BTC])
    try:
        async with asyncio.timeout(10):
            while not service.live.engine.core.market.of(BTC).bid:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
        yield service, broker
    finally:
        await service.stop()


class Hears:
    """Notes what a person would be told."""

    def __init__(self, told):
        self._told = told

    def notify(self, level, text):
        self._told.append(text)


def bid():
    return Order(BTC, OrderSide.BUY, "0.004", OrderType.LIMIT, 49_000)


async def test_an_order_that_the_venue_s_limits_turned_away_says_when_to_come_again(tmp_path):
    with street() as market:
        async with trading(tmp_path, market, retry_attempts=0) as (service, broker):
            order = bid()
            await asyncio.to_thread(market.goes_wrong, "overloaded", POST)

            with pytest.raises(RateLimitError) as caught:
                await broker.place_order(order)
            assert caught.value.retry_after == RETRY_AFTER_S[-1008]
            assert caught.value.code == -1008
            assert [o.status for o in await service.get_orders(open_only=False)] == [
                OrderStatus.REJECTED
            ]


async def test_an_order_in_a_ban_says_when_that_ends_and_a_stop_does_not_wait_for_it(
    tmp_path, caplog
):
    with street() as market:
        async with trading(tmp_path, market, retry_attempts=0) as (service, broker):
            await asyncio.to_thread(market.goes_wrong, "banned", POST, count=1, delay_ms=25_000)

            with pytest.raises(RateLimitError) as caught:
                await broker.place_order(bid())
            assert 15 < caught.value.retry_after < 30

            began = asyncio.get_running_loop().time()
            await service.stop()
            assert asyncio.get_running_loop().time() - began < 10
            assert service.session().status is TradingSessionStatus.STOPPED
            assert service.books is None
            assert "the books are not compared at the end" in caplog.text


async def test_a_stop_that_a_ban_makes_wait_says_what_for(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.runtime.live.STOP_PATIENCE_S", 2.0)
    with street() as market:
        async with trading(tmp_path, market, retry_attempts=0) as (service, broker):
            told: list[str] = []
            service.live.notifier = Hears(told)
            order = await broker.place_order(bid())
            assert order.order is not None
            await asyncio.to_thread(market.goes_wrong, "banned", "*", count=1, delay_ms=25_000)
            with pytest.raises(RateLimitError):
                await broker.place_order(bid())

            await service.stop()
            assert service.session().status is not TradingSessionStatus.STOPPED
            [waits] = [text for text in told if "stop waits" in text]
            assert waits.startswith("the stop waits, up to 2 s, for room within the venue's limits")


async def test_an_order_that_never_arrived_is_no_success(tmp_path):
    with street() as market:
        async with trading(tmp_path, market) as (service, broker):
            await asyncio.to_thread(market.goes_wrong, "unknown_not_executed", POST, count=None)

            result = await service.execute_order(bid())
            assert (result.success, result.order_id) == (False, None)
            assert "never reached the venue" in result.error
            with pytest.raises(VenueUnavailable, match="never reached the venue"):
                await broker.place_order(bid())
            with pytest.raises(VenueUnavailable, match="never reached the venue"):
                await service.place_order(BTC, "BUY", "0.004", "LIMIT", 49_000)


@pytest.mark.parametrize("fault", ["unknown_not_executed", "overloaded"])
async def test_parts_that_go_on_behind_one_that_did_not_come_about_are_not_told_as_undone(
    tmp_path, fault
):
    """Who is told that nothing was done places all of it a second time."""
    with street() as market:
        async with trading(tmp_path, market, retry_attempts=0) as (service, _):
            await asyncio.to_thread(market.goes_wrong, fault, POST, count=1)
            terms = {"order_type": "LIMIT", "price": 49_000, "algo": "iceberg:show=0.01"}
            terms |= {"request_id": "mine"}

            placed = await service.place_order(BTC, "BUY", "0.03", **terms)
            assert placed.status in {OrderStatus.NEVER_ARRIVED, OrderStatus.REJECTED}
            async with asyncio.timeout(15):
                while not (there := await service.get_orders()):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.1)
            assert [order.quantity for order in there] == [Decimal("0.01")]
            await service.cancel_order(there[0].id)  # which ends it
            again = await service.place_order(BTC, "BUY", "0.03", **terms)
            assert again.id == placed.id


async def test_an_order_that_did_arrive_without_a_word_is_waited_for(tmp_path):
    with street() as market:
        async with trading(tmp_path, market) as (service, broker):
            await asyncio.to_thread(market.goes_wrong, "unknown_executed", POST, count=None)

            result = await broker.place_order(bid())
            assert result.order is not None
            assert result.order.status is OrderStatus.NEW
            assert (await service.execute_order(bid())).success


async def test_an_order_of_which_nobody_knows_yet_is_no_success_but_has_an_id(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(operations, "ANSWER_PATIENCE_S", 0.2)
    with street() as market:
        async with trading(tmp_path, market) as (service, broker):
            await asyncio.to_thread(market.goes_wrong, "unknown_not_executed", POST, count=None)

            order = bid()
            result = await service.execute_order(order)
            assert not result.success
            assert result.order_id == order.id is not None
            assert result.error == shortfall.UNANSWERED
            assert order.is_in_doubt
            order = bid()
            with pytest.raises(OutcomeUnknownError, match="do not send it again"):
                await broker.place_order(order)
            assert order.id is not None
            assert (await service.place_order(BTC, "BUY", "0.004", "LIMIT", 49_000)).is_in_doubt


async def test_an_order_without_a_connection_is_a_network_error(tmp_path):
    with street() as market:
        async with trading(tmp_path, market) as (service, broker):
            account = service.live.engine.core.market.accounts_cut_off
            await asyncio.to_thread(market.goes_wrong, "refuse_connections", "*", delay_ms=500)
            async with asyncio.timeout(10):
                while not account:  # noqa: ASYNC110 - no event tells of it
                    await asyncio.sleep(0.01)

            with pytest.raises(NetworkError):
                await broker.place_order(bid())
            assert not (await service.execute_order(bid())).success
