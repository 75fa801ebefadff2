"""Make up a market: seeded, endless, correlated, with trends, jumps and silences.

What it shows is a function of seed, symbol and time, not of when or where it is started: two
feeds of one seed agree on every moment that both show, another symbol beside a first changes
nothing for it, and one that goes on after a restart goes on along the same path.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import AsyncIterator, Generator, Iterator, Sequence

from ..model.bars import BarBuilder
from ..model.errors import ConfigError
from ..model.instrument import Instrument
from ..model.market import Bar, MarketData, timeframe_ns
from ..model.values import NS_PER_DAY, NS_PER_S, Symbol
from ..ports import Wanted
from .merge import after, before
from .pace import batches, paced, ts_of
from .settings import DEFAULT_SYMBOLS, TICK_TIMEFRAME, FeedSettings, check_speed
from .source import Chunk
from .tape import BLOCK_NS, RATE_MAX, Tape, traits_of
from .walk import Market

DURATION_S_MAX = 3e9
HISTORY_NS_MAX = 14 * NS_PER_DAY
"""How far back bars are made up; a longer history has fewer bars than were asked for."""

SLICE_BLOCKS = 8
"""Blocks of history that are made before others have their turn: some milliseconds."""

_NEVER = 1 << 62  # the year 2116
_YEAR_2000_NS = 946_684_800 * NS_PER_S


class SyntheticFeed:
    """A market that never was.

    Of the settings, `start_ts` must be given: the feed has no clock of its own. No symbols
    means `DEFAULT_SYMBOLS`; any name will do, its price, tick and lot are made up too.

    Raises:
        ConfigError: a setting is out of its range.
    """

    name = "synthetic"
    is_live = False
    default_timeframe = TICK_TIMEFRAME

    def __init__(self, settings: FeedSettings) -> None:
        _check(settings)
        self.pace = settings.speed
        self._symbols = settings.symbols or DEFAULT_SYMBOLS
        self._start_ts = settings.start_ts
        self._end_ts = _NEVER
        if settings.duration_s is not None:
            self._end_ts = settings.start_ts + round(settings.duration_s * NS_PER_S)
        self._fetched: dict[tuple[Wanted, int], list[list[Bar]]] = {}
        market = Market(settings.seed)
        self._tapes = {symbol: Tape(market, symbol, settings) for symbol in self._symbols}

    @property
    def start_ts(self) -> int:
        return self._start_ts

    def whole_from(self, symbol: Symbol) -> int:
        """Return when the feed begins: there is nothing else of any of its symbols."""
        assert symbol in self._tapes, f"no {symbol} here"
        return self._start_ts

    def is_numbered(self, symbol: Symbol) -> bool:
        """Tell that numbers say nothing: quotes have some of them."""
        assert symbol in self._tapes, f"no {symbol} here"
        return False

    def instruments(self) -> Sequence[Instrument]:
        return [traits_of(symbol).instrument(symbol) for symbol in self._symbols]

    def history(self, symbol: Symbol, timeframe: str, before_ts: int, count: int) -> Sequence[Bar]:
        """Return up to `count` closed bars that end at or before `before_ts`, oldest first.

        They are made of the trades that the feed shows, or would have shown before its start.

        What was fetched is handed out as often as it was wanted.

        Raises:
            ConfigError: the feed has no such symbol.
            ValueError: the time frame is not like 5s, 1m, 4h or 1d.
        """
        if fetched := self._fetched.get(((symbol, timeframe, count), before_ts)):
            return fetched.pop()
        steps = self._making(symbol, timeframe, before_ts, count)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return list(end.value)

    async def fetch_instruments(self) -> None:
        """Have the contracts ready, as they are; see `Fetching`."""

    async def fetch_history(self, wanted: Sequence[Wanted], before_ts: int) -> None:
        """Make bars so that `history` has them, a few blocks at a time: days of them take long.

        Raises:
            ConfigError: the feed has no such symbol.
        """
        self._fetched = {key: each for key, each in self._fetched.items() if key[1] == before_ts}
        for each, times in Counter(wanted).items():
            symbol, timeframe, count = each
            made = await _in_slices(self._making(symbol, timeframe, before_ts, count))
            self._fetched[each, before_ts] = [made] * times

    def _making(
        self, symbol: Symbol, timeframe: str, before_ts: int, count: int
    ) -> Generator[None, None, list[Bar]]:
        """Make a history, a block with each step."""
        tape = self._tapes.get(symbol)
        if tape is None:
            raise ConfigError(f"no {symbol} here; the feed has {', '.join(self._symbols)}")
        length = timeframe_ns(timeframe)
        until = before_ts - before_ts % length
        since = max(until - count * length, until - HISTORY_NS_MAX // length * length)
        builder = BarBuilder(symbol, [timeframe])
        bars: deque[Bar] = deque(maxlen=max(0, count))
        for number in range(since // BLOCK_NS, -(-until // BLOCK_NS)):
            for trade in tape.trades(number):
                if since <= trade.ts < until:
                    bars.extend(builder.on_trade(trade))
            yield
        bars.extend(builder.on_time(until))
        return list(bars)

    def read(self, after_ts: int = 0) -> Iterator[Chunk]:
        """Yield all messages later than a time, a block at a time, without any pace."""
        since = max(after_ts, self._start_ts - 1)
        return before(after(self._blocks(since // BLOCK_NS), since), self._end_ts)

    async def messages(self, after_ts: int = 0) -> AsyncIterator[Sequence[MarketData]]:
        async for batch in paced(batches(self.read(after_ts)), self.pace):
            yield batch

    def _blocks(self, first: int) -> Iterator[Chunk]:
        for number in itertools.count(first):
            chunk: list[MarketData] = []
            for tape in self._tapes.values():
                chunk += tape.block(number)
            chunk.sort(key=ts_of)  # stable: ties go by the order of the symbols
            yield chunk


async def _in_slices(steps: Generator[None, None, list[Bar]]) -> list[Bar]:
    """Take all steps, and let others have their turn between them."""
    while True:
        try:
            for _ in range(SLICE_BLOCKS):
                next(steps)
        except StopIteration as end:
            return list(end.value)
        await asyncio.sleep(0)


def _check(settings: FeedSettings) -> None:
    check_speed(settings.speed)
    symbols, duration_s = settings.symbols, settings.duration_s
    if len(set(symbols)) != len(symbols) or not all(symbols):
        raise ConfigError(f"symbols must be names, each once, were {', '.join(symbols)!r}")
    if not _YEAR_2000_NS <= settings.start_ts < _NEVER:
        raise ConfigError(f"start_ts must be ns UTC, past the year 2000, was {settings.start_ts}")
    if duration_s is not None and not 0 < duration_s < DURATION_S_MAX:
        raise ConfigError(f"duration_s must be 0 to {DURATION_S_MAX:.0e}, was {duration_s!r}")
    if not 0 < settings.rate <= RATE_MAX:
        raise ConfigError(f"rate must be 0 to {RATE_MAX:g} a second, was {settings.rate!r}")
    if not 0 <= settings.correlation <= 1:
        raise ConfigError(f"correlation must be 0 to 1, was {settings.correlation!r}")
