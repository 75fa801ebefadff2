"""How far bars reach: average true range and the channel made of it."""

from __future__ import annotations

from .averages import EMA
from .base import Indicator, bar_refusal, checked_multiple, checked_period


class ATR(Indicator):
    """Wilder's average of true ranges: each bar's span, joined with the close before it."""

    __slots__ = ("_last", "_missing", "_sum", "period")

    def __init__(self, period: int = 14) -> None:
        super().__init__(checked_period("period", period) + 1)
        self.period = period
        self._last: float | None = None
        self._sum = 0.0
        self._missing = period

    def update(self, high: float, low: float, close: float) -> float | None:
        if not (-1e100 <= low <= high <= 1e100 and -1e100 <= close <= 1e100):
            raise bar_refusal(high, low, close)
        last = self._last
        self._last = close
        if last is None:
            return None
        top = high if high > last else last  # noqa: FURB136 - max() takes four times as long
        bottom = low if low < last else last  # noqa: FURB136
        average = self.value
        if average is not None:
            self.value = average = average + (top - bottom - average) / self.period
            return average
        self._sum += top - bottom
        self._missing -= 1
        if self._missing == 0:
            self.value = self._sum / self.period
        return self.value


class Keltner(Indicator):
    """The close's exponential average (`value`), and `width` average true ranges around it."""

    __slots__ = ("_average", "_range", "lower", "upper", "width")

    def __init__(self, period: int = 20, width: float = 2.0, atr_period: int = 10) -> None:
        self._average = EMA(period)
        self._range = ATR(checked_period("atr_period", atr_period))
        super().__init__(max(self._average.warmup, self._range.warmup))
        self.width = checked_multiple("width", width)
        self.upper: float | None = None
        self.lower: float | None = None

    def update(self, high: float, low: float, close: float) -> float | None:
        span = self._range.update(high, low, close)  # checks the whole bar
        middle = self._average.update(close)
        if span is None or middle is None:
            return None
        self.upper = middle + self.width * span
        self.lower = middle - self.width * span
        self.value = middle
        return middle
