"""What the crossing strategies share: two averages of one kind, and what a crossing means."""

from __future__ import annotations

from ..indicators import EMA, SMA
from ..model.market import Bar
from ..model.values import Symbol
from .base import Strategy
from .crossing import Crossing, turn
from .parameters import bars, shorter, timeframes


class _Lines:
    __slots__ = ("cross", "fast", "slow")

    def __init__(self, average: type[EMA | SMA], fast: int, slow: int) -> None:
        self.fast = average(fast)
        self.slow = average(slow)
        self.cross = Crossing()


class AverageCrossStrategy(Strategy):
    """Long when the fast average rises over the slow one, short (or flat) when it falls under."""

    average: type[EMA | SMA]

    def __init__(
        self, fast: int, slow: int, timeframe: str | None = None, *, allow_short: bool = True
    ) -> None:
        self.fast = bars("fast", fast)
        self.slow = bars("slow", slow)
        shorter("fast", fast, "slow", slow)
        self.allow_short = allow_short
        self.timeframes = timeframes(timeframe)
        self.warmup_bars = slow
        self._lines: dict[tuple[Symbol, str], _Lines] = {}

    def on_bar(self, bar: Bar) -> None:
        key = (bar.symbol, bar.timeframe)
        lines = self._lines.get(key)
        if lines is None:
            lines = self._lines[key] = _Lines(self.average, self.fast, self.slow)
        fast, slow = lines.fast.update(bar.close), lines.slow.update(bar.close)
        if fast is None or slow is None:
            return
        direction = lines.cross.update(fast - slow, slow)
        if direction:
            name = "golden cross" if direction > 0 else "death cross"
            kind = self.average.__name__
            reason = f"{name}: {kind}({self.fast}) {fast:.8g}, {kind}({self.slow}) {slow:.8g}"
            turn(self, bar.symbol, direction, allow_short=self.allow_short, reason=reason)
