"""What the public has seen of one symbol: trades, candles, marks, funding rates, the book.

Candles are kept by the minute, and for each other interval from when somebody asks for it. Those
of before the start are made of a feed's bars, which do not tell who took: half is taken to be
bought by takers.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from ..model.instrument import Instrument
from ..model.market import Bar, MarkPrice, Quote, Trade
from ..model.values import NS_PER_DAY, NS_PER_S
from .aggregates import Aggregates
from .frames import Digits

TRADES_KEPT = 10_000
MINUTES_KEPT = 14 * 1440
CANDLES_KEPT = 1500
UPDATE_STEP = 13
"""How far update ids of the book lie apart: the real ones jump too."""

MINUTE_NS = 60 * NS_PER_S
DAY_MINUTES = 1440
_MONDAY_NS = 4 * NS_PER_DAY  # 1970-01-05
_MONTH = "1M"
INTERVALS: dict[str, int] = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "8h": 480,
    "12h": 720,
    "1d": 1440,
    "3d": 4320,
    "1w": 10_080,
    _MONTH: 0,
}
"""Minutes of each interval; a month has none of its own."""


class Span(NamedTuple):
    """A candle's time; the end is exclusive."""

    start: int
    end: int


def span_of(interval: str, ts: int) -> Span:
    """Return the candle that a time falls into. Weeks begin on Mondays, all in UTC."""
    if interval == _MONTH:
        day = datetime.fromtimestamp(ts // NS_PER_S, UTC)
        first = datetime(day.year, day.month, 1, tzinfo=UTC)
        last = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
        return Span(int(first.timestamp()) * NS_PER_S, int(last.timestamp()) * NS_PER_S)
    length = INTERVALS[interval] * MINUTE_NS
    offset = _MONDAY_NS if interval == "1w" else 0
    start = ts - (ts - offset) % length
    return Span(start, start + length)


class Candle:
    """One candle, open until its end. Trade ids are 0 where they are not known."""

    __slots__ = (
        "close",
        "count",
        "end",
        "first_id",
        "high",
        "last_id",
        "low",
        "open",
        "quote_volume",
        "start",
        "taker_quote_volume",
        "taker_volume",
        "volume",
    )

    def __init__(self, span: Span, price: float) -> None:
        self.start, self.end = span
        self.open = self.high = self.low = self.close = price
        self.volume = self.quote_volume = 0.0
        self.taker_volume = self.taker_quote_volume = 0.0
        self.count = self.first_id = self.last_id = 0

    def add(self, trade: Trade) -> None:
        price, qty = trade.price, trade.qty
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += qty
        self.quote_volume += price * qty
        if not trade.is_buyer_maker:
            self.taker_volume += qty
            self.taker_quote_volume += price * qty
        self.count += 1
        self.first_id = self.first_id or trade.trade_id
        self.last_id = trade.trade_id

    def merge(self, part: Candle) -> None:
        """Take in a smaller candle that comes next."""
        self.high = max(self.high, part.high)
        self.low = min(self.low, part.low)
        self.close = part.close
        self.volume += part.volume
        self.quote_volume += part.quote_volume
        self.taker_volume += part.taker_volume
        self.taker_quote_volume += part.taker_quote_volume
        self.count += part.count
        self.first_id = self.first_id or part.first_id
        self.last_id = part.last_id or self.last_id

    @classmethod
    def of_bar(cls, bar: Bar) -> Candle:
        candle = cls(Span(bar.open_ts, bar.ts), bar.open)
        candle.high, candle.low, candle.close = bar.high, bar.low, bar.close
        mean = (bar.open + bar.high + bar.low + bar.close) / 4
        candle.volume, candle.quote_volume = bar.volume, bar.volume * mean
        candle.taker_volume, candle.taker_quote_volume = bar.volume / 2, bar.volume * mean / 2
        candle.count = bar.trade_count
        return candle


class Series:
    """The candles of one interval, oldest first.

    A period without trades has a flat one, as at Binance, from when a trade comes behind it.
    """

    def __init__(self, interval: str, kept: int, minutes: Iterable[Candle] = ()) -> None:
        self.interval = interval
        self.candles: deque[Candle] = deque(maxlen=kept)
        for minute in minutes:
            candle = self._at(minute.start, minute.open)
            if candle is not None:
                candle.merge(minute)

    def add(self, trade: Trade) -> None:
        candle = self._at(trade.ts, trade.price)
        if candle is not None:  # a trade from before the open candle comes too late
            candle.add(trade)

    def _at(self, ts: int, price: float) -> Candle | None:
        last = self.candles[-1] if self.candles else None
        if last is not None and ts < last.end:
            return last if ts >= last.start else None
        candle = Candle(span_of(self.interval, ts), price)
        self.append(candle)
        return candle

    def append(self, candle: Candle) -> None:
        """Take in the next candle, and before it one for each period that nobody traded in."""
        if self.candles:
            last = self.candles[-1]
            kept = (self.candles.maxlen or 0) * (last.end - last.start)
            ts = max(last.end, candle.start - kept)
            while ts < candle.start:
                flat = Candle(span_of(self.interval, ts), last.close)
                self.candles.append(flat)
                ts = flat.end
        self.candles.append(candle)

    def between(self, start: int, end: int) -> Iterator[Candle]:
        """Yield the candles that begin in a time, both ends included."""
        return (candle for candle in self.candles if start <= candle.start <= end)


class Day(NamedTuple):
    """The last 24 hours, to the minute."""

    first: Candle
    whole: Candle
    begin: int
    end: int


class Tape:
    """One symbol's.

    `update_id` rises with everything that may have changed the book, and with every look at it:
    the next diff then reaches over the id of a snapshot, as clients ask for.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.digits = Digits.of(instrument)
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self.aggregates = Aggregates(TRADES_KEPT)
        self.mark: MarkPrice | None = None
        self.quote: Quote | None = None
        self.update_id = UPDATE_STEP
        self.on_look: Callable[[], object] = lambda: None
        self._next_trade_id = 1
        self._minutes = Series("1m", MINUTES_KEPT)
        self._series: dict[str, Series] = {}

    def relist(self, instrument: Instrument) -> None:
        """Take other terms; what was told by a finer tick or lot can still be written."""
        finer = Digits.of(instrument)
        self.instrument = instrument
        self.digits = Digits(max(self.digits.price, finer.price), max(self.digits.qty, finer.qty))

    def touch(self) -> None:
        """Draw the next update id of the book: it may have changed."""
        self.update_id += UPDATE_STEP

    def look(self) -> int:
        """Return the update id of a snapshot that is taken right now.

        Whoever tells changes must know what the snapshot shows (`on_look`): a level that came
        and went between two diffs would stay in the client's book for good.
        """
        self.on_look()
        self.touch()
        return self.update_id

    def remember(self, bars: Iterable[Bar]) -> None:
        """Take in bars of a minute from before the start, oldest first."""
        for bar in bars:
            self._minutes.append(Candle.of_bar(bar))

    def on_trade(self, trade: Trade) -> None:
        """Take a trade in; it has been given its id."""
        self._next_trade_id = trade.trade_id + 1
        self.trades.append(trade)
        self.aggregates.add(trade)
        self._minutes.add(trade)
        for series in self._series.values():
            series.add(trade)

    def draw_trade_id(self) -> int:
        """Return an id for a trade that came without, or with an old one."""
        return self._next_trade_id

    def series(self, interval: str) -> Series:
        """Return the candles of one of `INTERVALS`; it is kept up to date from now on."""
        if interval == "1m":
            return self._minutes
        found = self._series.get(interval)
        if found is None:
            found = Series(interval, CANDLES_KEPT, self._minutes.candles)
            self._series[interval] = found
        return found

    def candle(self, interval: str) -> Candle | None:
        """Return the newest candle; its time may be over."""
        candles = self.series(interval).candles
        return candles[-1] if candles else None

    def day(self, now: int) -> Day | None:
        """Sum up the last 24 hours; None when there was no trade."""
        begin = now - DAY_MINUTES * MINUTE_NS
        newest = reversed(self._minutes.candles)
        within = itertools.takewhile(lambda candle: candle.start > begin, newest)
        minutes = [candle for candle in within if candle.volume][::-1]
        if not minutes:
            return None
        whole = Candle(Span(begin, now), minutes[0].open)
        for minute in minutes:
            whole.merge(minute)
        return Day(minutes[0], whole, begin, now)

    def last_price(self) -> float | None:
        """Return the price of the last trade, else the close of the last candle."""
        if self.trades:
            return self.trades[-1].price
        last = self.candle("1m")
        return last.close if last else None
