"""Trades as columns: a file that is read as it lies, and chunks that make messages on demand.

The file is NumPy's own format (`.npy`): one array of records with the fields of `RECORD`, times
in nanoseconds UTC. `pack` writes it from any recording of one symbol's trades; to read it nothing
has to be parsed. Where the numbers of the trades are the venue's own, as in a capture, their field
is called `venue_trade_id` (`NUMBERED`): a number that lacks is a trade that nobody heard.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..model.errors import ConfigError, FeedError
from ..model.market import MarketData, Trade
from ..model.values import LARGEST_AMOUNT, Symbol
from .files import fail
from .guess import Decimals
from .names import symbol_of
from .source import SAMPLE_ROWS, Reading, Source


def _record(number: str) -> np.dtype[np.void]:
    columns = [("ts", "<i8"), ("price", "<f8"), ("qty", "<f8"), (number, "<i8")]
    return np.dtype([*columns, ("is_buyer_maker", "?")])


RECORD, NUMBERED = _record("trade_id"), _record("venue_trade_id")
_OTHERS = ("price", "qty", "trade_id", "is_buyer_maker")
CHUNK_TRADES = 1 << 11  # what is made of it stays in the processor's cache
SUFFIX = ".npy"
MAGIC = b"\x93NUM"

Records = np.ndarray[Any, np.dtype[np.void]]


class TradeColumns(Sequence[MarketData]):
    """A chunk of one symbol's trades. Its messages are made when somebody looks at them all."""

    __slots__ = ("_made", "_records", "symbol", "times")

    def __init__(self, symbol: Symbol, records: Records) -> None:
        self.symbol = symbol
        self.times: list[int] = records["ts"].tolist()  # nanoseconds UTC
        self._records = records
        self._made: list[Trade] | None = None

    @property
    def prices(self) -> NDArray[np.float64]:
        """Return the prices."""
        return np.ascontiguousarray(self._records["price"])

    def qtys(self, start: int, stop: int) -> list[float]:
        """Return the quantities of some places."""
        qtys: list[float] = self._records["qty"][start:stop].tolist()
        return qtys

    def messages(self, start: int, stop: int) -> list[Trade]:
        """Return the trades of some places."""
        if self._made is None:
            others = [self._records[name].tolist() for name in _OTHERS]
            # By position: `map` makes them at half the cost of a loop.
            self._made = list(map(Trade, repeat(self.symbol), self.times, *others))
        return self._made[start:stop]

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, place: int) -> Trade: ...
    @overload
    def __getitem__(self, place: slice) -> TradeColumns: ...
    def __getitem__(self, place: int | slice) -> Trade | TradeColumns:
        if isinstance(place, slice):
            return TradeColumns(self.symbol, self._records[place])
        if self._made is not None:
            return self._made[place]
        return Trade(self.symbol, *self._records[place].item())

    def __iter__(self) -> Iterator[Trade]:
        return iter(self.messages(0, len(self)))


def open_columns(path: Path, symbol: Symbol | None = None) -> Source:
    """Look at the head of a file of columns.

    Raises:
        FeedError: it is no such file, or is empty.
        ConfigError: nothing says of which symbol it is.
    """
    records, is_numbered = _mapped(path)
    symbol = symbol_of(path) or symbol
    if symbol is None:
        raise ConfigError(f"{path} does not say of which symbol it is: name it like BTCUSDT.npy")
    if not len(records):
        fail(path, 0, "no trades; expected at least one")
    seen = Decimals()
    sample = records[:SAMPLE_ROWS]
    seen.see(map(repr, sample["price"].tolist()), map(repr, sample["qty"].tolist()))
    return Source(
        path=path,
        kind="trades",
        decimals={symbol: seen},
        first_ts=int(records["ts"][0]),
        read=partial(_read, path, symbol),
        is_numbered=is_numbered,
    )


def _mapped(path: Path) -> tuple[Records, bool]:
    """Return a file's records, and whether their numbers are the venue's."""
    try:
        records: Records = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        fail(path, 0, f"can't be read as columns: {error}")
    if records.dtype not in (RECORD, NUMBERED) or records.ndim != 1:
        fail(path, 0, f"expected records of {', '.join(RECORD.names or ())}, found {records.dtype}")
    return records.view(RECORD), records.dtype == NUMBERED


def _read(path: Path, symbol: Symbol, reading: Reading) -> Iterator[TradeColumns]:
    if not reading.wants(symbol):
        return
    size, last = len(_mapped(path)[0]), 0
    with path.open("rb") as file:  # read, not mapped: a page that was mapped stays ours
        file.seek(-size * RECORD.itemsize, os.SEEK_END)
        for start in range(0, size, CHUNK_TRADES):
            records = np.fromfile(file, RECORD, min(CHUNK_TRADES, size - start))
            _check(path, start, records, last)
            last = int(records["ts"][-1])
            yield TradeColumns(symbol, records)


def _check(path: Path, start: int, records: Records, last: int) -> None:
    """Hold that times and amounts can be so; a quick look comes first, which finds nothing."""
    times, limit = records["ts"], float(LARGEST_AMOUNT)
    amounts = (records["price"], records["qty"])
    is_good = times[0] >= last and bool((times[1:] >= times[:-1]).all())
    if is_good and all(each.min() > 0.0 and each.max() < limit for each in amounts):
        return  # of a NaN neither is true
    is_wrong = np.diff(times, prepend=last) < 0
    for name in ("price", "qty"):
        is_wrong |= ~((records[name] > 0.0) & (records[name] < limit))
    if is_wrong.any():
        place = int(is_wrong.argmax())
        fail(path, 0, f"trade {start + place + 1} is out of order or impossible: {records[place]}")


def pack(
    chunks: Iterable[Sequence[MarketData]],
    path: Path,
    is_numbered: Callable[[Symbol], bool] = lambda _: False,
) -> int:
    """Write a recording of one symbol's trades as columns; return how many they are.

    Args:
        is_numbered: tells whether the numbers of a symbol's trades are the venue's own.

    Raises:
        FeedError: it holds no trades, or those of several symbols.
        ConfigError: the file's name names another symbol, or none.
    """
    symbol: Symbol | None = None
    count = 0
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                records = _records([each for each in chunk if isinstance(each, Trade)])
                symbols = {each.symbol for each in chunk if isinstance(each, Trade)}
                symbol = symbol or next(iter(symbols), None)
                if symbol is not None and symbols - {symbol}:
                    raise FeedError(
                        f"columns hold one symbol, found {symbol}, {', '.join(symbols - {symbol})}"
                    )
                records.tofile(file)
                count += len(records)
        if symbol is None:
            raise FeedError("the recording has no trades to pack")
        if symbol_of(path) != symbol:
            raise ConfigError(f"{path.name} must begin with the symbol: {symbol}{SUFFIX}")
        _with_head(part, path, count, NUMBERED if is_numbered(symbol) else RECORD)
    finally:
        part.unlink(missing_ok=True)
    return count


def _records(trades: list[Trade]) -> Records:
    names = RECORD.names or ()
    rows = [tuple(getattr(each, name) for name in names) for each in trades]
    return np.array(rows, RECORD)


def _with_head(part: Path, path: Path, count: int, kind: np.dtype[np.void]) -> None:
    head = {"descr": npy.dtype_to_descr(kind), "fortran_order": False, "shape": (count,)}
    with path.open("wb") as whole, part.open("rb") as body:
        npy.write_array_header_1_0(whole, head)
        shutil.copyfileobj(body, whole)
