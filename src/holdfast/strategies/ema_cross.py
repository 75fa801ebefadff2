"""Follow the crossings of two exponential moving averages."""

from __future__ import annotations

from ..indicators import EMA
from ..model.market import Bar
from ..model.values import Symbol
from .base import Strategy
from .crossing import Crossing, turn
from .parameters import bars, shorter, timeframes

FADED = 4
"""After so many periods under 0.1 % of the average's first value is left in it."""


class _Lines:
    __slots__ = ("cross", "fast", "slow")

    def __init__(self, fast: int, slow: int) -> None:
        self.fast = EMA(fast)
        self.slow = EMA(slow)
        self.cross = Crossing()


class EmaCrossStrategy(Strategy):
    """Long when the fast average rises over the slow one, short (or flat) when it falls under."""

    def __init__(
        self,
        fast: int = 12,
        slow: int = 26,
        timeframe: str | None = None,
        *,
        allow_short: bool = True,
    ) -> None:
        self.fast = bars("fast", fast)
        self.slow = bars("slow", slow)
        shorter("fast", fast, "slow", slow)
        self.allow_short = allow_short
        self.timeframes = timeframes(timeframe)
        self.warmup_bars = (1 + FADED) * slow
        self._lines: dict[tuple[Symbol, str], _Lines] = {}

    def on_bar(self, bar: Bar) -> None:
        key = (bar.symbol, bar.timeframe)
        lines = self._lines.get(key)
        if lines is None:
            lines = self._lines[key] = _Lines(self.fast, self.slow)
        fast, slow = lines.fast.update(bar.close), lines.slow.update(bar.close)
        if fast is None or slow is None:
            return
        direction = lines.cross.update(fast - slow, slow)
        if direction:
            name = "golden cross" if direction > 0 else "death cross"
            reason = f"{name}: EMA({self.fast}) {fast:.8g}, EMA({self.slow}) {slow:.8g}"
            turn(self, bar.symbol, direction, allow_short=self.allow_short, reason=reason)
