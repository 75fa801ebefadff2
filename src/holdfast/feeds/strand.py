"""Files of one kind about the same symbols, one after another: days or months of a tape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ..model.bars import UNKNOWN
from ..model.market import timeframe_ns
from ..model.values import Symbol
from .capture import BACKSTEP_NS_MAX
from .files import fail
from .merge import after
from .names import day_of
from .source import Chunk, Numbers, Reading, Source
from .standing import after_with_books

DAY_NS = timeframe_ns("1d")


class Strand:
    """Reads its files in order of time, each only when its turn comes."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sorted(sources, key=lambda source: source.first_ts)
        first = self._sources[0]
        self.kind = first.kind
        self.timeframe = first.timeframe
        self.first_ts = first.first_ts
        self.whole_from = _whole_from(first)
        self.is_numbered = all(source.is_numbered for source in sources)

    @property
    def name(self) -> str:
        """Return the first file's."""
        return str(self._sources[0].path)

    @property
    def symbols(self) -> frozenset[Symbol]:
        return frozenset(symbol for source in self._sources for symbol in source.symbols)

    def has(self, symbol: Symbol) -> bool:
        return any(symbol in source.symbols for source in self._sources)

    def chunks(self, reading: Reading, after_ts: int) -> Iterator[Chunk]:
        """Yield all that is later than a time. Files that end before it are not opened.

        Raises:
            FeedError: two files overlap in time, so that trades or bars would count twice.
        """
        return after(self._read(reading, after_ts), after_ts)

    def shown(self, reading: Reading, after_ts: int, end_ts: int) -> Iterator[Chunk]:
        """Yield the same, and first the order books that stood then."""
        if self.kind != "capture":
            return self.chunks(reading, after_ts)
        return after_with_books(self._read(reading, after_ts), after_ts, end_ts)

    def _read(self, reading: Reading, after_ts: int) -> Iterator[Chunk]:
        reading = msgspec.structs.replace(reading, numbers=Numbers())
        last, slack = 0, BACKSTEP_NS_MAX if self.kind == "capture" else 0
        for source in self._sources[self._place(after_ts) :]:
            is_same_bar = source.kind == "klines" and source.first_ts == last
            if is_same_bar or source.first_ts + slack < last:
                fail(source.path, 0, "overlaps in time with the file before it; leave one out")
            for chunk in source.read(msgspec.structs.replace(reading, last_ts=last)):
                last = chunk[-1].ts
                yield chunk

    def _place(self, after_ts: int) -> int:
        """Return the number of files that are followed by one that begins early enough."""
        later = self._sources[1:]
        return sum(source.first_ts <= after_ts for source in later)


def _whole_from(first: Source) -> int:
    """Return since when a table has everything: from its first row, or the day that it names.

    What was captured may have been told to hear a symbol at any time: its first trade shows it.
    """
    if first.is_numbered:
        return UNKNOWN
    day = day_of(first.path)
    if day is not None and 0 <= first.first_ts - day < DAY_NS:
        return day
    return first.first_ts


def make_strands(sources: Sequence[Source]) -> list[Strand]:
    """Sort files into strands, in the order in which the strands' first files are named."""
    groups: dict[tuple[object, ...], list[Source]] = {}
    for source in sources:
        key = (source.kind, source.timeframe, frozenset(source.symbols))
        groups.setdefault(key, []).append(source)
    return [Strand(group) for group in groups.values()]
