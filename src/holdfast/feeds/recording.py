"""Play recorded market data back: captures, CSV, Parquet and columns, merged by time."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..model.bars import UNKNOWN, BarBuilder
from ..model.errors import ConfigError, FeedError
from ..model.instrument import Instrument
from ..model.market import Bar, MarketData, Trade, timeframe_ns
from ..model.values import NS_PER_S, Symbol
from .capture import is_capture, open_capture
from .columns import MAGIC, open_columns
from .doubles import Tapes
from .files import find_files, lines, magic, read_blocks
from .guess import Decimals
from .merge import before, merge
from .pace import batches, paced
from .parquet import open_parquet
from .settings import MAX_SPEED, TICK_TIMEFRAME, FeedSettings, check_speed
from .source import Chunk, Reading, Source
from .strand import Strand, make_strands
from .tables import open_table

_NEVER = 1 << 63
_PARQUET = b"PAR1"
_TRADED = ("capture", "trades", "quotes", "klines")
"""Kinds that show a market one could trade in, as funding rates and mark prices do not."""


class RecordingFeed:
    """Market data from files.

    Args:
        paths: files, directories and globs. Their format is told by their content.
        symbols: what to show; empty for all. A table whose name does not say of which symbol
            it is, is of the only one asked for.
        speed: feed time over wall time, 0 as fast as possible.
        start_ts: earlier messages are left out.
        duration_s: how much feed time to play; None plays to the end.
        end_ts: messages from here on are left out.

    Raises:
        ConfigError: no such file, a symbol that none of them has, or a time before they begin.
        FeedError: a file's head is no market data.
    """

    name = "recording"
    is_live = False

    def __init__(  # noqa: PLR0913 - what a recording is cut by
        self,
        paths: str | Path | Sequence[str | Path],
        symbols: Sequence[Symbol] = (),
        *,
        speed: float = MAX_SPEED,
        start_ts: int = 0,
        duration_s: float | None = None,
        end_ts: int | None = None,
    ) -> None:
        self.pace = check_speed(speed)
        self.skips: Counter[str] = Counter()
        only = symbols[0] if len(symbols) == 1 else None
        sources = _with_funding([_open(path, only) for path in find_files(paths)])
        self._wanted = frozenset(symbols)
        _check_symbols(symbols, sources)
        self._decimals = _decimals(sources, self._wanted)
        strands = make_strands([s for s in sources if _concerns(s, self._wanted)])
        self._strands = [strand for strand in strands if strand.kind != "funding"]
        self._funding = [strand for strand in strands if strand.kind == "funding"]
        if not self._strands:
            self._strands, self._funding = self._funding, []
        self._first_ts = min(strand.first_ts for strand in self._strands)
        self._start_ts = max(start_ts, self._first_ts)
        self._end_ts = _NEVER if end_ts is None else end_ts
        if duration_s is not None:
            self._end_ts = min(self._end_ts, self._start_ts + round(duration_s * NS_PER_S))
        if self._end_ts <= self._start_ts:
            raise ConfigError(
                f"there is nothing from {_time(self._start_ts)} to {_time(self._end_ts)}: "
                f"the recording begins at {_time(self._first_ts)}"
            )

    @classmethod
    def from_settings(cls, settings: FeedSettings) -> RecordingFeed:
        """Open the files that `settings.source` names, with commas between."""
        names = [name for name in settings.source.split(",") if name.strip()]
        return cls(
            [settings.source] if Path(settings.source).exists() else names,
            settings.symbols,
            speed=settings.speed,
            start_ts=settings.start_ts,
            duration_s=settings.duration_s,
        )

    @property
    def default_timeframe(self) -> str:
        """Return the shortest time frame that the files have bars of, else that of ticks."""
        frames = {strand.timeframe for strand in self._strands if strand.timeframe}
        return min(frames, key=timeframe_ns, default=TICK_TIMEFRAME)

    @property
    def start_ts(self) -> int:
        return self._start_ts

    def whole_from(self, symbol: Symbol) -> int:
        """Return since when all trades of a symbol are there; see `Complete`."""
        tapes = self._tapes_of(symbol)
        if not tapes:
            return UNKNOWN
        if min(tape.first_ts for tape in tapes) < self._start_ts:
            return self._start_ts
        return tapes[0].whole_from

    def is_numbered(self, symbol: Symbol) -> bool:
        """Tell that a capture has the venue's own numbers, packed too; a table may have any."""
        return any(tape.is_numbered for tape in self._tapes_of(symbol))

    def instruments(self) -> Sequence[Instrument]:
        """Return each symbol's contract, its tick and lot guessed by the decimals written."""
        return [decimals.instrument(symbol) for symbol, decimals in self._decimals.items()]

    def history(self, symbol: Symbol, timeframe: str, before_ts: int, count: int) -> Sequence[Bar]:
        """Return up to `count` closed bars that end at or before `before_ts`, oldest first.

        They are the recording's own, or made of its longest bars that fit, or of its trades;
        fewer where it begins later, pauses, or has nothing that they could be made of. A bar of
        which the recording has a part alone is none.

        Raises:
            ValueError: the time frame is not like 5s, 1m, 4h or 1d.
        """
        length = timeframe_ns(timeframe)
        strands = self._strands_for(symbol, length)
        if not strands or count <= 0:
            return []
        since = before_ts - before_ts % length - count * length
        bars: deque[Bar] = deque(maxlen=count)
        has_bars, whole_from = bool(strands[0].timeframe), strands[0].whole_from
        if not has_bars and whole_from == UNKNOWN:
            since -= length  # where it begins to tell of the symbol is seen by its first trade
        known_from = UNKNOWN if has_bars else max(since, whole_from)
        is_numbered = strands[0].is_numbered
        builder = BarBuilder(symbol, [timeframe], known_from=known_from, is_numbered=is_numbered)
        # A bar that ends at `since` is too early, a trade at that time is just in time.
        reading, after_ts = Reading(frozenset([symbol])), since - (not has_bars)
        chunks = merge([strand.chunks(reading, after_ts) for strand in strands], [])
        for message in itertools.chain.from_iterable(before(chunks, before_ts + 1)):
            if isinstance(message, Trade) and not has_bars:
                if builder.known_from == UNKNOWN:
                    builder.known_from = message.ts
                bars.extend(builder.on_trade(message))
            elif isinstance(message, Bar) and has_bars:
                if builder.known_from == UNKNOWN:
                    builder.known_from = message.open_ts
                bars.extend(builder.on_bar(message))
        bars.extend(builder.on_time(before_ts))
        return list(bars)

    def read(self, after_ts: int = 0) -> Iterator[Chunk]:
        """Yield all messages later than a time, in chunks, oldest first, without any pace.

        Funding rates are shown from the first price on and until the last.

        Raises:
            FeedError: a line is torn, out of order or impossible; it names file and line. Or two
                files tell the same trades, or there is nothing between the times asked for.
        """
        chunks = self._read(after_ts)
        first = next(chunks, None)
        if first is not None:
            yield first
        elif after_ts < self._start_ts:
            end = "on" if self._end_ts == _NEVER else f"to {_time(self._end_ts)}"
            raise FeedError(f"no market data from {_time(self._start_ts)} {end}")
        yield from chunks

    def _read(self, after_ts: int) -> Iterator[Chunk]:
        self.skips.clear()
        reading = Reading(self._wanted, self.skips)
        since = max(after_ts, self._start_ts - 1)
        tapes = Tapes(self._strands)
        merged = merge(
            [
                tapes.watched(strand, strand.shown(reading, since, self._end_ts))
                for strand in self._strands
            ],
            [strand.chunks(reading, since) for strand in self._funding],
        )
        return before(merged, self._end_ts)

    async def messages(self, after_ts: int = 0) -> AsyncIterator[Sequence[MarketData]]:
        async for batch in paced(batches(self.read(after_ts)), self.pace):
            yield batch

    def _strands_for(self, symbol: Symbol, length: int) -> list[Strand]:
        """Return what bars of a length are best made of; nothing where nothing fits.

        Captures may be many: of one day a symbol is heard early, of another late.
        """
        known = [strand for strand in self._strands if strand.has(symbol)]
        fitting = [s for s in known if s.timeframe and length % timeframe_ns(s.timeframe) == 0]
        if fitting:
            return [max(fitting, key=lambda strand: timeframe_ns(strand.timeframe))]
        return self._tapes_of(symbol)

    def _tapes_of(self, symbol: Symbol) -> list[Strand]:
        """Return what has a symbol's trades."""
        known = [strand for strand in self._strands if strand.has(symbol)]
        tapes = [strand for strand in known if strand.kind in ("trades", "capture")]
        return [s for s in tapes if s.kind == tapes[0].kind == "capture"] or tapes[:1]


def read_recording(
    paths: str | Path | Sequence[str | Path], symbols: Sequence[Symbol] = (), after_ts: int = 0
) -> Iterator[MarketData]:
    """Yield a recording's messages one by one; see `RecordingFeed` for what may go wrong."""
    return itertools.chain.from_iterable(RecordingFeed(paths, symbols).read(after_ts))


def _time(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%S}"


def _open(path: Path, only: Symbol | None) -> Source:
    """Open a file as what its content shows it to be."""
    head = magic(path)
    if head == _PARQUET:
        return open_parquet(path, only)
    if head == MAGIC:
        return open_columns(path, only)
    _, first = next(lines(read_blocks(path)), (0, b""))
    return open_capture(path) if is_capture(first) else open_table(path, only)


def _with_funding(sources: list[Source]) -> list[Source]:
    """Add the funding rates that lie beside the tables, as BTCUSDT-funding.csv does."""
    known = {source.path.resolve() for source in sources}
    found = list(sources)
    for source in sources:
        for symbol in source.symbols:
            path = source.path.with_name(f"{symbol}-funding.csv")
            if path.resolve() not in known and path.is_file():
                known.add(path.resolve())
                found.append(_open(path, None))
    return found


def _concerns(source: Source, wanted: frozenset[Symbol]) -> bool:
    return not wanted or any(s in source.symbols or source.may_have(s) for s in wanted)


def _check_symbols(symbols: Sequence[Symbol], sources: Sequence[Source]) -> None:
    """Refuse a symbol that no file has, funding rates aside."""
    priced = [source for source in sources if source.kind != "funding"] or list(sources)
    for symbol in symbols:
        if not any(symbol in s.symbols or s.may_have(symbol) for s in priced):
            there = ", ".join(sorted({name for source in priced for name in source.symbols}))
            raise ConfigError(f"no file has {symbol}; they have {there}")


def _decimals(sources: Sequence[Source], wanted: frozenset[Symbol]) -> dict[Symbol, Decimals]:
    total: dict[Symbol, Decimals] = {}
    for source in sources:
        for symbol, seen in source.decimals.items():
            if source.kind in _TRADED and (not wanted or symbol in wanted):
                total.setdefault(symbol, Decimals()).add(seen)
    return total
