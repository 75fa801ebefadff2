"""The other venue on a thread of its own, and sessions of the product that trade there."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager

from holdfast import BinanceFuturesBroker, LiveTradingService
from holdfast.feeds import FeedSettings
from holdfast.feeds.binance_futures import BinanceFuturesFeed
from holdfast.model.config import TradingConfig
from holdfast.model.values import MAIN

from .keys import KEY, made
from .venue import OtherVenue, Trouble

BTC = "BTCUSDT"
PATIENCE_S = 15.0
QUICK = {"recv_window_ns": "1s", "clock_skew_ns": "100ms"}
"""Fences that are over soon, so that what is in doubt is known soon."""


class Street:
    """Methods are for other threads than the venue's."""

    def __init__(self, venue, loop):
        self.venue, self._loop = venue, loop
        scheme = "https" if venue.server.tls else "http"
        self.url = f"{scheme}://127.0.0.1:{venue.server.port}"

    def call(self, do):
        """Do something on the venue's loop and return what it returned."""

        async def run():
            return do()

        return self._run(run())

    def price(self, price, symbol=BTC):
        self.call(lambda: self.venue.books.price(symbol, price))

    def trouble(self, kind, on, count=1):
        """Let something go wrong so often; return what counts it."""
        made = Trouble(kind, on, count)
        self.call(lambda: self.venue.troubles.append(made))
        return made

    def close(self, which, code=None):
        """End all sockets of a kind: users, markets or orders."""

        def do():
            sockets = list(getattr(self.venue, which))
            for socket in sockets:
                socket.close(code)
            return len(sockets)

        return self.call(do)

    def restart(self, meanwhile):
        """Let the server go, do something, and come back on the same port."""
        server = self.venue.server
        self._run(server.stop())
        self.call(meanwhile)
        self._run(server.start(server.port))

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def books(self):
        """Return wallets, positions and the client ids of what is open; a child has its parent's."""
        books = self.venue.books

        def do():
            children = {a.child.order_id: a.client_id for a in books.algos.values() if a.child}
            open_orders = [children.get(o.order_id, o.client_id) for o in books.open_orders()]
            return (
                {asset: amount for asset, amount in books.wallets.items() if amount},
                {name: held.qty for name, held in books.positions.items() if held.qty},
                sorted([*open_orders, *(each.client_id for each in books.open_algos())]),
            )

        return self.call(do)

    def protected(self):
        """Return how much of each symbol the open stops would close."""

        def do():
            found: dict = {}
            for algo in self.venue.books.open_algos():
                if algo.kind != "STOP_MARKET" or not algo.reduce_only:
                    continue
                sign = 1 if algo.side == "SELL" else -1
                found[algo.symbol] = found.get(algo.symbol, 0) + sign * algo.qty
            return found

        return self.call(do)

    def entered(self):
        """Return how many orders were carried out that buy."""
        return len([o for o in list(self.venue.books.orders.values()) if o.side == "BUY"])

    def names_placed(self):
        """Return the client id of each order that came to be carried out, stops too."""
        placed = self.call(lambda: list(self.venue.placed))
        return [each.get("newClientOrderId") or each["clientAlgoId"] for each in placed]

    def ordinary(self):
        """Return what was asked of the venue to place, conditional orders left out."""
        return self.call(lambda: [each for each in self.venue.placed if "newClientOrderId" in each])


@contextmanager
def street(*habits, port=0, key="hmac", tls=None):
    loop = asyncio.new_event_loop()
    venue = OtherVenue(habits)
    venue.api.key = made(key)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(venue.start(port, tls), loop).result(PATIENCE_S)
    try:
        yield Street(venue, loop)
    finally:
        asyncio.run_coroutine_threadsafe(venue.stop(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


class Session:
    """A session of the product, and the venue it trades at."""

    def __init__(self, service, market):
        self.service, self.market = service, market

    @property
    def state(self):
        return self.service.live.engine.state

    @property
    def status(self):
        return self.state.status.name

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - whatever it is, no event tells of it
                await asyncio.sleep(0.02)

    def books(self):
        """Return ours as the street tells the venue's."""
        state = self.state
        account = state.account(MAIN)
        return (
            {asset: account.wallet(asset) for asset in account.assets() if account.wallet(asset)},
            {key[1]: held.qty for key, held in state.positions.items() if held.qty},
            sorted(order.cl_ord_id for order in state.all_open_orders()),
        )

    async def agree(self):
        """Wait until both have the same wallets, positions and open orders."""
        try:
            await self.until(lambda: self.books() == self.market.books())
        except TimeoutError:
            raise AssertionError(f"{self.books()} here, {self.market.books()} there") from None

    async def running(self):
        await self.until(lambda: self.status == "RUNNING")


def broker_at(market, **settings):
    given = {"rest_url": market.url, "read_lag_s": 0.05, **settings}
    return BinanceFuturesBroker(KEY, market.venue.api.key.secret, **given)


@asynccontextmanager
async def session(
    folder,
    market,
    *,
    symbols=(BTC,),
    notifier=None,
    over_ws=True,
    read_lag_s=0.05,
    strategies=(),
    **settings,
):
    given = {"dry_run": False, "data_dir": folder, "log_trades": False, "leverage": 10}
    given |= {"position_size_pct": "1", "take_profit_pct": "0", "audit_interval_ns": "2s"}
    config = TradingConfig(**(given | settings))
    service = LiveTradingService(config=config, notifier=notifier)
    service.set_broker(broker_at(market, orders_over_ws=over_ws, read_lag_s=read_lag_s))
    feed = BinanceFuturesFeed(
        FeedSettings(symbols=symbols, books=bool(strategies)), rest_url=market.url
    )
    await service.start_session("p", list(strategies), list(symbols), feed=feed)
    one = Session(service, market)
    try:
        seen = service.live.engine.core.market
        await one.until(lambda: all(seen.price(each) is not None for each in symbols))
        yield one
        assert service.restarts == 0, "the session's life ended, and another one began"
    finally:
        if service.is_running():
            await service.stop("test")
