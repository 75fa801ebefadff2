"""Commodity channel index: the typical price's distance from its mean, in mean deviations."""

from __future__ import annotations

from .averages import SMA
from .base import Indicator, bar_refusal, checked_period

ROUNDING = 1e-13
"""A mean deviation under this part of the mean is rounding: the market stood still."""


class CCI(Indicator):
    """Commodity channel index; 0 in a window that stood still.

    The deviation is measured from a mean that moves, so each update reads the whole window:
    the one indicator here whose cost grows with its period.
    """

    __slots__ = ("_at", "_mean", "_window", "period")

    def __init__(self, period: int = 20) -> None:
        super().__init__(checked_period("period", period, 2))
        self.period = period
        self._mean = SMA(period)
        self._window = [0.0] * period
        self._at = 0

    def update(self, high: float, low: float, close: float) -> float | None:
        if not (-1e100 <= low <= high <= 1e100 and -1e100 <= close <= 1e100):
            raise bar_refusal(high, low, close)
        typical = (high + low + close) / 3.0
        at = self._at
        self._window[at] = typical
        at += 1
        self._at = at if at != self.period else 0
        mean = self._mean.update(typical)
        if mean is None:
            return None
        deviation = sum([abs(value - mean) for value in self._window]) / self.period
        if deviation <= ROUNDING * abs(mean):
            self.value = index = 0.0
        else:
            self.value = index = (typical - mean) / (0.015 * deviation)
        return index
