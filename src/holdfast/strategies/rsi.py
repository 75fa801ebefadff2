"""Trade the way back from an extreme of the relative strength index."""

from __future__ import annotations

from ..indicators import RSI
from ..model.errors import StrategyError
from ..model.market import Bar
from ..model.values import SignalType, Symbol
from .base import Strategy
from .crossing import turn
from .parameters import bars, timeframes, within

FADED = 7
"""After so many periods under 0.1 % of Wilder's first averages is left in them."""


class _Lines:
    __slots__ = ("before", "rsi")

    def __init__(self, period: int) -> None:
        self.rsi = RSI(period)
        self.before: float | None = None


class RSIStrategy(Strategy):
    """Buy when the index comes back up from `low`, sell when it comes back down from `high`.

    A position is closed once the index has reached `middle`.
    """

    def __init__(  # noqa: PLR0913 - its parameters are the strategy's
        self,
        period: int = 14,
        low: float = 30.0,
        high: float = 70.0,
        middle: float = 50.0,
        timeframe: str | None = None,
        *,
        allow_short: bool = True,
    ) -> None:
        self.period = bars("period", period, 2)
        self.low = within("low", low, 0.0, 100.0)
        self.high = within("high", high, 0.0, 100.0)
        self.middle = within("middle", middle, 0.0, 100.0)
        if not self.low < self.middle < self.high:
            raise StrategyError(
                f"low < middle < high must hold, was low={low}, middle={middle}, high={high}"
            )
        self.allow_short = allow_short
        self.timeframes = timeframes(timeframe)
        self.warmup_bars = (1 + FADED) * period
        self._lines: dict[tuple[Symbol, str], _Lines] = {}

    def on_bar(self, bar: Bar) -> None:
        key = (bar.symbol, bar.timeframe)
        lines = self._lines.get(key)
        if lines is None:
            lines = self._lines[key] = _Lines(self.period)
        index = lines.rsi.update(bar.close)
        before, lines.before = lines.before, index
        if index is None or before is None:
            return
        if before < self.low <= index:
            self._enter(bar.symbol, 1, f"RSI back from {before:.2f} to {index:.2f}")
        elif before > self.high >= index:
            self._enter(bar.symbol, -1, f"RSI back from {before:.2f} to {index:.2f}")
        else:
            self._leave(bar.symbol, index)

    def _enter(self, symbol: Symbol, direction: int, reason: str) -> None:
        turn(self, symbol, direction, allow_short=self.allow_short, reason=reason)

    def _leave(self, symbol: Symbol, index: float) -> None:
        held = self.ctx.position(symbol)
        if (held > 0 and index >= self.middle) or (held < 0 and index <= self.middle):
            reason = f"RSI {index:.2f} at the middle"
            self.signal(SignalType.CLOSE, symbol, reason=reason)
