"""Brokers as users hold them, with and without a session."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest

from holdfast import (
    BinanceFuturesBroker,
    FeedSettings,
    InputError,
    LiveBrokerAdapter,
    LiveTradingService,
    NetworkError,
    Order,
    OrderType,
    PaperBroker,
    RiskDenied,
    SessionStateError,
    Side,
    TradingConfig,
)
from holdfast.model.errors import ConfigError
from holdfast.model.messages import VenueFailure
from holdfast.model.values import NS_PER_S
from holdfast.ports import Venue
from holdfast.runtime import broker as broker_module
from holdfast.runtime.clock import WallClock
from holdfast.venues import Opener, Wiring
from holdfast.venues.binance_futures.opening import settings_of
from holdfast.venues.binance_futures.settings import endpoints
from tests.runtime.session_desk import BTC, ScriptedFeed, books_agree, config_in, running


@pytest.fixture
def trading(tmp_path):
    broker = PaperBroker(config=config_in(tmp_path))
    service = LiveTradingService(config=config_in(tmp_path, dry_run=False))
    service.set_broker(broker)
    return broker, service


async def test_orders_need_a_session(trading):
    broker, _ = trading
    with pytest.raises(SessionStateError, match="start_session"):
        await broker.place_order(Order(BTC, Side.BUY, 1))


async def test_a_broker_trades_through_the_session_and_tells_the_exchange_s_books(
    tmp_path, trading
):
    broker, service = trading
    async with running(tmp_path, service=service) as desk:
        order = Order(BTC, Side.BUY, "0.01", stop_loss=44_000)
        result = await broker.place_order(order)

        assert result.success
        assert order.id == result.order_id
        (stop,) = await broker.get_open_orders()
        assert stop.order_type is OrderType.STOP_MARKET
        assert stop.trigger_price == 44_000
        (position,) = await broker.get_positions()
        assert (position.symbol, position.quantity) == (BTC, Decimal("0.01"))
        assert await broker.get_balance() == (await service.get_metrics()).wallet
        with pytest.raises(RiskDenied):
            await broker.place_order(Order(BTC, Side.BUY, "0.1"))
        resting = await broker.place_order(Order(BTC, Side.BUY, "0.004", OrderType.LIMIT, 44_000))
        assert (await broker.cancel_order(resting.order_id)).status.value == "CANCELED"
        assert desk.status.value == "RUNNING"


async def test_ids_on_a_paper_broker_are_the_same_every_time(tmp_path, trading):
    _, service = trading
    async with running(tmp_path, service=service):
        order = await service.place_order(BTC, "BUY", "0.01")

    assert order.id == "hf.1.1.1.E.operator"


@pytest.mark.parametrize("is_broker", [True, False])
async def test_a_new_journal_on_the_books_of_a_paper_account_repeats_no_id(tmp_path, is_broker):
    def service(number):
        url = f"sqlite:///{tmp_path}/{number}.db"
        config = config_in(tmp_path / "data", database_url=url, dry_run=not is_broker)
        made = LiveTradingService(config=config)
        if is_broker:
            made.set_broker(PaperBroker(data_dir=tmp_path / "books"))
        return made

    async with running(tmp_path, service=service(1)) as desk:
        before = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
    later = ScriptedFeed(start_ts=desk.feed.now + NS_PER_S)
    async with running(tmp_path, service=service(2), feed=later) as after:
        order = await after.service.place_order(BTC, "BUY", "0.005", stop_loss=44_100)
        await later.price(45_000.0)

        assert order.id != before.id
        assert after.open_roles() == ["STOP_LOSS", "STOP_LOSS"]
        assert after.state.position(("main", BTC)).qty == Decimal("0.015")
    assert books_agree(after.service)


async def test_books_can_be_asked_for_after_the_session_and_before_any(tmp_path, trading):
    broker, service = trading
    async with running(tmp_path, service=service):
        await service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        balance = await broker.get_balance()
    with pytest.raises(SessionStateError):
        await broker.place_order(Order(BTC, Side.BUY, "0.01"))

    for asked in (broker, PaperBroker(config=config_in(tmp_path))):
        assert [p.quantity for p in await asked.get_positions()] == [Decimal("0.01")]
        assert len(await asked.get_open_orders()) == 1
        assert await asked.get_balance() == balance


async def test_a_broker_without_settings_of_its_own_asks_by_its_service_s(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broker = PaperBroker()
    service = LiveTradingService(config=config_in(tmp_path / "mine", dry_run=False))
    service.set_broker(broker)
    async with running(tmp_path / "mine", service=service):
        await service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        balance = await broker.get_balance()

    (position,) = await broker.get_positions()
    assert (position.symbol, position.quantity) == (BTC, Decimal("0.01"))
    assert await broker.get_balance() == balance
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


async def test_an_order_that_ended_without_a_fill_is_no_success(tmp_path, trading):
    broker, service = trading
    async with running(tmp_path, service=service):
        order = Order(BTC, Side.BUY, "0.01", OrderType.LIMIT, 44_000, time_in_force="IOC")
        result = await broker.place_order(order)

        assert (result.success, result.error) == (False, "unfilled")
        assert result.order_id == order.id


async def test_a_broker_s_balance_and_folder_are_its_own(tmp_path):
    broker = PaperBroker("2500.50", data_dir=tmp_path / "books")
    service = LiveTradingService(config=config_in(tmp_path / "data", dry_run=False))
    service.set_broker(broker)
    async with running(tmp_path, service=service):
        assert await broker.get_balance() == Decimal("2500.50")
        assert (tmp_path / "books" / "paper.db").exists()
        assert not (tmp_path / "data" / "paper.db").exists()

    with pytest.raises(InputError, match="initial_balance"):
        PaperBroker(float("nan"))
    with pytest.raises(InputError, match="above 0, was 0"):
        PaperBroker(0)


async def test_a_dry_run_leaves_the_broker_s_account_alone(tmp_path):
    opened: list[Wiring] = []

    def refuse(wiring: Wiring) -> Venue:
        opened.append(wiring)
        raise AssertionError("a dry run opens no account of the broker's")

    broker = LiveBrokerAdapter(refuse)
    service = LiveTradingService(config=config_in(tmp_path, dry_run=False))
    service.set_broker(broker)
    async with running(tmp_path, service=service, start={"dry_run": True}) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")

    assert opened == []


@pytest.mark.parametrize(("is_named", "source"), [(False, "binance_futures"), (True, "binance")])
def test_a_broker_of_a_real_account_brings_the_market_that_its_orders_go_to(is_named, source):
    broker = BinanceFuturesBroker("k", "s", testnet=True, rest_url="http://127.0.0.1:1")
    market = broker.market(FeedSettings(source="binance", testnet=False), is_named=is_named)

    assert (market.source, market.testnet, market.rest_url) == (source, True, "http://127.0.0.1:1")


OF_THE_ACCOUNT = {
    "isolated": True,
    "orders_over_ws": False,
    "dead_man_s": 0,
    "read_lag_ns": 7,
    "clock_skew_ns": 8,
    "allow_withdrawals": True,
    "switch_to_one_way": True,
    "retry_attempts": 9,
    "leverage": 3,
    "leverages": {BTC: 4},
}


def settings_at(broker, **settings):
    wiring = Wiring(config=TradingConfig(**settings), clock=WallClock())
    return broker.open(wiring)._settings


def test_a_broker_refuses_a_key_that_can_not_be_one_before_anything_is_opened():
    with pytest.raises(ConfigError, match="API key"):
        BinanceFuturesBroker("a key", "s")


def test_what_a_broker_does_not_say_is_as_the_session_s_settings_have_it():
    broker = BinanceFuturesBroker("k", "s", testnet=False)
    found = settings_at(broker, **OF_THE_ACCOUNT)

    names = {"isolated": "is_isolated"}
    for key, value in OF_THE_ACCOUNT.items():
        assert getattr(found, names.get(key, key)) == value, key
    assert found.endpoints == endpoints(testnet=False)
    assert settings_at(broker) == settings_of(TradingConfig(testnet=False))


def test_what_a_broker_says_holds_whatever_the_settings_are():
    broker = BinanceFuturesBroker(
        "k",
        "s",
        isolated=False,
        orders_over_ws=True,
        dead_man_s=60,
        read_lag_s=0.5,
        allow_withdrawals=False,
        switch_to_one_way=False,
    )
    found = settings_at(broker, **OF_THE_ACCOUNT, rest_url="http://127.0.0.1:1")

    assert (found.is_isolated, found.orders_over_ws, found.dead_man_s) == (False, True, 60)
    assert (found.allow_withdrawals, found.switch_to_one_way) == (False, False)
    assert found.read_lag_ns == NS_PER_S // 2
    assert found.endpoints == endpoints(testnet=True)


def test_a_simulated_account_has_no_market_of_its_own():
    settings = FeedSettings(source="synthetic", seed=7)

    assert PaperBroker().market(settings, is_named=False) is settings


class Silent:
    """A venue that is reached and tells no books."""

    name = "silent"
    account = "main"

    def __init__(self, answer=None):
        self.answer, self.closed = answer, False

    async def connect(self, symbols, hear):
        self.hear = hear
        return []

    def resync(self, command):
        if self.answer is not None:
            self.hear(self.answer)

    async def close(self):
        self.closed = True


@pytest.mark.parametrize("answer", [None, VenueFailure(failure="venue", reason="503")])
async def test_an_exchange_that_tells_no_books_is_a_network_error(monkeypatch, answer):
    monkeypatch.setattr(broker_module, "BOOKS_PATIENCE_S", 0.01)
    venue = Silent(answer)
    with pytest.raises(NetworkError, match="503" if answer else "in time"):
        await LiveBrokerAdapter(cast("Opener", lambda wiring: venue)).get_positions()

    assert venue.closed
