"""Mean, spread, Sharpe and Sortino of a stream of returns, one at a time.

Markets here never close: a year has 365 days of 24 hours. The risk-free rate is zero.
"""

from __future__ import annotations

import math

import msgspec

from ..model.values import NS_PER_DAY

YEAR_NS = 365 * NS_PER_DAY
_NO_SPREAD = 1e-9
"""Below this part of the mean a deviation is rounding, not risk."""


class Moments(msgspec.Struct):
    """Running moments of returns (Welford), so that no return need be kept."""

    count: int = 0
    mean: float = 0.0
    _squares: float = 0.0
    _losses: float = 0.0

    def add(self, value: float) -> None:
        """Count one return."""
        self.count += 1
        delta = value - self.mean
        self.mean += delta / self.count
        self._squares += delta * (value - self.mean)
        self._losses += min(value, 0.0) ** 2

    def add_zeros(self, count: int) -> None:
        """Count so many returns of zero at once."""
        if count > 0:
            whole = self.count + count
            self._squares += self.mean**2 * self.count * count / whole
            self.mean *= self.count / whole
            self.count = whole

    def sharpe(self, periods_per_year: float) -> float:
        """Return mean over standard deviation, annualised; 0 where there is no deviation."""
        if self.count < 2:
            return 0.0
        deviation = math.sqrt(self._squares / (self.count - 1))
        if deviation <= _NO_SPREAD * abs(self.mean):
            return 0.0
        return self.mean / deviation * math.sqrt(periods_per_year)

    def sortino(self, periods_per_year: float) -> float:
        """Return mean over the deviation of losses, annualised.

        0 with fewer than two returns or a mean of zero; infinite where nothing was ever lost.
        """
        if self.count < 2 or self.mean == 0.0:
            return 0.0
        deviation = math.sqrt(self._losses / self.count)
        return self.mean / deviation * math.sqrt(periods_per_year) if deviation else math.inf
