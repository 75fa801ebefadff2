"""Follow momentum: the sign of the MACD histogram."""

from __future__ import annotations

from ..indicators import MACD
from ..model.market import Bar
from ..model.values import Symbol
from .base import Strategy
from .crossing import Crossing, turn
from .parameters import bars, shorter, timeframes

FADED = 4
"""After so many periods under 0.1 % of the averages' first values is left in them."""


class _Lines:
    __slots__ = ("cross", "macd")

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self.macd = MACD(fast, slow, signal)
        self.cross = Crossing()


class MacdMomentumStrategy(Strategy):
    """Long when the histogram turns positive, short (or flat) when it turns negative."""

    def __init__(
        self,
        fast: int = 12,
        slow: int = 26,
        signal: int = 9,
        timeframe: str | None = None,
        *,
        allow_short: bool = True,
    ) -> None:
        self.fast = bars("fast", fast)
        self.slow = bars("slow", slow)
        self.signal_period = bars("signal", signal)
        shorter("fast", fast, "slow", slow)
        self.allow_short = allow_short
        self.timeframes = timeframes(timeframe)
        self.warmup_bars = (1 + FADED) * (slow + signal)
        self._lines: dict[tuple[Symbol, str], _Lines] = {}

    def on_bar(self, bar: Bar) -> None:
        key = (bar.symbol, bar.timeframe)
        lines = self._lines.get(key)
        if lines is None:
            lines = self._lines[key] = _Lines(self.fast, self.slow, self.signal_period)
        lines.macd.update(bar.close)
        histogram = lines.macd.histogram
        if histogram is None:
            return
        direction = lines.cross.update(histogram, bar.close)
        if direction:
            sign = "positive" if direction > 0 else "negative"
            reason = f"MACD histogram turned {sign}: {histogram:.6g}"
            turn(self, bar.symbol, direction, allow_short=self.allow_short, reason=reason)
