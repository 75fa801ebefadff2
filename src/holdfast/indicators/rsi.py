"""Relative strength index: which part of the recent movement was upward."""

from __future__ import annotations

from .base import STILL, Indicator, checked_period, refusal


class RSI(Indicator):
    """Wilder's relative strength index, 0 to 100; 50 in a market that never moved."""

    __slots__ = ("_gain", "_last", "_loss", "_missing", "period")

    def __init__(self, period: int = 14) -> None:
        super().__init__(checked_period("period", period) + 1)
        self.period = period
        self._last: float | None = None
        self._gain = 0.0
        self._loss = 0.0
        self._missing = period

    def update(self, value: float) -> float | None:
        if not -1e100 <= value <= 1e100:
            raise refusal("value", value)
        last = self._last
        self._last = value
        if last is None:
            return None
        change = value - last
        gain, loss = (change, 0.0) if change > 0.0 else (0.0, -change)
        if self._missing:
            return self._start(gain, loss)
        period = self.period
        self._gain = up = self._gain + (gain - self._gain) / period
        self._loss = down = self._loss + (loss - self._loss) / period
        moved = up + down
        self.value = index = 100.0 * up / moved if moved > STILL else 50.0
        return index

    def _start(self, gain: float, loss: float) -> float | None:
        """Average the first `period` changes evenly."""
        self._gain += gain / self.period
        self._loss += loss / self.period
        self._missing -= 1
        if self._missing == 0:
            moved = self._gain + self._loss
            self.value = 100.0 * self._gain / moved if moved > STILL else 50.0
        return self.value
