"""An exchange on a port in a thread of its own, whose market keeps moving."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager

from holdfast.exchange_server import ServerSettings, create_server
from holdfast.feeds import FeedSettings
from tests.venues.binance_futures.adapter_desk import BTC, PATIENCE_S
from tests.venues.binance_futures.adapter_exchange import ACCOUNT, Town

BEAT_S = 0.05


class Street:
    """Shows a price over and over, as a market does. Methods are for other threads."""

    def __init__(self, server, loop):
        self.server, self.loop = server, loop
        self.town = Town(server)
        self.last = 50_000.0

    async def beat(self):
        while True:
            self.town.price(self.last)
            await asyncio.sleep(BEAT_S)

    def call(self, do):
        """Do something on the exchange's loop and return what it returned."""

        async def run():
            return do()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE_S)

    def price(self, price):
        self.last = price

        def show():
            self.town.price(price)

        self.call(show)

    def goes_wrong(self, kind, on, **fields):
        self.call(lambda: self.town.goes_wrong(kind, on, **fields))

    def fired(self):
        """Return how often a fault struck, all rules together."""
        return self.call(lambda: sum(rule["fired"] for rule in self.town.core.faults.account_for()))

    def books(self):
        """Return balances, positions and the ids of open orders, as the exchange has them."""
        exchange = self.town.core.exchange
        return self.call(
            lambda: (
                exchange.balances(ACCOUNT),
                {p.symbol: p.qty for p in exchange.positions(ACCOUNT) if p.qty},
                sorted(order.cl_ord_id for order in exchange.open_orders(ACCOUNT)),
            )
        )

    @property
    def url(self):
        return self.server.urls["rest"]


@contextmanager
def street(clock=time.time_ns, *, beats=True, **fields):
    """Without beats the market stands still between what the test shows."""
    settings = ServerSettings(
        feed=FeedSettings(source="none"), symbols=(BTC,), strict_routing=True, **fields
    )
    ready, over, made = threading.Event(), asyncio.Event(), []

    async def live():
        server = create_server(settings, clock=clock)
        await server.start()
        one = Street(server, asyncio.get_running_loop())
        one.town.price(one.last)
        beat = asyncio.create_task(one.beat() if beats else over.wait())
        made.append(one)
        ready.set()
        await over.wait()
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield made[0]
    finally:
        made[0].loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE_S)
