"""Moving averages: simple, exponential, weighted.

The windowed ones cut time into blocks of one period. A window is the tail of the last block and
the head of this one: the tails' sums are made once a block, the head's sum grows. Nothing is
ever subtracted, so a million updates are as exact as the first.
"""

from __future__ import annotations

from itertools import accumulate

from .base import Indicator, checked_period, refusal


class SMA(Indicator):
    """Simple moving average: the mean of the last `period` values."""

    __slots__ = ("_at", "_block", "_head", "_tails", "period")

    def __init__(self, period: int) -> None:
        super().__init__(checked_period("period", period))
        self.period = period
        self._block = [0.0] * period
        self._tails: list[float] = []  # [k]: sum of the last block's last k + 1 values
        self._head = 0.0
        self._at = 0

    def update(self, value: float) -> float | None:
        if not -1e100 <= value <= 1e100:
            raise refusal("value", value)
        at = self._at
        self._block[at] = value
        self._head = head = self._head + value
        self._at = at = at + 1
        if at == self.period:
            self._tails = list(accumulate(reversed(self._block)))
            self._head = 0.0
            self._at = 0
            self.value = head / at
        elif self._tails:
            self.value = (self._tails[~at] + head) / self.period
        return self.value


class EMA(Indicator):
    """Exponential moving average: weight 2 / (period + 1) to the newest value.

    Starts from the simple average of the first `period` values.
    """

    __slots__ = ("_missing", "_sum", "_weight", "period")

    def __init__(self, period: int) -> None:
        super().__init__(checked_period("period", period))
        self.period = period
        self._weight = 2.0 / (period + 1)
        self._missing = period
        self._sum = 0.0

    def update(self, value: float) -> float | None:
        if not -1e100 <= value <= 1e100:
            raise refusal("value", value)
        average = self.value
        if average is not None:
            self.value = average = average + self._weight * (value - average)
            return average
        self._sum += value
        self._missing -= 1
        if self._missing == 0:
            self.value = self._sum / self.period
        return self.value


class WMA(Indicator):
    """Weighted moving average: weight `period` to the newest value, 1 to the oldest."""

    __slots__ = (
        "_at",
        "_block",
        "_head",
        "_weighted_head",
        "_weighted_tails",
        "_weights",
        "period",
    )

    def __init__(self, period: int) -> None:
        super().__init__(checked_period("period", period))
        self.period = period
        self._weights = period * (period + 1) / 2.0
        self._block = [0.0] * period
        self._weighted_tails: list[float] = []  # [k]: the last k + 1 values, weighted 1 to k + 1
        self._head = 0.0
        self._weighted_head = 0.0
        self._at = 0

    def update(self, value: float) -> float | None:
        if not -1e100 <= value <= 1e100:
            raise refusal("value", value)
        at = self._at
        self._block[at] = value
        self._at = at = at + 1
        self._head = head = self._head + value
        self._weighted_head = weighted = self._weighted_head + at * value
        if at == self.period:
            # A value's weight is the number of tails that it is in.
            self._weighted_tails = list(accumulate(accumulate(reversed(self._block))))
            self._head = self._weighted_head = 0.0
            self._at = 0
            self.value = weighted / self._weights
        elif self._weighted_tails:
            older = self.period - at  # values of the last block under all of this one's
            self.value = (self._weighted_tails[~at] + older * head + weighted) / self._weights
        return self.value
