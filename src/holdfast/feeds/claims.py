"""Hold a table's rows against its name, where columns of it say the same thing.

A file that is called BTCUSDT-1m and has ETHUSDT in its column `symbol`, or bars of an hour, would
be played as what it is not: at other prices, or with a close that is shown before it was made. An
empty cell, and an end of a bar that is no number, says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..model.market import MarketData, timeframe_ns
from ..model.values import NS_PER_MS, NS_PER_S
from .layouts import Layout
from .names import timeframe_name
from .rows import ROW_READERS, BadRow, Row, RowReader, Subject

Claim = Callable[[Any, int], str]
"""Looks at a cell and the row's time; returns what is wrong, or ""."""

# Below each, a time after 1973 is in that unit.
_UNITS = ((10**11, NS_PER_S), (10**14, NS_PER_MS), (10**17, 1_000), (10**20, 1))

_OTHER_WORDS = re.compile(r":.*|[^A-Z0-9_]")  # BTC/USDT:USDT is BTCUSDT


def unit_of(time: int) -> int:
    """Return a time's unit in nanoseconds; 0 where it is none."""
    return next((unit for limit, unit in _UNITS if 0 < time < limit), 0)


def reader_of(layout: Layout, subject: Subject) -> RowReader:
    """Return what reads a table's rows, and refuses those of something else."""
    reader = ROW_READERS[layout.kind](subject)
    names = [field.names[0] for field in layout.claims]
    return _Held(reader, [_CLAIMS[name](subject) for name in names]) if names else reader


def length_told(layout: Layout, row: Row) -> int:
    """Return how long a row's bar is by its end, ns; 0 where that does not tell whole seconds."""
    names = [field.names[0] for field in layout.claims]
    if "close_time" not in names:
        return 0
    span = _span(row[names.index("close_time") - len(names)], row[0])
    length = 0 if span is None else _rounded(span)
    return length if length > 0 and length % NS_PER_S == 0 else 0


class _Held:
    """Takes what the rows claim off their ends, and hands the rest on."""

    def __init__(self, reader: RowReader, claims: list[Claim]) -> None:
        self._reader = reader
        self._claims = claims

    def read(self, rows: Iterable[Row]) -> list[MarketData]:
        return self._reader.read(self._held(rows))

    def _held(self, rows: Iterable[Row]) -> Iterator[Row]:
        claims, count = self._claims, len(self._claims)
        for index, row in enumerate(rows):
            for claim, cell in zip(claims, row[-count:], strict=True):
                if problem := claim(cell, row[0]):
                    raise BadRow(index, problem)
            yield row[:-count]


def _of_symbol(column: str, subject: Subject, known: set[str]) -> Claim:
    def check(cell: object, _: int) -> str:
        if not isinstance(cell, str) or not cell or cell in known:
            return ""
        if _OTHER_WORDS.sub("", cell.upper()) in known:
            return ""
        return (
            f"{column} is {cell}, and the file is taken for one of {subject.symbol}; "
            "part it by symbol, and name each part like BTCUSDT-1m.csv"
        )

    return check


def _symbol(subject: Subject) -> Claim:
    return _of_symbol("symbol", subject, {subject.symbol})


def _pair(subject: Subject) -> Claim:
    """A delivery contract's pair is its name without the day."""
    return _of_symbol("pair", subject, {subject.symbol, subject.symbol.partition("_")[0]})


def _close_time(subject: Subject) -> Claim:
    """A bar ends where the next begins, or up to a millisecond before."""
    length = timeframe_ns(subject.timeframe)
    most = length // subject.unit_ns
    least = (length - NS_PER_MS) // subject.unit_ns

    def check(cell: object, time: int) -> str:
        if type(cell) is int and least <= cell - time <= most:
            return ""
        span = _span(cell, time)
        if span is None or length - NS_PER_MS <= span <= length:
            return ""
        return (
            f"open_time to close_time is a bar of {_text(span)}, and the file is taken for one "
            f"of {subject.timeframe}; name it by what it has, like BTCUSDT-1h.csv"
        )

    return check


_CLAIMS: dict[str, Callable[[Subject], Claim]] = {
    "symbol": _symbol,
    "pair": _pair,
    "close_time": _close_time,
}


def _span(cell: object, time: int) -> int | None:
    """Return from a row's time to its end, ns; None where the end is no number."""
    if isinstance(cell, str) and cell.isdecimal():
        cell = int(cell)
    if not isinstance(cell, int) or isinstance(cell, bool) or not unit_of(cell):
        return None
    return cell * unit_of(cell) - time * unit_of(time)


def _rounded(span: int) -> int:
    """Round what lacks up to a millisecond up to whole seconds."""
    lacking = -span % NS_PER_S
    return span + lacking if lacking <= NS_PER_MS else span


def _text(span: int) -> str:
    length = _rounded(span)
    is_name = length > 0 and length % NS_PER_S == 0
    return timeframe_name(length) if is_name else f"{span / NS_PER_S:g} s"
