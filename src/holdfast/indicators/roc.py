"""Rate of change."""

from __future__ import annotations

from .base import Indicator, checked_period, refusal


class ROC(Indicator):
    """Change over `period` updates, in percent of the value before it."""

    __slots__ = ("_at", "_missing", "_window", "period")

    def __init__(self, period: int = 10) -> None:
        super().__init__(checked_period("period", period) + 1)
        self.period = period
        self._window = [0.0] * period
        self._at = 0
        self._missing = period

    def update(self, value: float) -> float | None:
        """Take a value; zero is refused, because nothing can be a percentage of it."""
        if not -1e100 <= value <= 1e100:
            raise refusal("value", value)
        if value == 0.0:
            raise ValueError("value must not be 0: a rate of change divides by it")
        at = self._at
        before = self._window[at]
        self._window[at] = value
        at += 1
        self._at = at if at != self.period else 0
        if self._missing:
            self._missing -= 1
            return None
        self.value = rate = (value / before - 1.0) * 100.0
        return rate
