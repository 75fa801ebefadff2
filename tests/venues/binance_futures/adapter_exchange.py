"""The adapter against the exchange on a port: real sockets, both on one loop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec

from holdfast.exchange_server import ServerSettings, create_server
from holdfast.exchange_server.faults import Kind, Rule, Script
from holdfast.exchange_server.settings import DEFAULT_KEY
from holdfast.feeds import FeedSettings
from holdfast.model.commands import Resync
from holdfast.model.market import MarkPrice, Quote, Trade
from holdfast.model.messages import ExecutionReport, VenueSnapshot
from holdfast.model.values import MAIN, AccountId
from holdfast.runtime.clock import WallClock
from holdfast.venues.binance_futures.adapter import BinanceFuturesVenue
from holdfast.venues.binance_futures.settings import BinanceSettings, endpoints
from tests.venues.binance_futures.adapter_desk import BTC, PATIENCE_S

ACCOUNT = AccountId(DEFAULT_KEY)
READ_LAG_NS = 20_000_000


class Town:
    """An exchange whose market the test moves, and what the adapter told of it."""

    def __init__(self, server):
        self.server = server
        self.core = server.venue
        self.heard = []
        self._news = asyncio.Event()

    def price(self, price, qty=100.0, spread=0.1, symbol=BTC):
        now, bid, ask = self.core.now(), price - spread, price + spread
        self.core.on_market(MarkPrice(symbol=symbol, ts=now, mark_price=price))
        self.core.on_market(
            Quote(symbol=symbol, ts=now, bid=bid, bid_qty=qty, ask=ask, ask_qty=qty)
        )
        self.core.on_market(Trade(symbol=symbol, ts=now, price=price, qty=qty))

    def goes_wrong(self, kind, on="*", count=1, **fields):
        rule = Rule(kind=Kind(kind), on=on, count=count, **fields)
        self.core.faults.give(Script(faults=[rule]), self.core.now())

    def hear(self, message):
        self.heard.append(message)
        self._news.set()

    async def has(self, condition, patience_s=PATIENCE_S):
        """Wait until something heard meets a condition, and return it."""
        async with asyncio.timeout(patience_s):
            while True:
                found = next((each for each in self.heard if condition(each)), None)
                if found is not None:
                    return found
                self._news.clear()
                await self._news.wait()

    async def report(self, name, patience_s=PATIENCE_S, **fields):
        """Wait for a report of an order in which these fields are so."""
        return await self.has(
            lambda m: (
                isinstance(m, ExecutionReport)
                and m.cl_ord_id == name
                and all(getattr(m, key) == value for key, value in fields.items())
            ),
            patience_s,
        )

    async def until(self, condition):
        """Wait for the exchange to have something, of which nobody tells."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def snapshot(self, venue, since=1):
        self.heard = [m for m in self.heard if not isinstance(m, VenueSnapshot)]
        venue.resync(Resync(account=MAIN, reason="test", trades_since=since))
        return await self.has(lambda m: isinstance(m, VenueSnapshot))


def settings_for(server, **fields):
    fields = {"leverage": 10, "read_lag_ns": READ_LAG_NS, **fields}
    where = endpoints(testnet=True, rest_url=server.urls["rest"])
    return BinanceSettings(endpoints=where, **fields)


@asynccontextmanager
async def town(**fields):
    settings = ServerSettings(
        feed=FeedSettings(source="none"), symbols=(BTC,), strict_routing=True, **fields
    )
    server = create_server(settings)
    await server.start()
    try:
        one = Town(server)
        one.price(50_000.0)
        yield one
    finally:
        await server.stop()


@asynccontextmanager
async def joined(
    one, *, key=DEFAULT_KEY, secret=DEFAULT_KEY, where=None, budget=None, known=None, **fields
):
    settings = settings_for(one.server, **fields)
    if where is not None:
        settings = msgspec.structs.replace(settings, endpoints=where)
    venue = BinanceFuturesVenue(
        key, secret, clock=WallClock(), settings=settings, budget=budget, known=known
    )
    try:
        one.contracts = await venue.connect((BTC,), one.hear)
        yield venue
    finally:
        await venue.close()


def amount(text):
    return Decimal(text)
