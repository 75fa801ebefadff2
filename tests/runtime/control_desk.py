"""A real session on a tiny feed that never ends, behind a real control server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from holdfast.model.config import TradingConfig
from holdfast.model.market import Quote, Trade
from holdfast.model.values import NS_PER_MS, NS_PER_S, Symbol
from holdfast.runtime.control import ControlServer
from holdfast.runtime.control_client import ControlClient
from holdfast.runtime.service import LiveTradingService

BTC = Symbol("BTCUSDT")
START = 1_700_000_000 * NS_PER_S
PRICE = 50_000.0
STEP_S = 0.01


class SteadyFeed:
    """Shows one price for ever, a hundred times a second."""

    name = "steady"
    default_timeframe = "1m"
    is_live = False
    pace = 1.0
    start_ts = START

    def instruments(self):
        return []

    def history(self, symbol, timeframe, before_ts, count):
        return []

    async def messages(self, after_ts=0):
        ts = max(START, after_ts)
        while True:
            ts += 10 * NS_PER_MS
            yield [
                Quote(symbol=BTC, ts=ts, bid=PRICE, bid_qty=9.0, ask=PRICE + 0.1, ask_qty=9.0),
                Trade(symbol=BTC, ts=ts, price=PRICE, qty=0.5),
            ]
            await asyncio.sleep(STEP_S)  # the feed's own pace, as a socket's would be


class Desk:
    """A session, its control server, and a client that asks from a thread as another process would."""

    def __init__(self, service: LiveTradingService, server: ControlServer, client: ControlClient):
        self.service, self.server, self.client = service, server, client

    async def get(self, path):
        return await asyncio.to_thread(self.client.get, path)

    async def post(self, path, **body):
        return await asyncio.to_thread(partial(self.client.post, path, **body))


@asynccontextmanager
async def running(folder, **settings) -> AsyncIterator[Desk]:
    """Run a session in a folder until the block ends."""
    config = TradingConfig(data_dir=folder, symbols=(BTC,), **settings)
    service = LiveTradingService(config=config)
    server = ControlServer(service, folder)
    await server.bind()
    try:
        session = await service.start_session(strategies=(), feed=SteadyFeed())
        server.announce(str(session.id))
        await priced(service)
        yield Desk(service, server, ControlClient(folder, timeout_s=20))
        if service.is_running():
            await service.stop()
    finally:
        await server.close()


async def priced(service: LiveTradingService) -> None:
    """Wait until the feed has shown a price."""
    async with asyncio.timeout(10):
        while service.live.engine.core.market.price(BTC) is None:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0)


async def restarting(service: LiveTradingService) -> None:
    """Wait until a failed life is being replaced."""
    async with asyncio.timeout(10):
        while not service.restarts:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0)
