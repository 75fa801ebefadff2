"""A service on a market that the test writes as it goes, and images of its disk."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

from holdfast.model.config import TradingConfig
from holdfast.model.errors import NetworkError
from holdfast.model.market import Quote, Trade
from holdfast.model.messages import ExecType, ExecutionReport
from holdfast.model.values import MAIN, NS_PER_MS, NS_PER_S, OrderStatus, Side, Symbol, TradeId
from holdfast.runtime.live import LiveSession
from holdfast.runtime.service import LiveTradingService
from holdfast.strategies import Strategy

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
START = 1_700_000_000 * NS_PER_S
PRICES = {BTC: 45_000.0, ETH: 2_500.0}
PATIENCE_S = 10.0


class Away:
    """The venue can't be reached for so many opened lives; `tries` counts them."""

    def __init__(self, monkeypatch, most=1_000_000):
        self.tries, self.most, open_life = 0, most, LiveSession.open

        async def opened(live):
            if self.tries < self.most:
                self.tries += 1
                raise NetworkError("no route to the exchange")
            await open_life(live)

        monkeypatch.setattr(LiveSession, "open", opened)


class ScriptedFeed:
    """A feed that shows what `say` is given, when it is given. It can be read again from any time."""

    name = "scripted"
    default_timeframe = "1m"
    pace = 0.0

    def __init__(self, symbols=(BTC,), *, is_live=False, start_ts=START):
        self.symbols = tuple(symbols)
        self.is_live = is_live
        self.start_ts = self.now = start_ts
        self.tape: list = []
        self.reads: list[int] = []
        self._news = asyncio.Event()
        self._taken = asyncio.Event()
        self._is_over = False
        self._error: Exception | None = None

    def instruments(self):
        from holdfast.exchange import known_instrument

        return [known_instrument(symbol) for symbol in self.symbols]

    def history(self, symbol, timeframe, before_ts, count):
        return []

    async def messages(self, after_ts=0):
        self.reads.append(after_ts)
        seen = 0
        while True:
            batch = [m for m in self.tape[seen:] if m.ts > after_ts]
            seen = len(self.tape)
            self._news.clear()
            if batch:
                yield batch
                continue
            self._taken.set()
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self._is_over:
                return
            await self._news.wait()

    def _wake(self):
        self._taken.clear()
        self._news.set()

    async def say(self, *messages):
        """Show messages and return when the session has taken them, and asks for more."""
        self.tape += messages
        self._wake()
        await asyncio.wait_for(self._taken.wait(), PATIENCE_S)

    async def price(self, price, symbol=BTC, seconds=1.1, qty=500.0, spread=0.1):
        """Let time pass, then show a quote around a price, and a trade at it."""
        self.now += int(seconds * NS_PER_S)
        await self.say(
            Quote(
                symbol=symbol,
                ts=self.now,
                bid=price - spread,
                bid_qty=qty,
                ask=price + spread,
                ask_qty=qty,
            ),
            Trade(symbol=symbol, ts=self.now + NS_PER_MS, price=float(price), qty=0.001),
        )

    async def prices(self, seconds=1.1):
        for symbol in self.symbols:
            await self.price(PRICES[symbol], symbol, seconds=seconds)

    def last(self):
        """Return the price of the last trade."""
        return next(m.price for m in reversed(self.tape) if isinstance(m, Trade))

    async def pass_time(self, seconds):
        """Let seconds pass, one by one, at the first symbol's last price."""
        last = self.last()
        for _ in range(int(seconds)):
            await self.price(last, self.symbols[0], seconds=1)

    def again(self):
        """Return the same market up to now, for a session that goes on elsewhere."""
        copy = ScriptedFeed(self.symbols, is_live=self.is_live, start_ts=self.start_ts)
        copy.now, copy.tape = self.now, list(self.tape)
        return copy

    def end(self, error=None):
        """End the feed, or have it fail."""
        self._error = error
        self._is_over = error is None
        self._wake()


class Wisher(Strategy):
    """Passes on what it is told to wish for, on the next trade; counts what it hears."""

    def __init__(self):
        self.wishes: list = []
        self.trades = 0
        self.fills: list = []
        self.orders: list = []

    def wish(self, *args, **kwargs):
        self.wishes.append((args, kwargs))

    def on_trade(self, trade):
        self.trades += 1
        wishes, self.wishes = self.wishes, []
        for args, kwargs in wishes:
            self.signal(*args, **kwargs)

    def on_fill(self, fill):
        self.fills.append(fill)

    def on_order(self, update):
        self.orders.append(update)


class Desk:
    """A running session, its feed, and its strategy."""

    def __init__(self, service, feed, wisher):
        self.service, self.feed, self.wisher = service, feed, wisher

    @property
    def state(self):
        return self.service.live.engine.state

    @property
    def status(self):
        return self.service.session().status

    async def wish(self, *args, **kwargs):
        """Have the strategy wish for something, and let it act on the next trade."""
        self.wisher.wish(*args, **kwargs)
        await self.feed.price(self.feed.last())

    def overfill(self, order):
        """Have the venue report more than was ordered, which no engine can explain."""
        self.service.live.shell.hear(
            ExecutionReport(
                account=MAIN,
                symbol=Symbol(order.symbol),
                cl_ord_id=order.id,
                exec_type=ExecType.TRADE,
                status=OrderStatus.FILLED,
                side=Side(order.side),
                venue_ts=self.feed.now,
                qty=order.quantity,
                cum_qty=order.quantity * 5,
                last_qty=order.quantity * 5,
                last_px=order.quantity,
                trade_id=TradeId("impossible"),
            )
        )

    def open_roles(self):
        return sorted(order.role.name for order in self.state.all_open_orders())

    async def until(self, condition):
        """Wait for the session's own tasks to make something true."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - whatever it is, no event tells of it
                await asyncio.sleep(0.005)


def config_in(folder, **settings) -> TradingConfig:
    given = {"dry_run": True, "data_dir": folder, "speed": 0.0, "log_trades": False}
    return TradingConfig(**(given | settings))


@asynccontextmanager
async def running(folder, *, feed=None, strategies=None, service=None, start=None, **settings):
    """Run a session until the block ends, on a market that has shown one price of each symbol."""
    feed = feed or ScriptedFeed()
    wisher = Wisher()
    service = service or LiveTradingService(config=config_in(folder, **settings))
    chosen = [wisher] if strategies is None else strategies
    await service.start_session(
        strategies=chosen, symbols=list(feed.symbols), feed=feed, **(start or {})
    )
    if not feed.tape:
        await feed.prices()
    else:
        await feed.say()  # what it shows already
    try:
        yield Desk(service, feed, wisher)
    finally:
        if service.is_running():
            await service.stop("the test is over")


def books_agree(service):
    """Tell whether our books and the venue's were alike to the last digit when the session ended."""
    report = service.books
    return report is not None and (report.positions_diff, report.balance_diff) == (0, 0)


def crash_image(folder: Path, target: Path) -> Path:
    """Copy a data folder as the end of its process would leave it this instant.

    The logs of both databases come first: what moves from them to the files meanwhile is there twice.
    """
    target.mkdir()
    for path in sorted(folder.iterdir(), key=lambda p: not p.name.endswith("-wal")):
        if path.is_file() and not path.name.endswith(("-shm", ".lock")):
            shutil.copy(path, target / path.name)
    return target
