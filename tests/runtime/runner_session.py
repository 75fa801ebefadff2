"""A session that drives a runner as the trading service does, and strategies that take notes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

from holdfast.engine.order import Order
from holdfast.feeds import FeedSettings, SyntheticFeed
from holdfast.model import events as ev
from holdfast.model.ids import Owner, make_cl_ord_id
from holdfast.model.market import Bar, MarketData, Quote, Trade
from holdfast.model.order_wish import Wish
from holdfast.model.values import (
    NS_PER_S,
    ClOrdId,
    NewOrder,
    OrderRole,
    OrderStatus,
    Side,
    StrategyId,
    Symbol,
    TradeId,
)
from holdfast.runtime.runner import LiveStrategyRunner
from holdfast.strategies import Strategy
from holdfast.strategies.context import OrderUpdate

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
START = 1_723_075_200 * NS_PER_S  # a whole hour
MINUTE = 60 * NS_PER_S
BUDGET_MS = 300
"""For those that hang; long enough for the others on a machine that is busy with other things."""


class Books:
    """The view of a desk with the orders that it is given."""

    def __init__(self) -> None:
        self.known: dict[ClOrdId, Order] = {}
        self.held: dict[tuple[StrategyId, Symbol], Decimal] = {}

    def position(self, strategy_id: StrategyId, symbol: Symbol) -> Decimal:
        return self.held.get((strategy_id, symbol), Decimal(0))

    def equity(self) -> Decimal:
        return Decimal(10_000)

    def orders(self, strategy_id: StrategyId, symbol: Symbol | None) -> list[Order]:
        own = [o for o in self.known.values() if o.request.strategy_id == strategy_id]
        return [o for o in own if symbol in (None, o.request.symbol)]

    def parts(self, strategy_id: StrategyId, symbol: Symbol | None) -> list[OrderUpdate]:
        return []

    def order(self, cl_ord_id: ClOrdId) -> Order | None:
        return self.known.get(cl_ord_id)


class Session:
    """What the trading service does with a runner, and what it is told."""

    all: ClassVar[list[Session]] = []

    def __init__(self, feed, strategies: dict[str, Strategy], symbols=(BTC,), budget_ms=5000):
        self.all.append(self)
        self.feed = feed
        self.symbols = symbols
        self.books = Books()
        self.wishes: list[Wish] = []
        self.failed: dict[str, str] = {}
        self.react: Callable[[Wish], None] = lambda wish: None
        self.runner = LiveStrategyRunner(hook_budget_ms=budget_ms)
        for name, strategy in strategies.items():
            self.runner.add_strategy(name, strategy)

    def begin(self) -> Session:
        self.runner.begin(
            self.symbols, self.feed, self.feed.start_ts, self._emit, self.books, self._fail
        )
        return self

    def show(self, messages: Iterable[MarketData]) -> Session:
        for message in messages:
            self.runner.on_market(message)
        return self

    def run(self) -> Session:
        self.begin().show(everything(self.feed))
        self.runner.end("the feed has ended")
        return self

    def _emit(self, wish: Wish) -> None:
        self.wishes.append(wish)
        self.react(wish)

    def _fail(self, strategy_id: StrategyId, reason: str) -> None:
        assert strategy_id not in self.failed
        self.failed[strategy_id] = reason


class Recorder(Strategy):
    """Notes all that it hears."""

    def __init__(self, *timeframes: str, warmup: int = 0) -> None:
        self.timeframes = timeframes
        self.warmup_bars = warmup
        self.heard: list[tuple[str, object]] = []
        self.history: list[Bar] = []
        self.live: list[Bar] = []

    def on_start(self, ctx) -> None:
        self.heard.append(("start", ctx))

    def on_bar(self, bar: Bar) -> None:
        self.heard.append(("bar", bar))
        (self.history if self.ctx.is_warming_up else self.live).append(bar)
        assert self.ctx.now() >= bar.ts
        assert self.ctx.history(bar.symbol, bar.timeframe, 1) == [bar]

    def on_stop(self) -> None:
        self.heard.append(("stop", None))


class Tape(Recorder):
    """Notes trades and quotes too."""

    def on_trade(self, trade: Trade) -> None:
        self.heard.append(("trade", trade))
        assert self.ctx.now() == trade.ts

    def on_quote(self, quote: Quote) -> None:
        self.heard.append(("quote", quote))


class Misbehaving(Strategy):
    """Does something in one of its hooks."""

    warmup_bars = 2

    def __init__(self, hook: str, act: Callable[[], object]) -> None:
        self.calls: list[str] = []
        self._hook, self._act = hook, act

    def _called(self, hook: str) -> None:
        self.calls.append(hook)
        if hook == self._hook:
            self._act()

    def on_start(self, ctx) -> None:
        self._called("on_start")

    def on_bar(self, bar: Bar) -> None:
        self._called("warm-up" if self.ctx.is_warming_up else "on_bar")

    def on_trade(self, trade: Trade) -> None:
        self._called("on_trade")

    def on_quote(self, quote: Quote) -> None:
        self._called("on_quote")

    def on_fill(self, fill: ev.OrderFilled) -> None:
        self._called("on_fill")

    def on_order(self, update: OrderUpdate) -> None:
        self._called("on_order")

    def on_stop(self) -> None:
        self._called("on_stop")


def everything(feed) -> Iterator[MarketData]:
    async def read() -> list[MarketData]:
        return [message async for batch in feed.messages() for message in batch]

    return iter(asyncio.run(read()))


def synthetic(
    *symbols: Symbol,
    duration_s: float = 600.0,
    rate: float = 4.0,
    start_ts: int = START + 20 * MINUTE,
) -> SyntheticFeed:
    return SyntheticFeed(
        FeedSettings(
            symbols=symbols or (BTC,),
            seed=7,
            speed=0,
            start_ts=start_ts,
            duration_s=duration_s,
            rate=rate,
        )
    )


def klines(path: Path, count: int, start: int = START, symbol: Symbol = BTC) -> Path:
    """Write one-minute bars, from `start` on."""
    rows = [
        f"{(start + n * MINUTE) // 10**6},{100 + n},{102 + n},{99 + n},{101 + n},5,"
        f"{(start + (n + 1) * MINUTE) // 10**6 - 1},500,3,2,200,0\n"
        for n in range(count)
    ]
    file = path / f"{symbol}-1m.csv"
    file.write_text("".join(rows))
    return file


def order_of(strategy_id: str, qty: str = "2") -> Order:
    cl_ord_id = make_cl_ord_id(Owner("hf", 1, 1, 1, OrderRole.ENTRY, StrategyId(strategy_id)))
    request = NewOrder(
        cl_ord_id=cl_ord_id,
        symbol=BTC,
        side=Side.BUY,
        qty=Decimal(qty),
        strategy_id=StrategyId(strategy_id),
    )
    return Order(
        request=request, status=OrderStatus.PENDING_NEW, created_ts=1, qty=request.qty, price=None
    )


def fill_of(order: Order, qty: str = "1", trade_id: str = "t1") -> ev.OrderFilled:
    return ev.OrderFilled(
        ts=START,
        symbol=BTC,
        side=order.side,
        cl_ord_id=order.cl_ord_id,
        trade_id=TradeId(trade_id),
        qty=Decimal(qty),
        price=Decimal(100),
        fee=Decimal(0),
        realized_pnl=Decimal(0),
        venue_ts=START,
    )


def bar_at(n: int, timeframe: str = "1m", minutes: int = 1) -> Bar:
    open_ts = START + n * minutes * MINUTE
    return Bar(
        symbol=BTC,
        timeframe=timeframe,
        open_ts=open_ts,
        ts=open_ts + minutes * MINUTE,
        open=1.0,
        high=2.0,
        low=0.5,
        close=1.5,
        volume=1.0,
        trade_count=1,
    )


def boom() -> None:
    secret = "hunter2"
    raise ZeroDivisionError("a count of\nnothing", len(secret))


def hang() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(60)


def leave() -> None:
    raise SystemExit(3)
