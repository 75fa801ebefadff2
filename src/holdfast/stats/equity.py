"""The equity curve: drawdown and returns, with deposits and withdrawals taken out.

Returns are time-weighted: money that came or went between two points counts as there from the
first of them, and is no profit. Drawdown is measured on the product of the returns, which is the
equity itself where no money came or went.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..model.values import NS_PER_DAY, ZERO, AccountId
from .ratios import YEAR_NS, Moments

POINTS_MAX = 20_000
"""Points kept for drawing; past it every other one is dropped. Figures count all of them."""

DAILY_RETURNS_MIN = 30
"""With so many whole days behind us ratios go by days, before that by samples."""


class Point(NamedTuple):
    """One point of the curve. `drawdown` is a fraction of the highest so far, 0 or above."""

    ts: int
    equity: Decimal
    drawdown: float


class EquityCurve(msgspec.Struct):
    """Fold samples of equity into a curve, its drawdown and its returns.

    Several accounts count as one: equity is the sum of each one's latest sample, and an
    account's first sample is money that came in.
    """

    points: list[Point] = []
    max_drawdown: float = 0.0
    _equity: dict[AccountId, Decimal] = {}
    _flows: dict[AccountId, Decimal] = {}
    _index: float = 1.0
    _peak: float = 1.0
    _first_ts: int = 0
    _last_ts: int = 0
    _total: Decimal = ZERO
    _start: Decimal = ZERO
    _returns: Moments = msgspec.field(default_factory=Moments)
    _daily: Moments = msgspec.field(default_factory=Moments)
    _day: int = 0
    _last_close: float | None = None

    @property
    def start(self) -> Decimal:
        """Return the sum of each account's first equity; 0 where there is none."""
        return self._start

    @property
    def end(self) -> Decimal:
        """Return the last equity; 0 where there is none."""
        return self._total

    @property
    def sample_count(self) -> int:
        """Return how many samples carry a return."""
        return self._returns.count

    def knows(self, account: AccountId) -> bool:
        """Tell whether the account was sampled before."""
        return account in self._equity

    def flow(self, account: AccountId, amount: Decimal) -> None:
        """Note money that came or went, before the account's next sample shows it."""
        if account in self._equity:
            self._flows[account] = self._flows.get(account, ZERO) + amount

    def sample(self, account: AccountId, ts: int, equity: Decimal) -> None:
        """Take one account's equity in."""
        is_first = not self._equity
        flow = self._flows.pop(account, ZERO) if account in self._equity else equity
        if account not in self._equity and not is_first:
            self._start += equity
        self._equity[account] = equity
        before, self._total = self._total, sum(self._equity.values(), ZERO)
        if is_first:
            self._first_ts, self._start, self._day = ts, self._total, ts // NS_PER_DAY
        else:
            self._grow(ts, before + flow)
        self._last_ts = ts
        drawdown = 1.0 - self._index / self._peak
        self.max_drawdown = max(self.max_drawdown, drawdown)
        self._keep(Point(ts, self._total, drawdown))

    def _grow(self, ts: int, base: Decimal) -> None:
        day = ts // NS_PER_DAY
        if day != self._day:
            self._close_day()
            self._daily.add_zeros(day - self._day - 1)  # days of which no sample tells
            self._day = day
        change = float(self._total / base - 1) if base > ZERO else 0.0
        change = max(change, -1.0)  # what is lost past everything is a debt, no return
        self._returns.add(change)
        self._index *= 1.0 + change
        self._peak = max(self._peak, self._index)

    def _close_day(self) -> None:
        """Count a day's return from close to close; the first day only gives a close."""
        if self._last_close:
            self._daily.add(self._index / self._last_close - 1.0)
        self._last_close = self._index

    def _keep(self, point: Point) -> None:
        if self.points and self.points[-1].ts == point.ts:
            self.points[-1] = point
            return
        if len(self.points) >= POINTS_MAX:
            del self.points[1::2]
        self.points.append(point)

    def sharpe(self) -> float:
        """Return the annualised Sharpe ratio; 0 where there is too little to tell."""
        returns, periods = self._basis()
        return returns.sharpe(periods)

    def sortino(self) -> float:
        """Return the annualised Sortino ratio; see `Moments.sortino`."""
        returns, periods = self._basis()
        return returns.sortino(periods)

    def _basis(self) -> tuple[Moments, float]:
        """Return daily returns where there are enough, else those of the samples."""
        if self._daily.count >= DAILY_RETURNS_MIN:
            return self._daily, 365.0
        span = self._last_ts - self._first_ts
        return self._returns, YEAR_NS * self._returns.count / span if span > 0 else 0.0
