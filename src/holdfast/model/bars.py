"""Build the bars of several time frames out of trades or of smaller bars.

Rule 1: bars lie on multiples of their length since 1970-01-01 UTC and end exclusively. One that
        comes whole keeps the place that it has: a venue's weeks begin on Mondays.
Rule 2: a period without trades has no bar. Exchanges list a flat one for it: of that, time alone
        counts.
Rule 3: a closed bar never changes, and bars never overlap. A trade from before a bar that was
        opened, or from before the end of one that was closed, is refused in every time frame and
        counted as late, so that the time frames stay sums of each other.
Rule 4: inside the open bars trades count in the order in which they arrive.
Rule 5: a bar is handed on only where all of it was there to be counted: one that began before
        `known_from` is left out. Where trades are numbered one by one, a missing number is a
        missing trade, and what lies before is not known any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from .market import Bar, Trade, timeframe_ns
from .values import Symbol

UNKNOWN = _NEVER = 1 << 63
"""As `known_from`: of nothing is it known yet that it comes in full."""


class Alarm:
    """A time before which no open bar of several builders ends."""

    __slots__ = ("ts",)

    def __init__(self) -> None:
        self.ts = _NEVER


class BarBuilder:
    """The open bars of one symbol. Feed it trades or bars, not both: they would count twice.

    Args:
        alarm: is set forward to the end of each bar that is opened.
        known_from: from when on everything that happened is counted; whoever feeds the builder
            may move it. Moved, it holds for the open bars too.
        is_numbered: trades are numbered one by one.
        is_joined: others may have come before the first one that is told.

    Raises:
        ValueError: a time frame is not like 5s, 1m, 4h or 1d.
    """

    __slots__ = (
        "_alarm",
        "_due_ts",
        "_floor_ts",
        "_next_id",
        "_open",
        "is_numbered",
        "known_from",
        "late_count",
        "symbol",
    )

    def __init__(  # noqa: PLR0913 - what bars depend on
        self,
        symbol: Symbol,
        timeframes: Sequence[str],
        alarm: Alarm | None = None,
        known_from: int = 0,
        *,
        is_numbered: bool = False,
        is_joined: bool = False,
    ) -> None:
        self.symbol = symbol
        self.is_numbered = is_numbered
        self.known_from = known_from
        # Of the next trade, where trades are numbered; 0 where any may be the first.
        self._next_id = -1 if is_joined else 0
        self._alarm = alarm or Alarm()
        self.late_count = 0
        frames = [_OpenBar(symbol, name) for name in dict.fromkeys(timeframes)]
        self._open = sorted(frames, key=lambda frame: frame.length)
        self._due_ts = _NEVER  # the earliest end of an open bar
        self._floor_ts = 0  # what is older is late

    def on_trade(self, trade: Trade) -> Sequence[Bar]:
        """Count a trade and return the bars that it shows to be over, the earliest end first."""
        ts = trade.ts
        assert trade.symbol == self.symbol, f"a trade of {trade.symbol} in bars of {self.symbol}"
        if self.is_numbered:
            self._count_off(trade.trade_id, trade.trade_id, 1, ts)
        closed = self.on_time(ts) if ts >= self._due_ts else ()
        if ts < self._floor_ts:
            self.late_count += 1
            return closed
        price, qty = trade.price, trade.qty
        for frame in self._open:
            if not frame.end:
                self._start(frame, _start_of(ts, frame))
                frame.open = frame.high = frame.low = price
            elif price > frame.high:
                frame.high = price
            elif price < frame.low:
                frame.low = price
            frame.close = price
            frame.volume += qty
            frame.count += 1
        return closed

    @property
    def due_ts(self) -> int:
        """Return the earliest end of an open bar, far off where none is open."""
        return self._due_ts

    @property
    def is_open(self) -> bool:
        """Tell whether every time frame has a bar in the making."""
        return all(frame.end for frame in self._open)

    def on_trades(
        self, prices: Sequence[float], qtys: Sequence[float], first: Trade, last: Trade
    ) -> None:
        """Count trades of which none is late, starts a bar, or shows one to be over."""
        if self.is_numbered:
            self._count_off(first.trade_id, last.trade_id, len(prices), last.ts)
        high, low = max(prices), min(prices)
        for frame in self._open:
            frame.high, frame.low = max(frame.high, high), min(frame.low, low)
            frame.close = prices[-1]
            # One by one, as `on_trade` adds them: `sum` is more exact in later Pythons.
            *_, frame.volume = accumulate(qtys, initial=frame.volume)
            frame.count += len(qtys)

    def on_bar(self, bar: Bar) -> Sequence[Bar]:
        """Count a closed bar and return the bars that are over with it.

        A bar of a wanted time frame comes back as it is; larger ones close as soon as their
        last part is there.

        Raises:
            ValueError: a wanted time frame is no multiple of the bar's.
        """
        assert bar.symbol == self.symbol, f"a bar of {bar.symbol} in bars of {self.symbol}"
        part = timeframe_ns(bar.timeframe)
        for frame in self._open:
            if frame.length % part:
                raise ValueError(f"bars of {frame.timeframe} can't be built of {bar.timeframe}")
        closed = list(self.on_time(bar.open_ts))
        if bar.open_ts < self._floor_ts:
            self.late_count += 1
            return closed
        if _has_trades(bar):
            self._add(bar, part)
        end = bar.open_ts + part  # its own time may be later: that at which it was told of
        self._floor_ts = end
        closed.extend(self.on_time(end))
        return closed

    def _add(self, bar: Bar, part: int) -> None:
        for frame in self._open:
            if not frame.end:
                is_whole = frame.length == part
                self._start(frame, bar.open_ts if is_whole else _start_of(bar.open_ts, frame))
                frame.open, frame.high, frame.low = bar.open, bar.high, bar.low
            frame.add(bar)

    def on_time(self, now: int) -> Sequence[Bar]:
        """Close the bars whose end has passed; none may come for a trade to do it."""
        if now < self._due_ts:
            return ()
        closed = [frame.take() for frame in self._open if 0 < frame.end <= now]
        closed.sort(key=_end)  # stable: of one end, the shorter first
        self._floor_ts = max(self._floor_ts, closed[-1].ts)
        self._due_ts = min((frame.end for frame in self._open if frame.end), default=_NEVER)
        return [bar for bar in closed if bar.open_ts >= self.known_from]

    def drop(self, timeframe: str) -> None:
        """Build a time frame no longer; its open bar is lost."""
        self._open = [frame for frame in self._open if frame.timeframe != timeframe]
        self._due_ts = min((frame.end for frame in self._open if frame.end), default=_NEVER)

    def _count_off(self, first: int, last: int, count: int, ts: int) -> None:
        """See whether so many trades up to a time are all that there were since the last ones."""
        is_gap = first > self._next_id != 0 or last - first >= count
        self._next_id = last + 1
        if is_gap:  # some of that very time may be missing too
            self.known_from = max(self.known_from, ts + 1)

    def _start(self, frame: _OpenBar, start: int) -> None:
        frame.end = start + frame.length
        self._due_ts = min(self._due_ts, frame.end)
        self._alarm.ts = min(self._alarm.ts, frame.end)
        self._floor_ts = max(self._floor_ts, start)


class _OpenBar:
    """One time frame's bar in the making; `end` is zero between two bars."""

    __slots__ = (
        "close",
        "count",
        "end",
        "high",
        "length",
        "low",
        "open",
        "symbol",
        "timeframe",
        "volume",
    )

    def __init__(self, symbol: Symbol, timeframe: str) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.length = timeframe_ns(timeframe)
        self.end = 0
        self.open = self.high = self.low = self.close = self.volume = 0.0
        self.count = 0

    def add(self, part: Bar) -> None:
        self.high = max(self.high, part.high)
        self.low = min(self.low, part.low)
        self.close = part.close
        self.volume += part.volume
        self.count += part.trade_count

    def take(self) -> Bar:
        """Return the bar as closed and make room for the next."""
        bar = Bar(
            symbol=self.symbol,
            timeframe=self.timeframe,
            open_ts=self.end - self.length,
            ts=self.end,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume,
            trade_count=self.count,
        )
        self.volume = 0.0
        self.end = self.count = 0
        return bar


def _has_trades(bar: Bar) -> bool:
    """Tell whether anybody traded; sources that count none have a price that moved, or a volume."""
    return bool(bar.trade_count or bar.volume or bar.high != bar.low)


def _start_of(ts: int, frame: _OpenBar) -> int:
    return ts - ts % frame.length


def _end(bar: Bar) -> int:
    return bar.ts
