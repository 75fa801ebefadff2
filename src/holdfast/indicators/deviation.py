"""How far values scatter: standard deviation and the bands made of it.

As in `averages`, a window is a tail of the last block and the head of this one. Both are kept as
mean and squared deviations and joined by Chan's formula: every term is positive, nothing cancels,
so a deviation of a cent at a price of 100,000 keeps its digits.
"""

from __future__ import annotations

from math import sqrt

from .base import Indicator, checked_multiple, checked_period, refusal


class StandardDeviation(Indicator):
    """Standard deviation of the last `period` values as a population; `mean` beside it."""

    __slots__ = (
        "_at",
        "_block",
        "_head_mean",
        "_head_square",
        "_tail_means",
        "_tail_squares",
        "mean",
        "period",
    )

    def __init__(self, period: int) -> None:
        super().__init__(checked_period("period", period, 2))
        self.period = period
        self.mean: float | None = None
        self._block = [0.0] * period
        self._tail_means: list[float] = []  # [k]: of the last block's values from the k-th on
        self._tail_squares = [0.0] * period
        self._head_mean = 0.0
        self._head_square = 0.0
        self._at = 0

    def update(self, value: float) -> float | None:
        if not -1e100 <= value <= 1e100:
            raise refusal("value", value)
        at = self._at
        self._block[at] = value
        self._at = at = at + 1
        off = value - self._head_mean
        self._head_mean = head_mean = self._head_mean + off / at
        self._head_square = head_square = self._head_square + off * (value - head_mean)
        if at == self.period:
            self._close_block()
            self.mean = head_mean
            self.value = sqrt(head_square / at)
        elif self._tail_means:
            tail_mean = self._tail_means[at]
            apart = head_mean - tail_mean
            share = at / self.period
            square = (
                self._tail_squares[at] + head_square + apart * apart * (self.period - at) * share
            )
            self.mean = tail_mean + apart * share
            self.value = sqrt(square / self.period)
        return self.value

    def _close_block(self) -> None:
        """Make the tails of the block that is full now; once in `period` updates."""
        if not self._tail_means:
            self._tail_means = [0.0] * self.period
        means, squares, block = self._tail_means, self._tail_squares, self._block
        mean = square = 0.0
        for at in range(self.period - 1, -1, -1):
            off = block[at] - mean
            mean += off / (self.period - at)
            square += off * (block[at] - mean)
            means[at] = mean
            squares[at] = square
        self._head_mean = self._head_square = 0.0
        self._at = 0


class BollingerBands(Indicator):
    """The mean of the last `period` values (`value`), and `width` deviations over and under it."""

    __slots__ = ("_deviation", "lower", "upper", "width")

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        self._deviation = StandardDeviation(period)
        super().__init__(self._deviation.warmup)
        self.width = checked_multiple("width", width)
        self.upper: float | None = None
        self.lower: float | None = None

    def update(self, value: float) -> float | None:
        deviation = self._deviation.update(value)
        middle = self._deviation.mean
        if deviation is None or middle is None:
            return None
        reach = self.width * deviation
        self.upper = middle + reach
        self.lower = middle - reach
        self.value = middle
        return middle
