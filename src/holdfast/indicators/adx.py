"""Average directional index: how strongly a market trends, whichever way."""

from __future__ import annotations

from .base import STILL, Indicator, bar_refusal, checked_period


class ADX(Indicator):
    """Wilder's average directional index (`value`), `plus_di` and `minus_di`, all 0 to 100.

    A bar at which neither side has moved leaves the index as it was.
    """

    __slots__ = (
        "_bars",
        "_close",
        "_high",
        "_low",
        "_minus",
        "_plus",
        "_range",
        "_sum",
        "minus_di",
        "period",
        "plus_di",
    )

    def __init__(self, period: int = 14) -> None:
        super().__init__(2 * checked_period("period", period, 2))
        self.period = period
        self.plus_di: float | None = None
        self.minus_di: float | None = None
        self._high = self._low = self._close = 0.0
        self._plus = self._minus = self._range = 0.0
        self._sum = 0.0
        self._bars = 0

    def update(self, high: float, low: float, close: float) -> float | None:
        if not (-1e100 <= low <= high <= 1e100 and -1e100 <= close <= 1e100):
            raise bar_refusal(high, low, close)
        up, down, last = high - self._high, self._low - low, self._close
        self._high, self._low, self._close = high, low, close
        bars = self._bars
        if bars == 0:
            self._bars = 1
            return None
        # Wilder's sums fade from the period-th movement on; the ones before only add up.
        fade = 1.0 - 1.0 / self.period if bars >= self.period else 1.0
        top = high if high > last else last  # noqa: FURB136 - max() takes four times as long
        bottom = low if low < last else last  # noqa: FURB136
        self._range = self._range * fade + (top - bottom)
        self._plus = self._plus * fade + (up if up > down and up > 0.0 else 0.0)
        self._minus = self._minus * fade + (down if down > up and down > 0.0 else 0.0)
        if bars < self.period:
            self._bars = bars + 1
            return None
        return self._direct()

    def _direct(self) -> float | None:
        """Turn the sums into directional indices and their average."""
        period, span = self.period, self._range
        plus, minus = self._plus, self._minus
        moved = plus + minus
        index = 100.0 * abs(plus - minus) / moved if moved > STILL else None
        if self.value is not None:
            if index is not None:
                self.value += (index - self.value) / period
        else:
            self._bars += 1
            self._sum += index or 0.0
            if self._bars < 2 * period:
                return None
            self.value = self._sum / period
        self.plus_di = 100.0 * plus / span if span > STILL else 0.0
        self.minus_di = 100.0 * minus / span if span > STILL else 0.0
        return self.value
