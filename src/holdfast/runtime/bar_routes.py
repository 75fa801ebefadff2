"""Which bars of one symbol are made of what: of its trades, or of the bars that its feed sends.

Rule 1: every wanted time frame has one source at a time. It begins with the trades, goes over to
        the first of the feed's bars that it is a multiple of, and ends with the feed's own bars
        of that time frame: what the source made itself is better than what we make.
Rule 2: a time frame that nobody wants any more is not built.
Rule 3: a source is deaf until something of it is heard, and again from the loss of its connection
        until it is back; what it made of that time is left out. Where a live feed sends mark
        prices, they are the proof that trades are heard: they come on the trades' connection.
        Time closes a bar only once that proof is later than its end.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..model.bars import UNKNOWN, Alarm, BarBuilder
from ..model.market import Bar, timeframe_ns
from ..model.values import NS_PER_S, Symbol

LIVE_GRACE_NS = NS_PER_S
"""How late a live trade may be when no later one has shown its bar to be over."""

MARKS_APART_NS_MAX = 3 * NS_PER_S
"""How far apart mark prices may be, which come every second, before trades may be missing too."""

TRADES = ""

NEVER = 1 << 63


class BarRoutes:
    """The builders of one symbol. `trades` is None where no bar is made of trades.

    `is_deaf` asks for `hear` with the next trade or mark price.

    Args:
        alarm: see `BarBuilder`.
        known_from: since when all of the symbol's trades come, `UNKNOWN` until they are heard.
        is_numbered: see `BarBuilder`.
    """

    __slots__ = (
        "_alarm",
        "_folds",
        "_grace_ns",
        "_is_lost",
        "_marked_ts",
        "_sources",
        "_up_ts",
        "is_deaf",
        "symbol",
        "trades",
    )

    def __init__(  # noqa: PLR0913 - what a symbol's bars depend on
        self,
        symbol: Symbol,
        timeframes: Sequence[str],
        alarm: Alarm,
        known_from: int,
        *,
        is_numbered: bool,
        is_live: bool,
    ) -> None:
        self.symbol = symbol
        self.trades = None
        if timeframes:
            self.trades = BarBuilder(
                symbol,
                timeframes,
                alarm,
                known_from,
                is_numbered=is_numbered,
                is_joined=is_live and known_from == UNKNOWN,
            )
        self.is_deaf = bool(timeframes) and known_from == UNKNOWN
        self._alarm = alarm
        self._folds: dict[str, BarBuilder] = {}  # by the time frame of the bars they are fed
        self._sources = dict.fromkeys(timeframes, TRADES)
        self._grace_ns = LIVE_GRACE_NS if is_live else 0
        self._is_lost = False
        self._up_ts = 0  # when the feed's connection was back
        self._marked_ts = 0  # of the last mark price, where a live feed sends them

    # What is heard at all

    def lose(self) -> None:
        """Hear that what the feed tells of the symbol does not come any more."""
        self._is_lost = True
        self._forget()

    def come_back(self, now: int) -> None:
        """Hear that it comes again."""
        self._is_lost = False
        self._up_ts = now

    def hear(self, ts: int) -> None:
        """Hear that there is a trade or a mark price of a time: from now on all is heard.

        What waited since before the connection was lost may still come first.
        """
        if not self._is_lost:
            self.is_deaf = False
            if self.trades is not None:
                known_from = max(ts, self._up_ts) + self._grace_ns
                self.trades.known_from = known_from
                self._alarm.ts = min(self._alarm.ts, known_from)  # what is missing has an end

    def on_mark(self, ts: int) -> None:
        """Hear of a mark price."""
        if not self._grace_ns:
            return
        if self._marked_ts and ts > self._marked_ts + MARKS_APART_NS_MAX:
            self._forget()
        if self.is_deaf:
            self.hear(ts)
        self._marked_ts = max(self._marked_ts, ts)

    def _forget(self) -> None:
        self.is_deaf = bool(self._sources)
        for builder in (self.trades, *self._folds.values()):
            if builder is not None:
                builder.known_from = UNKNOWN

    def known_from(self, timeframe: str) -> int:
        """Return from when on all of a time frame's source was heard; far off while it is deaf."""
        builder = self._builder(self._sources[timeframe])
        return builder.known_from

    def clock(self, now: int) -> int:
        """Return the time as the venue's messages tell it, ours where they do not."""
        return self._marked_ts or now

    def _heard_until(self, now: int) -> int:
        """Return up to when all is heard that there is to hear.

        Of a live market whose trades are numbered that is not known before a mark price comes: the
        next trade's number tells whether one is missing, and time would be faster.
        """
        is_numbered = self.trades is not None and self.trades.is_numbered
        return self._marked_ts or (0 if self._grace_ns and is_numbered else now)

    # Bars

    def on_bar(self, bar: Bar) -> Sequence[Bar]:
        """Count one of the feed's bars; return the wanted ones that are over, itself included.

        Raises:
            ValueError: its time frame is not like 5s, 1m, 4h or 1d.
        """
        fold = self._folds.get(bar.timeframe)
        if fold is None:
            fold = self._folds[bar.timeframe] = self._claim(bar.timeframe)
        if fold.known_from == UNKNOWN:
            fold.known_from = bar.open_ts
        return fold.on_bar(bar)

    def on_time(self, now: int) -> Sequence[Bar]:
        """Close the bars that are over, though nothing came to show it."""
        closed: list[Bar] = []
        if self.trades is not None and not (self._is_lost or self.is_deaf):
            closed.extend(self.trades.on_time(self._heard_until(now) - self._grace_ns))
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
        return BarBuilder(self.symbol, claimed, self._alarm, UNKNOWN)

    def _release(self, timeframe: str, source: str) -> None:
        self._builder(source).drop(timeframe)
        if TRADES not in (s for t, s in self._sources.items() if t != timeframe):
            self.trades = None

    def _builder(self, source: str) -> BarBuilder:
        builder = self.trades if source == TRADES else self._folds[source]
        assert builder is not None, f"bars of {self.symbol} had no builder"
        return builder


def _end(bar: Bar) -> int:
    return bar.ts
