"""A whole session through sockets: live feed, broker, engine, journal, exchange."""

from __future__ import annotations

import asyncio
import random
import re
import time
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from holdfast import BinanceFuturesBroker, LiveTradingService
from holdfast.exchange_server.settings import DEFAULT_KEY
from holdfast.feeds import FeedSettings
from holdfast.feeds.binance_futures import BinanceFuturesFeed
from holdfast.model.config import TradingConfig
from holdfast.model.errors import ConfigError, TradingError, VenueRefused, VenueUnavailable
from holdfast.model.market import Funding
from holdfast.model.values import MAIN, OrderStatus, OrderType, Side, TradingSessionStatus
from holdfast.runtime import starting
from holdfast.venues.binance_futures import time_keeping
from tests.venues.binance_futures.adapter_desk import BTC
from tests.venues.binance_futures.adapter_street import street

PATIENCE_S = 20.0


class Session:
    def __init__(self, service, market):
        self.service, self.market = service, market

    @property
    def state(self):
        return self.service.live.engine.state

    @property
    def venue(self):
        return self.service.live.venue

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - whatever it is, no event tells of it
                await asyncio.sleep(0.02)

    async def order(self, order_id):
        return await self.service.get_order(order_id)

    def books(self):
        """Return ours in the exchange's form."""
        state = self.state
        account = state.account(MAIN)
        return (
            {asset: account.wallet(asset) for asset in account.assets() if account.wallet(asset)},
            {key[1]: p.qty for key, p in state.positions.items() if p.qty},
            sorted(order.cl_ord_id for order in state.all_open_orders()),
        )

    async def agree(self):
        await self.until(lambda: self.books() == self.market.books())


def broker_at(market, **settings):
    given = {"rest_url": market.url, "read_lag_s": 0.05, **settings}
    return BinanceFuturesBroker(DEFAULT_KEY, DEFAULT_KEY, **given)


@asynccontextmanager
async def session(folder, market, *, broker=None, notifier=None, strategies=(), **settings):
    given = {"dry_run": False, "data_dir": folder, "log_trades": False, "leverage": 10}
    given |= {"position_size_pct": "1", "take_profit_pct": "0", "audit_interval_ns": "2s"}
    config = TradingConfig(**(given | settings))
    service = LiveTradingService(config=config, notifier=notifier)
    service.set_broker(broker or broker_at(market))
    feed = BinanceFuturesFeed(FeedSettings(symbols=(BTC,)), rest_url=market.url)
    await service.start_session("p", list(strategies), [BTC], feed=feed)
    one = Session(service, market)
    try:
        market_seen = service.live.engine.core.market
        await one.until(lambda: market_seen.price(BTC) is not None)
        yield one
    finally:
        if service.is_running():
            await service.stop("test")


async def test_bracket_is_filled_protected_and_closed_and_the_books_agree(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            placed = await one.service.place_order(
                BTC, "BUY", "0.01", stop_loss="49000", take_profit="52000"
            )
            await one.until(lambda: len(one.books()[2]) == 2)
            await one.agree()
            balances, positions, _ = one.books()
            assert positions == {BTC: Decimal("0.01")}
            kinds = {o.request.order_type for o in one.state.all_open_orders()}
            assert kinds == {OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET}
            assert (await one.order(placed.id)).status is OrderStatus.FILLED

            await one.service.close_position(BTC)
            await one.until(lambda: not one.books()[1] and not one.books()[2])
            await one.agree()
            assert one.books()[0]["USDT"] != balances["USDT"]
            assert one.state.status is TradingSessionStatus.RUNNING
            assert not one.state.differences


async def test_stop_that_triggers_at_the_exchange_closes_our_position_too(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49500")
            await one.until(lambda: len(one.books()[2]) == 1)

            market.price(49_400.0)

            await one.until(lambda: not one.books()[1])
            await one.agree()
            assert one.books()[2] == []


async def test_resting_order_is_placed_amended_and_taken_back(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            placed = await one.service.place_order(
                BTC, Side.BUY, "0.01", OrderType.LIMIT, "49000", stop_loss="48000"
            )
            await one.service.modify_order(placed.id, new_price="48900")
            await one.agree()
            assert (await one.order(placed.id)).price == Decimal(48_900)

            await one.service.cancel_order(placed.id)
            await one.until(lambda: not one.books()[2])
            await one.agree()


@pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
async def test_executed_order_whose_answer_was_lost_is_found_and_counted_once(tmp_path, over_ws):
    with street() as market:
        broker = broker_at(market, orders_over_ws=over_ws)
        async with session(tmp_path, market, broker=broker) as one:
            market.goes_wrong("unknown_executed", "POST /fapi/v1/order")
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: one.books()[1] == {BTC: Decimal("0.01")})
            await one.until(lambda: len(one.books()[2]) == 1)
            await one.agree()

            assert market.fired() == 1
            assert len(one.state.trades_seen) == 1
            assert one.state.status is TradingSessionStatus.RUNNING


async def test_fill_that_the_stream_lost_is_fetched(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            market.goes_wrong("drop_frame", "ORDER_TRADE_UPDATE", count=10)
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")

            await one.until(lambda: one.books()[1] == {BTC: Decimal("0.01")})
            await one.agree()
            assert market.fired()


@pytest.mark.parametrize("is_lost", [True, False], ids=["lost", "told"])
async def test_funding_is_booked_once_whether_the_stream_told_it_or_not(tmp_path, is_lost):
    with street() as market:
        async with session(tmp_path, market) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: one.books()[1] == {BTC: Decimal("0.01")})
            await one.agree()
            if is_lost:
                market.goes_wrong("drop_frame", "ACCOUNT_UPDATE", count=1)
            core = market.town.core
            market.call(lambda: core.on_market(Funding(symbol=BTC, ts=core.now(), rate=0.0001)))

            account = one.state.account(MAIN)
            await one.until(lambda: account.funding.get("USDT") == Decimal("-0.05"))
            await one.until(lambda: one.books()[0] == market.books()[0])
            await asyncio.sleep(3)  # an audit reads the income list again

            assert account.funding["USDT"] == Decimal("-0.05")
            assert not one.state.differences


async def test_session_goes_on_after_a_restart_with_its_position_and_stop(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: len(one.books()[2]) == 1)
            await one.agree()
            before = one.books()
        async with session(tmp_path, market) as one:
            await one.agree()

            assert one.books() == before
            assert one.state.status is TradingSessionStatus.RUNNING


QUICK_FENCES = {"recv_window_ns": "1s", "clock_skew_ns": "100ms", "breaker_threshold": 1000}
STORM = {
    "unknown_executed": 0.1,
    "unknown_not_executed": 0.1,
    "reset_after": 0.05,
    "reset_before": 0.05,
    "overloaded": 0.1,
    "service_unavailable": 0.1,
    "drop_frame": 0.05,
    "duplicate_frame": 0.1,
    "delay_frame": 0.1,
    "disconnect": 0.02,
}


@pytest.mark.slow
@pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
async def test_books_agree_after_a_storm(tmp_path, over_ws):
    """Every kind of fault at once, while orders come and go."""
    rng = random.Random(over_ws)
    with street() as market:
        broker = broker_at(market, orders_over_ws=over_ws)
        async with session(tmp_path, market, broker=broker, **QUICK_FENCES) as one:
            for kind, chance in STORM.items():
                on = "*" if "frame" in kind or kind == "disconnect" else "* /fapi/v1/*rder*"
                market.goes_wrong(kind, on, count=None, probability=chance, delay_ms=200)
            hopes = [
                asyncio.ensure_future(wish(one.service, rng.random(), round(rng.gauss(0, 50), 1)))
                for _ in range(25)
            ]
            await asyncio.wait(hopes, timeout=PATIENCE_S)
            struck = market.fired()
            market.call(market.town.core.faults.clear)

            await one.agree()
            assert struck > 5
            assert one.state.trades_seen
            assert one.state.status is TradingSessionStatus.RUNNING


async def wish(service, lot, off):
    """Trade, rest, or close, whichever the lot says; be refused now and then."""
    try:
        await asyncio.sleep(lot * 3)
        if lot < 0.4:
            await service.place_order(BTC, "BUY" if off > 0 else "SELL", "0.003")
        elif lot < 0.9:
            price = str(49_900 + off)
            placed = await service.place_order(BTC, "BUY", "0.003", "LIMIT", price)
            await service.cancel_order(placed.id)
        else:
            await service.close_position(BTC)
    except TradingError:
        return


async def test_order_that_came_at_the_wrong_time_is_refused_once_and_the_next_one_goes(tmp_path):
    with street() as market:
        async with session(tmp_path, market) as one:
            market.goes_wrong("bad_timestamp", "POST /fapi/v1/*rder")
            with pytest.raises(VenueRefused, match="outside of the recvWindow"):
                await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.service.place_order(BTC, "BUY", "0.011", stop_loss="49000")
            await one.until(lambda: len(one.books()[2]) == 1)
            await one.agree()

            assert market.fired() == 1
            assert one.books()[1] == {BTC: Decimal("0.011")}
            assert one.state.status is TradingSessionStatus.RUNNING


@pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
@pytest.mark.parametrize("skew_ms", [6500, -2500], ids=["ahead", "behind"])
async def test_clock_that_runs_away_stops_new_risk_alone_until_it_is_right(
    tmp_path, monkeypatch, skew_ms, over_ws
):
    """The venue's clock is moved, which is the same. What ends risk leaves, and is taken."""
    monkeypatch.setattr(time_keeping, "CLOCK_OFF_EVERY_S", 0.3)
    with street() as market:
        broker = broker_at(market, orders_over_ws=over_ws)
        async with session(tmp_path, market, broker=broker) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: len(market.books()[2]) == 1)
            market.goes_wrong("clock_skew", "*", count=None, delay_ms=skew_ms)
            with pytest.raises(VenueRefused, match=r"recvWindow|Timestamp"):
                await one.service.place_order(BTC, "BUY", "0.011", stop_loss="49000")
            await one.until(lambda: one.venue._asker.offset.is_off)
            told: list[str] = []
            await time_keeping.measure(one.venue._asker, told.append)
            assert [text.startswith("this machine's clock is") for text in told] == [True]
            with pytest.raises(VenueUnavailable, match="not sent: this machine's clock is"):
                await one.service.place_order(BTC, "BUY", "0.012", stop_loss="49000")
            assert len(market.books()[2]) == 1
            await one.service.close_position(BTC)
            await one.until(lambda: not market.books()[1] and not market.books()[2])

            market.call(market.town.core.faults.clear)
            await one.until(lambda: not one.venue._asker.offset.is_off)
            await one.service.place_order(BTC, "BUY", "0.013", stop_loss="49000")
            await one.until(lambda: len(market.books()[2]) == 1)
            await one.agree()
            assert one.state.status is TradingSessionStatus.RUNNING


async def test_exit_whose_time_is_refused_is_sent_once_more_in_the_venues_time(tmp_path):
    """Nobody knew yet that the clock had run away."""
    with street() as market:
        async with session(tmp_path, market) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: len(market.books()[2]) == 1)
            market.goes_wrong("clock_skew", "*", count=None, delay_ms=6500)
            await one.service.close_position(BTC)
            await one.until(lambda: not market.books()[1] and not market.books()[2])
            market.call(market.town.core.faults.clear)

            await one.agree()
            refused = [o for o in one.state.orders.values() if o.status is OrderStatus.REJECTED]
            assert refused == []


async def test_start_waits_for_room_within_the_limits_longer_than_for_anything_else(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(starting, "STALL_S", 1.0)
    with street() as market:
        market.goes_wrong("banned", "GET /fapi/v3/account", delay_ms=4000)
        began = time.monotonic()
        async with session(tmp_path, market) as one:
            assert time.monotonic() - began > 3
            assert market.fired()
            assert one.state.status is TradingSessionStatus.RUNNING
            await one.agree()


async def test_start_asks_again_for_books_that_were_not_given(tmp_path):
    with street() as market:
        market.goes_wrong("service_unavailable", "GET /fapi/v3/account", count=4)
        async with session(tmp_path, market, retry_attempts=0) as one:
            assert market.fired() == 4
            assert one.state.status is TradingSessionStatus.RUNNING
            await one.agree()


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("banned", r"waits for room within the venue's limits, until \d\d:\d\d:\d\d UTC"),
        ("timeout_before", r"waits for an answer to GET /fapi/v3/account"),
        ("service_unavailable", r"GET /fapi/v3/account: Service Unavailable"),
    ],
)
async def test_start_that_gets_no_books_says_what_is_missing(tmp_path, monkeypatch, kind, missing):
    monkeypatch.setattr(starting, "START_PATIENCE_S", 3.0)
    with street() as market:
        market.goes_wrong(kind, "GET /fapi/v3/account", count=None, delay_ms=60_000)
        with pytest.raises(TradingError, match=missing):
            async with session(tmp_path, market, retry_attempts=0):
                pass


class Notices:
    def __init__(self):
        self.texts = []

    def notify(self, level, text):
        self.texts.append(text)


async def test_start_that_waits_for_room_says_so_once_when_it_begins_to(tmp_path):
    notices = Notices()
    with street() as market:
        market.goes_wrong("banned", "GET /fapi/v3/account", delay_ms=3_000)
        async with session(tmp_path, market, notifier=notices):
            [told] = [text for text in notices.texts if "waits" in text]
            [ban] = [text for text in notices.texts if text.startswith("banned: ")]

    assert "the venue has banned this address" in ban
    assert re.fullmatch(
        r"the start waits, up to 180 s, for room within the venue's limits, until [\d:]{8} UTC",
        told,
    )


async def test_error_of_our_own_in_a_task_of_the_venue_begins_a_new_life_that_trades(tmp_path):
    async def breaks():
        raise KeyError("by design")

    with street() as market:
        async with session(tmp_path, market) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            before = one.service.live

            before.venue._background.start(breaks())

            await one.until(lambda: one.service.live is not before)
            await one.until(lambda: one.service.live.shell.has_begun)
            await one.until(lambda: one.state.status is TradingSessionStatus.RUNNING)
            assert isinstance(before.outcome, KeyError)
            assert one.service.restarts == 1
            await one.service.close_position(BTC)
            await one.until(lambda: not one.books()[1] and not one.books()[2])
            await one.agree()


async def test_recorded_time_can_not_trade_a_live_account(tmp_path):
    with street() as market:
        config = TradingConfig(dry_run=False, data_dir=tmp_path, feed="synthetic")
        service = LiveTradingService(config=config)
        service.set_broker(BinanceFuturesBroker(DEFAULT_KEY, DEFAULT_KEY, rest_url=market.url))
        with pytest.raises(ConfigError, match="live feed"):
            await service.start_session("p", [], [BTC])


async def test_broker_tells_books_without_a_session():
    with street() as market:
        broker = BinanceFuturesBroker(DEFAULT_KEY, DEFAULT_KEY, rest_url=market.url)

        assert await broker.get_balance() == Decimal(10_000)
        assert await broker.get_positions() == []
        assert await broker.get_open_orders() == []
        assert DEFAULT_KEY not in repr(broker)
