"""Turn rows of numbers into market data, and refuse what no market can have shown.

A row is a tuple in the order of its layout's fields; its time is a whole number in the file's
unit. Each reader remembers the last time, so that order is checked from block to block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from ..model.market import Bar, Funding, MarketData, MarkPrice, Quote, Trade, timeframe_ns
from ..model.values import LARGEST_AMOUNT, Symbol

Row = tuple[Any, ...]
LIMIT = float(LARGEST_AMOUNT)
"""No price or quantity from here on is believed."""

TIME_LIMIT_NS = 1 << 63
"""No time from here on, in the year 2262, is believed: it is in another unit than the first."""

_UNIT_NAMES = {1_000_000: "milliseconds", 1_000: "microseconds", 1: "nanoseconds"}


class BadRow(Exception):
    """Row `index` of those given is impossible; the text says why."""

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(problem)
        self.index = index


class Subject(NamedTuple):
    """What the rows of a file do not say themselves, and where is counted what is left out.

    `timeframe` is "" but for bars.
    """

    symbol: Symbol
    unit_ns: int
    timeframe: str = ""
    skips: Counter[str] | None = None

    @property
    def end(self) -> int:
        """Return the time, in the file's unit, from which on none is believed."""
        return TIME_LIMIT_NS // self.unit_ns

    def check(
        self,
        index: int,
        time: int,
        last: int,
        prices: dict[str, float],
        qtys: tuple[float, ...] = (),
    ) -> None:
        """Hold that a row can be.

        Raises:
            BadRow: it can't; the text says why.
        """
        if time < last:
            raise BadRow(
                index,
                f"time {time} is before {last}, the earliest that can follow the row above; "
                "sort the file by time and drop what is doubled",
            )
        if time >= self.end:
            raise BadRow(
                index,
                f"time {time} is past the year 2262 in {_UNIT_NAMES[self.unit_ns]}, the unit of "
                "the file's first time; part a file that changes its unit",
            )
        for name, price in prices.items():
            if not 0.0 < price < LIMIT:
                raise BadRow(index, f"{name} must be above 0 and below {LIMIT:.0e}, was {price!r}")
        for qty in qtys:
            if not 0.0 <= qty < LIMIT:
                raise BadRow(index, f"a quantity must be 0 to {LIMIT:.0e}, was {qty!r}")


class RowReader(Protocol):
    """Rows in, a message for each out; none for a trade of no quantity."""

    def read(self, rows: Iterable[Row]) -> list[MarketData]:
        """Take the next rows of the file.

        Raises:
            BadRow: a price, a quantity or the order of times is impossible.
        """


NO_QUANTITY = "trades of no quantity"
"""Binance's archive has such rows; nobody traded."""


class TradeRows:
    """Rows of time, price, qty, id, is_buyer_maker. Equal times are in order."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._last = 0

    def read(self, rows: Iterable[Row]) -> list[MarketData]:
        symbol, unit, *_ = self._subject
        last, end, skipped = self._last, self._subject.end, 0
        trades: list[MarketData] = []
        append = trades.append
        for time, price, qty, trade_id, is_buyer_maker in rows:
            if not (last <= time < end and 0.0 < price < LIMIT and 0.0 < qty < LIMIT):
                index = len(trades) + skipped
                self._subject.check(index, time, last, {"price": price}, (qty,))
                last, skipped = time, skipped + 1
                continue
            last = time
            append(
                Trade(
                    symbol=symbol,
                    ts=time * unit,
                    price=price,
                    qty=qty,
                    trade_id=trade_id,
                    is_buyer_maker=is_buyer_maker,
                )
            )
        self._last = last
        if skipped and self._subject.skips is not None:
            self._subject.skips[NO_QUANTITY] += skipped
        return trades


class QuoteRows:
    """Rows of time, bid, bid_qty, ask, ask_qty."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._last = 0

    def read(self, rows: Iterable[Row]) -> list[MarketData]:
        symbol, unit, *_ = self._subject
        quotes: list[MarketData] = []
        for time, bid, bid_qty, ask, ask_qty in rows:
            index = len(quotes)
            prices = {"bid": bid, "ask": ask}
            self._subject.check(index, time, self._last, prices, (bid_qty, ask_qty))
            if bid >= ask:
                raise BadRow(index, f"the bid {bid!r} is not below the ask {ask!r}")
            self._last = time
            quotes.append(
                Quote(
                    symbol=symbol,
                    ts=time * unit,
                    bid=bid,
                    bid_qty=bid_qty,
                    ask=ask,
                    ask_qty=ask_qty,
                )
            )
        return quotes


class BarRows:
    """Rows of open_time, open, high, low, close, volume and perhaps count."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._length = timeframe_ns(subject.timeframe)
        self._last = 0  # the end of the last bar

    def read(self, rows: Iterable[Row]) -> list[MarketData]:
        symbol, unit, timeframe, _ = self._subject
        bars: list[MarketData] = []
        for time, open_, high, low, close, volume, *count in rows:
            index, ts = len(bars), time * unit
            prices = {"open": open_, "high": high, "low": low, "close": close}
            self._subject.check(index, time, self._last // unit, prices, (volume,))
            if not (high >= max(open_, close) and low <= min(open_, close)):
                raise BadRow(index, f"open or close outside of low {low!r} to high {high!r}")
            self._last = ts + self._length
            bars.append(
                Bar(
                    symbol=symbol,
                    timeframe=timeframe,
                    open_ts=ts,
                    ts=self._last,
                    open=open_,
                    high=high,
                    low=low,
                    close=close,
                    volume=volume,
                    trade_count=count[0] if count else 0,
                )
            )
        return bars


class MarkRows:
    """Rows as of bars, of mark prices: the close of each is the mark price at its end."""

    def __init__(self, subject: Subject) -> None:
        self._bars = BarRows(subject)

    def read(self, rows: Iterable[Row]) -> list[MarketData]:
        return [
            MarkPrice(symbol=bar.symbol, ts=bar.ts, mark_price=bar.close)
            for bar in self._bars.read(rows)
            if isinstance(bar, Bar)
        ]


class FundingRows:
    """Rows of time and rate."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._last = 0

    def read(self, rows: Iterable[Row]) -> list[MarketData]:
        symbol, unit, *_ = self._subject
        fundings: list[MarketData] = []
        for time, rate in rows:
            self._subject.check(len(fundings), time, self._last, {})
            if not -1.0 < rate < 1.0:
                raise BadRow(len(fundings), f"rate must be a fraction below 1, was {rate!r}")
            self._last = time
            fundings.append(Funding(symbol=symbol, ts=time * unit, rate=rate))
        return fundings


ROW_READERS: dict[str, Callable[[Subject], RowReader]] = {
    "trades": TradeRows,
    "quotes": QuoteRows,
    "klines": BarRows,
    "marks": MarkRows,
    "funding": FundingRows,
}
