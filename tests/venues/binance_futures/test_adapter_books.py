"""Order books on their way to a strategy: over sockets, with a gap, and over a lost stream."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from holdfast import LiveTradingService, Strategy
from holdfast.exchange_server.levels import asks, bids
from holdfast.model.config import TradingConfig
from tests.venues.binance_futures.adapter_desk import BTC
from tests.venues.binance_futures.adapter_exchange import ACCOUNT
from tests.venues.binance_futures.adapter_street import street
from tests.venues.binance_futures.test_adapter_session import broker_at

PATIENCE_S = 20.0
LEVELS = 50


class BookReader(Strategy):
    def __init__(self):
        self.books = []
        self.wholes = []

    def on_book(self, book):
        self.books.append((book.bids(LEVELS), book.asks(LEVELS)))
        self.wholes.append(book.is_whole)


class Silent(Strategy):
    def on_trade(self, trade):
        pass


def levels(market):
    """Return the exchange's own book, as numbers."""
    core = market.town.core
    sides = market.call(
        lambda: [side(core.exchange, core.tape(BTC), LEVELS) for side in (bids, asks)]
    )
    return tuple([(float(p), float(q)) for p, q in side] for side in sides)


@asynccontextmanager
async def session(folder, market, strategy, **settings):
    given = {
        "dry_run": False,
        "data_dir": folder,
        "log_trades": False,
        "feed": "binance_futures",
        "rest_url": market.url,
    }
    service = LiveTradingService(config=TradingConfig(**(given | settings)))
    service.set_broker(broker_at(market))
    await service.start_session("p", [strategy], [BTC])
    try:
        yield service
    finally:
        await service.stop("test")


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.02)


async def same_book(strategy, market):
    await until(lambda: strategy.books and strategy.books[-1] == levels(market))


async def rest(service, *prices):
    for price in prices:
        await service.place_order(BTC, "BUY", "0.003", "LIMIT", price, stop_loss=40_000)


async def test_strategy_sees_the_exchanges_own_book_through_gaps_and_lost_streams(tmp_path):
    with street() as market:
        reader = BookReader()
        async with session(tmp_path, market, reader) as service:
            await same_book(reader, market)
            await rest(service, 49_990, 49_985)
            await same_book(reader, market)
            assert len(reader.books[-1][0]) == 4
            assert all(reader.wholes)

            market.goes_wrong("depth_gap", "btcusdt@depth*")
            await rest(service, 49_980)
            market.price(50_010.0)
            await until(lambda: market.fired() == 1 and not all(reader.wholes))
            await same_book(reader, market)

            market.goes_wrong("disconnect", "btcusdt@depth*")
            market.price(50_020.0)
            await until(lambda: market.fired() == 2)
            market.price(50_030.0)
            await same_book(reader, market)
            assert reader.wholes[-1]
            assert len(market.town.core.exchange.open_orders(ACCOUNT)) == 3


async def test_books_are_not_asked_for_where_no_strategy_hears_them(tmp_path):
    with street() as market:
        async with session(tmp_path / "a", market, Silent()) as service:
            assert not service.live.feed._has_books
        async with session(tmp_path / "b", market, Silent(), books=True) as service:
            assert service.live.feed._has_books
