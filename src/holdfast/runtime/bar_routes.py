"""Which bars of one symbol are made of what: of its trades, or of the bars that its feed sends.

Rule 1: every wanted time frame has one source at a time. It begins with the trades, goes over to
        the first of the feed's bars that it is a multiple of, and ends with the feed's own bars
        of that time frame: what the source made itself is better than what we make.
Rule 2: a time frame that nobody wants any more is not built.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..model.bars import Alarm, BarBuilder
from ..model.market import Bar, timeframe_ns
from ..model.values import NS_PER_S, Symbol

LIVE_GRACE_NS = NS_PER_S
"""How late a live trade may be when no later one has shown its bar to be over."""

TRADES = ""

NEVER = 1 << 63


class BarRoutes:
    """The builders of one symbol. `trades` is None where no bar is made of trades.

    Args:
        alarm: see `BarBuilder`.
    """

    __slots__ = ("_alarm", "_folds", "_grace_ns", "_sources", "symbol", "trades")

    def __init__(
        self, symbol: Symbol, timeframes: Sequence[str], alarm: Alarm, *, is_live: bool
    ) -> None:
        self.symbol = symbol
        self.trades = BarBuilder(symbol, timeframes, alarm) if timeframes else None
        self._alarm = alarm
        self._folds: dict[str, BarBuilder] = {}  # by the time frame of the bars they are fed
        self._sources = dict.fromkeys(timeframes, TRADES)
        self._grace_ns = LIVE_GRACE_NS if is_live else 0

    def on_bar(self, bar: Bar) -> Sequence[Bar]:
        """Count one of the feed's bars; return the wanted ones that are over, itself included.

        Raises:
            ValueError: its time frame is not like 5s, 1m, 4h or 1d.
        """
        fold = self._folds.get(bar.timeframe)
        if fold is None:
            fold = self._folds[bar.timeframe] = self._claim(bar.timeframe)
        return fold.on_bar(bar)

    def on_time(self, now: int) -> Sequence[Bar]:
        """Close the bars that are over, though nothing came to show it."""
        closed: list[Bar] = []
        if self.trades is not None:
            closed.extend(self.trades.on_time(now - self._grace_ns))
        for part, fold in self._folds.items():
            # The last part of a larger bar comes when it is over itself, or a little later.
            closed.extend(fold.on_time(now - timeframe_ns(part) - self._grace_ns))
        return sorted(closed, key=_end) if len(closed) > 1 else closed

    @property
    def due_ts(self) -> int:
        """Return when time alone closes a bar, at the earliest; far off where none is open."""
        due = [fold.due_ts + timeframe_ns(part) for part, fold in self._folds.items()]
        if self.trades is not None:
            due.append(self.trades.due_ts)
        return min(due, default=NEVER) + self._grace_ns

    def drop(self, timeframe: str) -> None:
        """Build a time frame no longer."""
        source = self._sources.pop(timeframe, None)
        if source is not None:
            self._release(timeframe, source)

    def _claim(self, part: str) -> BarBuilder:
        """Take over what the feed's bars of a time frame are the better source of."""
        length = timeframe_ns(part)
        claimed = [
            timeframe
            for timeframe, source in self._sources.items()
            if timeframe == part or (source == TRADES and timeframe_ns(timeframe) % length == 0)
        ]
        for timeframe in claimed:
            self._release(timeframe, self._sources[timeframe])
            self._sources[timeframe] = part
        return BarBuilder(self.symbol, claimed, self._alarm)

    def _release(self, timeframe: str, source: str) -> None:
        builder = self.trades if source == TRADES else self._folds[source]
        assert builder is not None, f"{timeframe} of {self.symbol} had no builder"
        builder.drop(timeframe)
        if TRADES not in (s for t, s in self._sources.items() if t != timeframe):
            self.trades = None


def _end(bar: Bar) -> int:
    return bar.ts
