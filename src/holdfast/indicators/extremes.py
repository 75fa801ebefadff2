"""The highest and lowest of a window, and the channel between them.

A queue holds the values that may still become the extreme, best first. A value leaves it when a
better one comes, or with the window's end: each enters and leaves once, whatever the period.
"""

from __future__ import annotations

from collections import deque
from math import inf, nan

from .base import Indicator, bar_refusal, checked_period, refusal


class Highest(Indicator):
    """The highest of the last `period` values."""

    __slots__ = ("_at", "_best", "_missing", "_window", "period")

    def __init__(self, period: int) -> None:
        super().__init__(checked_period("period", period))
        self.period = period
        self._window = [nan] * period  # NaN equals nothing: it never leaves the queue
        self._best = deque([-inf])
        self._at = 0
        self._missing = period

    def update(self, value: float) -> float | None:
        if not -1e100 <= value <= 1e100:
            raise refusal("value", value)
        best, window, at = self._best, self._window, self._at
        if window[at] == best[0]:
            best.popleft()
        window[at] = value
        at += 1
        self._at = at if at != self.period else 0
        while best and best[-1] < value:  # equals stay: each of them leaves in its own turn
            best.pop()
        best.append(value)
        if self._missing:
            self._missing -= 1
            if self._missing:
                return None
        self.value = extreme = best[0]
        return extreme


class Lowest(Indicator):
    """The lowest of the last `period` values."""

    __slots__ = ("_at", "_best", "_missing", "_window", "period")

    def __init__(self, period: int) -> None:
        super().__init__(checked_period("period", period))
        self.period = period
        self._window = [nan] * period
        self._best = deque([inf])
        self._at = 0
        self._missing = period

    def update(self, value: float) -> float | None:
        if not -1e100 <= value <= 1e100:
            raise refusal("value", value)
        best, window, at = self._best, self._window, self._at
        if window[at] == best[0]:
            best.popleft()
        window[at] = value
        at += 1
        self._at = at if at != self.period else 0
        while best and best[-1] > value:
            best.pop()
        best.append(value)
        if self._missing:
            self._missing -= 1
            if self._missing:
                return None
        self.value = extreme = best[0]
        return extreme


class Donchian(Indicator):
    """The highest high (`upper`) and lowest low (`lower`) of `period` bars; `value` halves them."""

    __slots__ = ("_highest", "_lowest", "lower", "upper")

    def __init__(self, period: int = 20) -> None:
        super().__init__(checked_period("period", period))
        self._highest = Highest(period)
        self._lowest = Lowest(period)
        self.upper: float | None = None
        self.lower: float | None = None

    def update(self, high: float, low: float) -> float | None:
        if not -1e100 <= low <= high <= 1e100:
            raise bar_refusal(high, low, low)
        self.upper = upper = self._highest.update(high)
        self.lower = lower = self._lowest.update(low)
        if upper is None or lower is None:
            return None
        self.value = middle = (upper + lower) / 2.0
        return middle
