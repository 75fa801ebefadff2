"""The equity curve: drawdown and returns, with deposits and withdrawals taken out.

Returns are time-weighted: money that came or went between two points counts as there from the
first of them, and is no profit. Drawdown is measured on the product of the returns, which is the
equity itself where no money came or went.
"""

from __future__ import annotations

from copy import copy
from decimal import Decimal
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

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


class Growth(msgspec.Struct):
    """What has become of the money that was there from the first, whatever came or went."""

    index: float = 1.0
    peak: float = 1.0
    max_drawdown: float = 0.0
    first_ts: int | None = None
    day: int = 0
    last_close: float | None = None
    returns: Moments = msgspec.field(default_factory=Moments)
    daily: Moments = msgspec.field(default_factory=Moments)

    @property
    def drawdown(self) -> float:
        """Return by which fraction it is below its highest."""
        return 1.0 - self.index / self.peak

    def after(self, ts: int, base: Decimal, total: Decimal) -> Growth:
        """Return it as it is once `base` has become `total`; the first only gives a base."""
        grown = replace(self, returns=copy(self.returns), daily=copy(self.daily))
        if grown.first_ts is None:
            grown.first_ts, grown.day = ts, ts // NS_PER_DAY
        else:
            grown.grow(ts, base, total)
        grown.max_drawdown = max(grown.max_drawdown, grown.drawdown)
        return grown

    def grow(self, ts: int, base: Decimal, total: Decimal) -> None:
        """Count the return of one instant."""
        day = ts // NS_PER_DAY
        if day != self.day:
            self._close_day()
            self.daily.add_zeros(day - self.day - 1)  # days of which no sample tells
            self.day = day
        change = float(total / base - 1) if base > ZERO else 0.0
        change = max(change, -1.0)  # what is lost past everything is a debt, no return
        self.returns.add(change)
        self.index *= 1.0 + change
        self.peak = max(self.peak, self.index)

    def _close_day(self) -> None:
        """Count a day's return from close to close; the first day only gives a close."""
        if self.last_close:
            self.daily.add(self.index / self.last_close - 1.0)
        self.last_close = self.index


class EquityCurve(msgspec.Struct):
    """Fold samples of equity into a curve, its drawdown and its returns.

    Several accounts count as one: equity is the sum of each one's latest sample, and an
    account's first sample is money that came in. What they are at one instant is one point and
    one return, which each of them that is sampled then makes anew.
    """

    points: list[Point] = []
    _equity: dict[AccountId, Decimal] = {}
    _flows: dict[AccountId, Decimal] = {}
    _last_ts: int = 0
    _sampled: list[AccountId] = []  # at the last instant
    _base: Decimal = ZERO  # what its return is reckoned from
    _new: Decimal = ZERO  # of accounts that are sampled for the first time: no return
    _total: Decimal = ZERO
    _start: Decimal = ZERO
    _before: Growth = msgspec.field(default_factory=Growth)  # that instant
    _now: Growth = msgspec.field(default_factory=Growth)

    @property
    def start(self) -> Decimal:
        """Return the sum of each account's first equity; 0 where there is none."""
        return self._start

    @property
    def end(self) -> Decimal:
        """Return the last equity; 0 where there is none."""
        return self._total

    @property
    def max_drawdown(self) -> float:
        """Return the largest fraction of a highest that was lost again."""
        return self._now.max_drawdown

    @property
    def sample_count(self) -> int:
        """Return how many instants carry a return."""
        return self._now.returns.count

    def knows(self, account: AccountId) -> bool:
        """Tell whether the account was sampled before."""
        return account in self._equity

    def flow(self, account: AccountId, amount: Decimal) -> None:
        """Note money that came or went, before the account's next sample shows it."""
        if account in self._equity:
            self._flows[account] = self._flows.get(account, ZERO) + amount

    def sample(self, account: AccountId, ts: int, equity: Decimal) -> None:
        """Take one account's equity in."""
        if ts != self._last_ts or account in self._sampled:
            self._last_ts, self._sampled = ts, []
            self._before, self._base, self._new = self._now, self._total, ZERO
        self._sampled.append(account)
        if account in self._equity:
            self._base += self._flows.pop(account, ZERO)
        else:
            self._new += equity
            self._start += equity
        self._equity[account] = equity
        self._total = sum(self._equity.values(), ZERO)
        self._now = self._before.after(ts, self._base, self._total - self._new)
        self._keep(Point(ts, self._total, self._now.drawdown))

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
        now = self._now
        if now.daily.count >= DAILY_RETURNS_MIN:
            return now.daily, 365.0
        span = self._last_ts - (now.first_ts or 0)
        return now.returns, YEAR_NS * now.returns.count / span if span > 0 else 0.0
