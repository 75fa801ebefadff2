"""A desk that fills every wish at once, and notes what it heard at which bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from holdfast.model.market import Bar
from holdfast.model.order_wish import OrderWish, Wish
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import SignalType, StrategyId, Symbol
from holdfast.strategies import OrderUpdate, Strategy
from tests.indicators.series import Series

BTC = Symbol("BTCUSDT")
ETH = Symbol("ETHUSDT")
TARGETS = {SignalType.BUY: Decimal(1), SignalType.SELL: Decimal(-1), SignalType.CLOSE: Decimal(0)}


class Desk:
    """The context of one strategy. A BUY holds 1, a SELL -1, a CLOSE nothing."""

    def __init__(self, strategy: Strategy, symbols: Sequence[Symbol] = (BTC,)) -> None:
        self.strategy = strategy
        self.strategy_id = StrategyId("mine")
        self.symbols = symbols
        self.timeframes = ("1m",)
        self.is_warming_up = False
        self.held: dict[Symbol, Decimal] = {}
        self.signals: list[SignalGenerated] = []
        self.order_wishes: list[OrderWish] = []
        self.heard: list[tuple[int, str]] = []  # number of the bar, what was wished for
        self.logged: list[str] = []
        self._time = 0
        self._bars = 0
        strategy.bind(self.strategy_id, self._hear, self)

    def now(self) -> int:
        return self._time

    def position(self, symbol: Symbol) -> Decimal:
        return self.held.get(symbol, Decimal(0))

    def equity(self) -> Decimal:
        return Decimal(10_000)

    def orders(self, symbol: Symbol | None = None) -> list[OrderUpdate]:
        return []

    def parts(self, symbol: Symbol | None = None) -> list[OrderUpdate]:
        return []

    def history(self, symbol: Symbol, timeframe: str, count: int) -> list[Bar]:
        return []

    def log(self, text: str) -> None:
        self.logged.append(text)

    def run(self, bars: Iterable[Bar]) -> list[tuple[int, str]]:
        for bar in bars:
            self._time = bar.ts
            self.strategy.on_bar(bar)
            self._bars += 1
        return self.heard

    def _hear(self, wish: Wish) -> None:
        if isinstance(wish, OrderWish):
            self.order_wishes.append(wish)
            return
        self.signals.append(wish)
        self.heard.append((self._bars, wish.signal_type.value))
        self.held[wish.symbol] = TARGETS[wish.signal_type]


def bars_of(data: Series, symbol: Symbol = BTC, timeframe: str = "1m") -> list[Bar]:
    columns = (column.tolist() for column in data)
    return [
        Bar(
            symbol=symbol,
            timeframe=timeframe,
            open_ts=ms * 1_000_000,
            ts=(ms + 60_000) * 1_000_000,
            open=o,
            high=h,
            low=l,
            close=c,
            volume=v,
        )
        for ms, o, h, l, c, v in zip(*columns, strict=True)
    ]


def bars_at(closes: Iterable[float], symbol: Symbol = BTC, timeframe: str = "1m") -> list[Bar]:
    return [
        Bar(
            symbol=symbol,
            timeframe=timeframe,
            open_ts=n * 60_000_000_000,
            ts=(n + 1) * 60_000_000_000,
            open=close,
            high=close,
            low=close,
            close=close,
            volume=1.0,
        )
        for n, close in enumerate(closes)
    ]
