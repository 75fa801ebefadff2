"""Stochastic oscillator: where the close stands between the recent low and high."""

from __future__ import annotations

from .averages import SMA
from .base import Indicator, bar_refusal, checked_period
from .extremes import Highest, Lowest


class Stochastic(Indicator):
    """Slow %K (`value`), 0 to 100, and its average %D (`d`). A window without any span is at 50."""

    __slots__ = ("_average", "_highest", "_lowest", "_smooth", "d")

    def __init__(self, period: int = 14, smooth: int = 3, d_period: int = 3) -> None:
        checked_period("smooth", smooth)
        checked_period("d_period", d_period)
        super().__init__(checked_period("period", period) + smooth + d_period - 2)
        self._highest = Highest(period)
        self._lowest = Lowest(period)
        self._smooth = SMA(smooth)
        self._average = SMA(d_period)
        self.d: float | None = None

    def update(self, high: float, low: float, close: float) -> float | None:
        if not (-1e100 <= low <= high <= 1e100 and -1e100 <= close <= 1e100):
            raise bar_refusal(high, low, close)
        top = self._highest.update(high)
        bottom = self._lowest.update(low)
        if top is None or bottom is None:
            return None
        span = top - bottom
        k = self._smooth.update(100.0 * (close - bottom) / span if span > 0.0 else 50.0)
        if k is None:
            return None
        self.d = d = self._average.update(k)
        if d is not None:
            self.value = k
        return self.value
