"""Volume's weight: volume-weighted average price and on-balance volume.

Both add for as long as they live, so the sums carry what rounding took from them (Neumaier).
"""

from __future__ import annotations

from .base import Indicator, bar_refusal, refusal


class RunningSum:
    """A sum whose error does not grow with the number of terms."""

    __slots__ = ("_lost", "_sum")

    def __init__(self) -> None:
        self._sum = 0.0
        self._lost = 0.0

    def add(self, value: float) -> float:
        """Add a term and return the sum so far."""
        before = self._sum
        self._sum = total = before + value
        if abs(before) >= abs(value):
            self._lost += (before - total) + value
        else:
            self._lost += (value - total) + before
        return total + self._lost


class VWAP(Indicator):
    """Volume-weighted average of typical prices since the start, or since `reset`.

    None as long as no volume has been seen.
    """

    __slots__ = ("_turnover", "_volume")

    def __init__(self) -> None:
        super().__init__(1)
        self.reset()

    def reset(self) -> None:
        """Begin again: a new session, a new day."""
        self._turnover = RunningSum()
        self._volume = RunningSum()
        self.value = None

    def update(self, high: float, low: float, close: float, volume: float) -> float | None:
        if not (-1e100 <= low <= high <= 1e100 and -1e100 <= close <= 1e100):
            raise bar_refusal(high, low, close)
        if not 0.0 <= volume <= 1e100:
            raise refusal("volume (0 or more)", volume)
        turnover = self._turnover.add((high + low + close) / 3.0 * volume)
        traded = self._volume.add(volume)
        if traded > 0.0:
            self.value = turnover / traded
        return self.value


class OBV(Indicator):
    """On-balance volume: a bar's volume counts for or against, as its close rose or fell."""

    __slots__ = ("_last", "_sum")

    def __init__(self) -> None:
        super().__init__(1)
        self._last: float | None = None
        self._sum = RunningSum()

    def update(self, close: float, volume: float) -> float | None:
        if not -1e100 <= close <= 1e100:
            raise refusal("close", close)
        if not 0.0 <= volume <= 1e100:
            raise refusal("volume (0 or more)", volume)
        last = self._last
        self._last = close
        if last is None or close > last:
            self.value = self._sum.add(volume)
        elif close < last:
            self.value = self._sum.add(-volume)
        return self.value
