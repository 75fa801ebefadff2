"""The bars of one symbol and time frame on their way to the strategies: in order, without a hole.

Rule 1: what was not heard in full is a hole, from the last bar that was shown to the first that was
        heard from its beginning. Bars behind a hole wait until it is filled, or given up.
Rule 2: a hole is filled as far as it is over, with the bars that the feed's source has of it.
Rule 3: nothing waits for ever: a hole that is not filled in time is given up, and told of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..model.bars import UNKNOWN
from ..model.market import Bar, timeframe_ns
from ..model.values import NS_PER_S, Symbol

FILL_WAIT_NS = 2 * NS_PER_S
"""How long after the end of a hole its bars are asked for: the source has to have them."""

FILL_PATIENCE_NS = 20 * NS_PER_S
"""How long they are asked for before the hole is given up."""

FILL_BARS_MAX = 1500
"""How many bars of a hole are asked for: the last ones."""

HELD_MAX = 1000
"""How many bars wait behind a hole before it is given up."""


class Hole(NamedTuple):
    """Bars that were not heard in full: those from `since` to `until`, the latter exclusive.

    Behind one that `is_part` more of them are missing.
    """

    symbol: Symbol
    timeframe: str
    since: int
    until: int
    is_part: bool = False

    @property
    def bar_count(self) -> int:
        """Return how many bars there can be in it."""
        return min(FILL_BARS_MAX, -(-(self.until - self.since) // timeframe_ns(self.timeframe)))

    def over(self, now: int) -> Hole | None:
        """Return as much of it as was over at a time; None where no bar of it was."""
        if self.until <= now:
            return self
        until = now - now % timeframe_ns(self.timeframe)
        return self._replace(until=until, is_part=True) if until > self.since else None

    def pick(self, bars: Iterable[Bar]) -> list[Bar]:
        """Return those that belong into it."""
        return [bar for bar in bars if self.since <= bar.open_ts and bar.ts <= self.until]


class Series:
    """Where a series of bars stands.

    Args:
        shown_ts: up to when its bars were shown before, or there were none.
    """

    __slots__ = ("_held", "_length", "shown_ts", "symbol", "timeframe")

    def __init__(self, symbol: Symbol, timeframe: str, shown_ts: int) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.shown_ts = shown_ts
        self._length = timeframe_ns(timeframe)
        self._held: list[Bar] = []

    def take(self, bar: Bar, known_from: int) -> Sequence[Bar]:
        """Take a bar that was heard in full; return what can be shown now."""
        self._held.append(bar)
        if self.hole(known_from) is not None and len(self._held) <= HELD_MAX:
            return ()
        return self._release()

    def hole(self, known_from: int) -> Hole | None:
        """Return what is missing; None where nothing is, or its end is not known yet."""
        if known_from <= self.shown_ts:
            return None
        until = known_from + -known_from % self._length if known_from < UNKNOWN else UNKNOWN
        if self._held:
            until = min(until, self._held[0].open_ts)
        if until <= self.shown_ts:
            return None
        return Hole(self.symbol, self.timeframe, self.shown_ts, until)

    def close(self, hole: Hole, bars: Iterable[Bar] = ()) -> list[Bar]:
        """Fill a hole, or give it up; return what can be shown now."""
        if hole.since != self.shown_ts:
            return []  # it was given up meanwhile
        self.shown_ts = hole.until
        return [*hole.pick(bars), *(() if hole.is_part else self._release())]

    def _release(self) -> list[Bar]:
        released, self._held = self._held, []
        if released:
            self.shown_ts = max(self.shown_ts, released[-1].ts)
        return released
