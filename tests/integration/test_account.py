"""An account at Binance USD-M Futures, or at an exchange that speaks its language.

`pytest tests/integration --testnet` tries the venue's own testnet; see `conftest`. Orders are as
small as the contract allows, those that are not to fill rest far from the market, and each test
leaves the account flat.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from decimal import ROUND_UP, Decimal

import pytest

from holdfast import (
    BinanceFuturesBroker,
    ConfigError,
    LiveTradingService,
    OrderStatus,
    OrderType,
    RiskDenied,
    TradingConfig,
    VenueRefused,
)
from holdfast.model.messages import VenueLink
from holdfast.model.values import MAIN, Symbol
from holdfast.runtime.books import read_books

BTC = Symbol("BTCUSDT")
PATIENCE_S = 30.0
ROOM = Decimal("1.2")
"""How far above the least notional an order is: the price moves meanwhile."""

pytestmark = pytest.mark.timeout(180)


class Desk:
    """A session at the account, and what tests ask of it."""

    def __init__(self, service):
        self.service = service

    @property
    def engine(self):
        return self.service.live.engine

    @property
    def instrument(self):
        return self.engine.state.instruments[MAIN, BTC]

    def price(self, part="1"):
        """Return the last price, or a part of it, on the tick."""
        last = Decimal(str(self.engine.core.market.price(BTC)))
        tick = self.instrument.tick
        return (last * Decimal(part) / tick).to_integral_value() * tick

    def least(self, price=None):
        """Return the least quantity that may be ordered."""
        made = self.instrument
        wanted = made.min_notional * ROOM / (price or self.price())
        lots = (wanted / made.lot).to_integral_value(ROUND_UP)
        return max(lots * made.lot, made.min_qty)

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - whatever it is, no event tells of it
                await asyncio.sleep(0.05)

    async def status(self, order, *wanted):
        await self.until(lambda: self.now(order).status in wanted)
        return self.now(order)

    def now(self, order):
        return self.service.operations.order(order.id)

    def qty(self):
        return self.engine.state.position((MAIN, BTC)).qty

    async def books(self):
        """Return the venue's word: positions and ids of open orders."""
        snapshot = await read_books(self.service.live)
        assert snapshot is not None
        held = {p.symbol: p.qty for p in snapshot.positions if p.qty}
        return held, {order.cl_ord_id for order in snapshot.orders}


def config_at(place, folder, **settings):
    given = {"venue": "binance_futures", "data_dir": folder, "log_trades": False, "leverage": 5}
    given |= {"position_size_pct": "1", "take_profit_pct": "0", "on_stop": "flatten"}
    return TradingConfig(**(given | place.settings | settings))


@asynccontextmanager
async def session(place, folder, **settings):
    service = LiveTradingService(config=config_at(place, folder, **settings))
    await service.start_session("integration", [], [BTC])
    desk = Desk(service)
    try:
        await desk.until(lambda: desk.engine.core.market.price(BTC) is not None)
        yield desk
    finally:
        if service.is_running():
            await service.stop("the test is over", flatten=True)


async def test_resting_order_is_placed_amended_and_taken_back(place, tmp_path):
    async with session(place, tmp_path) as desk:
        price = desk.price("0.97")
        order = await desk.service.place_order(BTC, "BUY", desk.least(price), "LIMIT", price)
        await desk.status(order, OrderStatus.NEW)
        assert (await desk.books())[1] == {order.id}

        lower = price - 10 * desk.instrument.tick
        await desk.service.modify_order(order.id, new_price=lower)
        await desk.until(lambda: desk.now(order).price == lower)

        await desk.service.cancel_order(order.id)
        await desk.status(order, OrderStatus.CANCELED)
        assert await desk.books() == ({}, set())


async def test_conditional_order_waits_at_the_venue_and_is_taken_back(place, tmp_path):
    async with session(place, tmp_path) as desk:
        trigger = desk.price("1.04")
        order = await desk.service.place_order(
            BTC, "BUY", desk.least(), OrderType.STOP_MARKET, trigger_price=trigger
        )
        await desk.status(order, OrderStatus.NEW)
        assert (await desk.books())[1] == {order.id}

        await desk.service.cancel_order(order.id)
        await desk.status(order, OrderStatus.CANCELED)
        assert await desk.books() == ({}, set())


async def test_fill_comes_over_the_stream_and_its_stop_rests_at_the_venue(place, tmp_path):
    async with session(place, tmp_path) as desk:
        qty = desk.least()
        order = await desk.service.place_order(BTC, "BUY", qty, stop_loss=desk.price("0.95"))
        filled = await desk.status(order, OrderStatus.FILLED)

        assert filled.filled_quantity == desk.qty() == qty
        await desk.until(lambda: len(list(desk.engine.state.all_open_orders())) == 1)
        held, resting = await desk.books()
        assert held == {BTC: qty}
        assert len(resting) == 1

        await desk.service.close_position(BTC)
        await desk.until(lambda: not desk.qty())
        await desk.until(lambda: not list(desk.engine.state.all_open_orders()))
        assert await desk.books() == ({}, set())
        assert not desk.engine.state.differences


async def test_stream_that_is_lost_comes_back_and_hears_again(place, tmp_path):
    async with session(place, tmp_path) as desk:
        heard: list[object] = []
        venue = desk.service.live.venue
        tell = venue._hear

        def hear(message):
            heard.append(message)
            tell(message)

        venue._hear = hear
        venue._channel.stream.give_up("the test cuts it")
        await desk.until(lambda: [m.is_up for m in heard if isinstance(m, VenueLink)][:1])
        await desk.until(lambda: any(isinstance(m, VenueLink) and m.is_up for m in heard))
        # No entry before the books were compared once more: the rule `link`.
        await desk.until(lambda: not desk.engine.core.market.accounts_cut_off)

        price = desk.price("0.97")
        order = await desk.service.place_order(BTC, "BUY", desk.least(price), "LIMIT", price)
        await desk.status(order, OrderStatus.NEW)
        await desk.service.cancel_order(order.id)
        await desk.status(order, OrderStatus.CANCELED)


async def test_position_and_stop_are_found_again_by_the_next_session(place, tmp_path):
    async with session(place, tmp_path, on_stop="keep") as desk:
        await desk.service.place_order(BTC, "BUY", desk.least(), stop_loss=desk.price("0.95"))
        await desk.until(lambda: len(list(desk.engine.state.all_open_orders())) == 1)
        before = await desk.books()
        await desk.service.stop("the night", flatten=False)
    async with session(place, tmp_path) as desk:
        assert await desk.books() == before
        assert desk.qty() == before[0][BTC]
        assert desk.engine.state.status.value == "RUNNING"
        assert not desk.engine.state.differences

    async with session(place, tmp_path) as desk:
        assert await desk.books() == ({}, set())


async def test_orders_go_over_rest_alone_where_that_is_asked_for(place, tmp_path):
    async with session(place, tmp_path, orders_over_ws=False) as desk:
        price = desk.price("0.97")
        order = await desk.service.place_order(BTC, "BUY", desk.least(price), "LIMIT", price)
        await desk.status(order, OrderStatus.NEW)
        await desk.service.cancel_order(order.id)
        await desk.status(order, OrderStatus.CANCELED)


# What is refused


async def test_order_off_the_tick_is_refused_before_it_leaves(place, tmp_path):
    async with session(place, tmp_path) as desk:
        price = desk.price("0.97") + desk.instrument.tick / 3
        with pytest.raises(RiskDenied, match="must be a multiple"):
            await desk.service.place_order(BTC, "BUY", desk.least(price), "LIMIT", price)


async def test_amendment_across_the_market_of_a_maker_order_is_the_venues_refusal(place, tmp_path):
    async with session(place, tmp_path) as desk:
        with pytest.raises(VenueRefused) as caught:
            await desk.service.place_order(
                BTC, "BUY", desk.least(), "LIMIT", desk.price("1.01"), time_in_force="GTX"
            )

        assert caught.value.code == -5022
        assert await desk.books() == ({}, set())


async def test_symbol_that_is_not_traded_is_a_mistake_in_the_settings(place, tmp_path):
    service = LiveTradingService(config=config_at(place, tmp_path))
    with pytest.raises(ConfigError, match="NOPEUSDT"):
        await service.start_session("integration", [], ["NOPEUSDT"])


async def test_secret_that_is_wrong_is_refused_in_words(place, tmp_path):
    wrong = {"api_secret": "wrong" * 12, "api_secret_file": None}
    service = LiveTradingService(config=config_at(place, tmp_path, **wrong))
    with pytest.raises(VenueRefused, match="does not accept the API key") as caught:
        await service.start_session("integration", [], [BTC])

    assert "wrong" * 12 not in str(caught.value)
    assert not service.is_running()


async def test_the_broker_of_the_specification_tells_the_account_s_books(place):
    secret = place.settings.get("api_secret") or str(place.settings["api_secret_file"])
    broker = BinanceFuturesBroker(
        api_key=place.settings["api_key"],
        api_secret=secret,
        testnet=True,
        rest_url=place.settings.get("rest_url"),
    )

    assert await broker.get_balance() > 0
    assert await broker.get_positions() == []
    assert await broker.get_open_orders() == []
