"""A market that never was: seeded walks with gaps, shown to exchange and session alike."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from random import Random

import msgspec

from ..exchange.catalog import known_instrument
from ..model.instrument import Instrument
from ..model.market import Bar, Funding, MarketData, MarkPrice, Quote, Trade, timeframe_ns
from ..model.values import Symbol

SYMBOLS = (Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("SOLUSDT"))
OTHER_DOLLAR = "USDC"
TWO_ASSETS = (SYMBOLS[0], Symbol("ETHUSDC"), SYMBOLS[2])
"""What is traded in seeds whose contracts are settled in one dollar or the other."""

HOME = {SYMBOLS[0]: 50_000.0, SYMBOLS[1]: 3_000.0, TWO_ASSETS[1]: 3_000.0, SYMBOLS[2]: 150.0}
DIGITS = {SYMBOLS[0]: 1, SYMBOLS[1]: 2, TWO_ASSETS[1]: 2, SYMBOLS[2]: 2}
TWO_ASSETS_SHARE = 0.03
STEP_S = (0.4, 2.2)
RANGE = (0.6, 1.6)
"""How far a price strays from where it began."""

PAST_KEPT = 4_000
"""Prices of a symbol that are remembered."""

STEP_MOVE = 0.0006
THIN, DEEP = (0.02, 0.3), (5.0, 40.0)
"""What is shown at the touch, as a multiple of what 1,000 in money buys."""


def symbols_of(seed: str) -> tuple[Symbol, ...]:
    """Return what is traded in a seed."""
    has_two = Random(f"{seed}/two assets").random() < TWO_ASSETS_SHARE
    return TWO_ASSETS if has_two else SYMBOLS


def listed(symbol: Symbol) -> Instrument:
    """Return a contract: one that is known, or its like in the other dollar."""
    found = known_instrument(symbol)
    if found is None:
        alike = known_instrument(Symbol(symbol.replace(OTHER_DOLLAR, "USDT")))
        assert alike is not None, f"{symbol} is like nothing that is known"
        found = msgspec.structs.replace(
            alike, symbol=symbol, quote_asset=OTHER_DOLLAR, margin_asset=OTHER_DOLLAR
        )
    return found


class Market:
    """The prices of one run. `show` is told of every message."""

    def __init__(self, seed: str, symbols: Sequence[Symbol], now: Callable[[], int]) -> None:
        self.symbols = tuple(symbols)
        self.prices = {symbol: HOME[symbol] for symbol in symbols}
        self.is_calm = False
        self.shows: list[Callable[[MarketData], None]] = []
        self._past: dict[Symbol, deque[tuple[int, float]]] = {
            symbol: deque([(0, HOME[symbol])], PAST_KEPT) for symbol in symbols
        }
        self._seed = seed
        self._now = now
        self._lots = Random(f"{seed}/market")
        self._is_thin = self._lots.random() < 0.5
        self._trade_ids = 0

    async def run(self) -> None:
        """Move until cancelled."""
        while True:
            await asyncio.sleep(round(self._lots.uniform(*STEP_S) / len(self.symbols), 3))
            self.step(self._lots.choice(self.symbols))

    def step(self, symbol: Symbol, move: float | None = None) -> None:
        """Show one more trade, and the touch around it."""
        lots = self._lots
        drawn = lots.gauss(0.0, STEP_MOVE)
        move = (0.0 if self.is_calm else drawn) if move is None else move
        if not RANGE[0] < self.prices[symbol] * (1 + move) / HOME[symbol] < RANGE[1]:
            move = -move
        price = self.prices[symbol] = round(self.prices[symbol] * (1 + move), DIGITS[symbol])
        ts = self._now()
        self._past[symbol].append((ts, price))
        unit = 1000.0 / price
        depth = THIN if self._is_thin and not self.is_calm else DEEP
        qty, near, far = (round(unit * lots.uniform(*depth), 3) for _ in range(3))
        tick = 10.0 ** -DIGITS[symbol]
        self._trade_ids += 1
        self._show(Trade(symbol=symbol, ts=ts, price=price, qty=max(qty, 0.001)))
        self._show(
            Quote(
                symbol=symbol,
                ts=ts,
                bid=round(price - tick, DIGITS[symbol]),
                bid_qty=max(near, 0.001),
                ask=round(price + tick, DIGITS[symbol]),
                ask_qty=max(far, 0.001),
            )
        )
        self.mark(symbol, price)

    def lowest(self, symbol: Symbol, since: int) -> float:
        """Return the lowest price of late: who hears of it with a delay goes by any of them."""
        return self.range_since(symbol, since)[0]

    def range_since(self, symbol: Symbol, since: int) -> tuple[float, float]:
        """Return the lowest and the highest price of late."""
        low = high = self.prices[symbol]
        for ts, price in reversed(self._past[symbol]):
            low, high = min(low, price), max(high, price)
            if ts <= since:
                break
        return low, high

    def mark(self, symbol: Symbol, price: float) -> None:
        self._show(MarkPrice(symbol=symbol, ts=self._now(), mark_price=round(price, 2)))

    def mark_all(self) -> None:
        """Show every mark price, as the venue does each second: they prove that trades come."""
        for symbol, price in self.prices.items():
            self.mark(symbol, price)

    def fund(self, symbol: Symbol, rate: float) -> None:
        self._show(Funding(symbol=symbol, ts=self._now(), rate=rate))

    def _show(self, message: MarketData) -> None:
        for show in tuple(self.shows):
            show(message)

    def history(self, symbol: Symbol, timeframe: str, before_ts: int, count: int) -> list[Bar]:
        """Make closed bars of the time before: a function of seed and time alone."""
        length = timeframe_ns(timeframe)
        last = before_ts // length
        bars = []
        for number in range(last - count, last):
            lots = Random(f"{self._seed}/{symbol}/{timeframe}/{number}")
            o, c = (HOME[symbol] * (1 + lots.gauss(0.0, 0.001)) for _ in range(2))
            bars.append(
                Bar(
                    symbol=symbol,
                    ts=(number + 1) * length,
                    open_ts=number * length,
                    timeframe=timeframe,
                    open=o,
                    high=max(o, c),
                    low=min(o, c),
                    close=c,
                    volume=1.0,
                )
            )
        return bars


class SimFeed:
    """What one process sees of the market."""

    name = "simulated"
    default_timeframe = "5s"
    pace = 1.0
    is_live = True

    def __init__(self, market: Market, start_ts: int, symbols: Sequence[Symbol]) -> None:
        self.start_ts = start_ts
        self._symbols = frozenset(symbols)
        self._market = market
        self._news: asyncio.Queue[MarketData] = asyncio.Queue()

    def put(self, message: MarketData) -> None:
        if message.symbol in self._symbols:
            self._news.put_nowait(message)

    def instruments(self) -> Sequence[Instrument]:
        return [listed(each) for each in self._market.symbols if each in self._symbols]

    def history(self, symbol: Symbol, timeframe: str, before_ts: int, count: int) -> Sequence[Bar]:
        return self._market.history(symbol, timeframe, before_ts, count)

    async def messages(self, after_ts: int = 0) -> AsyncIterator[Sequence[MarketData]]:
        while True:
            batch = [await self._news.get()]
            while not self._news.empty():
                batch.append(self._news.get_nowait())
            yield batch
