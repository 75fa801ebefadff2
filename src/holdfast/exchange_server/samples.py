"""What the accounts of this exchange held, looked at every five minutes, for the statistics."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..model.values import ZERO, Symbol
from .tape import CANDLES_KEPT, INTERVALS, MINUTE_NS

PERIODS: dict[str, int] = {
    period: INTERVALS[period] * MINUTE_NS
    for period in ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
}
"""The periods that statistics are asked for by, in nanoseconds; in UTC, as candles are."""

SAMPLE_NS = PERIODS["5m"]


class Sides(NamedTuple):
    """Accounts, or quantity, on either side of a symbol."""

    longs: Decimal
    shorts: Decimal

    @classmethod
    def of(cls, quantities: Iterable[Decimal]) -> Sides:
        """Add up signed quantities."""
        longs = shorts = ZERO
        for qty in quantities:
            longs, shorts = longs + max(ZERO, qty), shorts + max(ZERO, -qty)
        return cls(longs, shorts)

    @property
    def total(self) -> Decimal:
        return self.longs + self.shorts

    @property
    def open_interest(self) -> Decimal:
        """Return the contracts that are open, where these are all accounts' positions.

        To every long there is a short: what the accounts lack of either is the market's.
        """
        return max(self.longs, self.shorts)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol at the end of a period. Top traders are the fifth with the most margin balance."""

    ts: int
    next_trade_id: int  # tells a period with trades from one without
    price: Decimal
    mark: Decimal
    index: Decimal
    positions: Sides
    accounts: Sides
    top_positions: Sides
    top_accounts: Sides


class Samples:
    """Every symbol's, as many of each period as there are candles.

    A process that stood still, or was not there, over the end of a period has no sample of it.
    """

    def __init__(self, now: int) -> None:
        self._due = _next_end(now)
        self._kept: dict[tuple[Symbol, str], deque[Sample]] = {}
        self._trades_before: dict[Symbol, int] = {}

    def draw(self, now: int) -> int | None:
        """Return the end of a period that is to be sampled now, once; None: there is none."""
        if now < self._due:
            return None
        self._due = _next_end(now)
        return self._due - SAMPLE_NS

    def add(self, symbol: Symbol, sample: Sample) -> list[int]:
        """Keep a sample; returns the times of those that no period holds any more for it."""
        gone: list[int] = []
        for period, length in _lengths_of(sample.ts):
            kept = self._kept.setdefault((symbol, period), deque(maxlen=CANDLES_KEPT))
            if len(kept) == CANDLES_KEPT and _lengths_of(kept[0].ts)[-1] == (period, length):
                gone.append(kept[0].ts)
            kept.append(sample)
        return gone

    def restore(self, symbol: Symbol, sample: Sample) -> None:
        """Take back a sample of before a restart, after which the tape begins anew."""
        self.add(symbol, sample)
        self._trades_before[symbol] = sample.next_trade_id - 1

    def trades_before(self, symbol: Symbol) -> int:
        """Return how many trades the tapes of before a restart had."""
        return self._trades_before.get(symbol, 0)

    def of(self, symbol: Symbol, period: str) -> Sequence[Sample]:
        """Return the samples at the ends of one of `PERIODS`, oldest first."""
        return self._kept.get((symbol, period), ())


def _lengths_of(ts: int) -> list[tuple[str, int]]:
    """Return the periods that end at a time, and their lengths; the longest is last."""
    return [each for each in PERIODS.items() if ts % each[1] == 0]


def _next_end(now: int) -> int:
    return now - now % SAMPLE_NS + SAMPLE_NS
