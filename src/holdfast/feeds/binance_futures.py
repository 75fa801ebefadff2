"""Live market data of Binance USD-M Futures: quotes, trades, mark prices and books as they come.

Two paths, because the venue routes its streams by kind: what is asked for on the wrong path is met
with silence, not with an error. Silence is what the watchdogs look for. So many symbols have a
connection to themselves on each, because what is asked for stands in its address.
"""

from __future__ import annotations

import asyncio
import logging
import random as chance
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from ..model.bars import UNKNOWN
from ..model.errors import ConfigError, NetworkError
from ..model.instrument import Instrument
from ..model.market import (
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    MarketData,
    MarkPrice,
    Quote,
    Trade,
)
from ..model.values import Symbol
from ..ports import Wanted
from ..venues.binance_futures import joining, market_history
from ..venues.binance_futures.asking import Asker
from ..venues.binance_futures.background import Background
from ..venues.binance_futures.codec import BadFrame, StreamReply, read_market
from ..venues.binance_futures.complaints import Complaints
from ..venues.binance_futures.counters import LIMITS, Budget, shared_budget
from ..venues.binance_futures.depth_sync import DepthBooks, Shown
from ..venues.binance_futures.market_watch import MarketWatch
from ..venues.binance_futures.net import NetWire
from ..venues.binance_futures.rest import RestClient
from ..venues.binance_futures.settings import Endpoints, endpoints
from ..venues.binance_futures.streams import LIFETIME_S, Ears, Stream, Watch
from ..venues.binance_futures.wire import Wire
from .beside import Wall, wait_for
from .in_turn import in_turn
from .repeats import Repeats
from .settings import DEFAULT_SYMBOLS, FeedSettings

SYMBOLS_MAX = 500
GROUP = 100
"""How many symbols share a connection at most: some 5 kB of address, where 8 kB are refused."""

WAITING_MAX = 200_000
"""Messages that may wait for the reader; more mean that it does not keep up."""

FIRST_S = 10.0
PUBLIC, MARKET = "public", "market"
PUBLIC_KINDS = ("bookTicker",)
MARKET_KINDS = ("aggTrade", "markPrice@1s")
DEPTH_KIND = "depth@100ms"
MARKET_SILENCE_S = 15.0  # mark prices come every second
PUBLIC_SILENCE_S = 60.0  # quotes come when they change
OPEN_PATIENCE_S = 30.0
LOOK_S = 1.0
"""How often symbols are looked for of which nothing comes."""


_log = logging.getLogger("holdfast.feed")


class BinanceFuturesFeed:
    """The market as it is now. Of the settings it takes `symbols` and `books` alone.

    Batches are sorted by time, but what is of one kind stays in its order. From one batch to the
    next a message of another kind may be some milliseconds older: the venue's streams are not in
    step. A trade comes once, and in order; the venue counts them one by one, and where some never
    came the log says so. What a lost connection would have told is not asked for: the symbol is cut
    off meanwhile (`on_link`).

    Args:
        testnet: the venue's test market instead of the real one.
        rest_url: another host, which serves the streams too unless `stream_url` is given.
        now: returns the wall's time, nanoseconds UTC.
        random: draws from 0 to 1, for jitter.
        open_wire: opens what everything is sent and heard through.
        budget: of the venue's limits, where others draw from it too; its own when None.
        lifetime_s: after how long a connection is replaced by the next.

    Raises:
        ConfigError: too many symbols, or an address has the wrong scheme.
    """

    name = "binance_futures"
    is_live = True
    default_timeframe = "1m"
    pace = 1.0
    start_ts = 0

    def __init__(  # noqa: PLR0913 - where a market is, and how it is heard
        self,
        settings: FeedSettings | None = None,
        *,
        testnet: bool = False,
        rest_url: str | None = None,
        stream_url: str | None = None,
        now: Callable[[], int] = time.time_ns,
        random: Callable[[], float] = chance.random,
        open_wire: Callable[[], Wire] = NetWire,
        budget: Budget | None = None,
        lifetime_s: float = LIFETIME_S,
    ) -> None:
        self._symbols = (settings.symbols if settings is not None else ()) or DEFAULT_SYMBOLS
        if len(self._symbols) > SYMBOLS_MAX:
            raise ConfigError(f"at most {SYMBOLS_MAX} symbols, were {len(self._symbols)}")
        self._where: Endpoints = endpoints(
            testnet=testnet, rest_url=rest_url, stream_url=stream_url
        )
        self._wanted = frozenset(self._symbols)
        self._random = random
        self._open_wire = open_wire
        self._budget = budget or Budget(LIMITS, random)
        self._lifetime_s = lifetime_s
        self._clock = Wall(now)
        self._instruments: Sequence[Instrument] | None = None
        self._fetched: dict[tuple[Wanted, int], list[list[Bar]]] = {}  # each as often as wanted
        self._batch: list[MarketData] = []
        self._news = asyncio.Event()
        self._problem = ""
        self._repeats = Repeats(self._tell_gap)
        self._is_heard = False
        self._has_books = settings is not None and settings.books
        self._books: DepthBooks | None = None
        self._complaints, self._gaps = Complaints(_log), Complaints(_log)
        self._watch: MarketWatch
        self._is_again = False
        self.frame_ns = 0
        self.take: Callable[[MarketData], bool] = lambda _: False
        self.on_link: Callable[[Symbol, bool, str], None] = lambda *_: None

    # What is asked for

    def instruments(self) -> Sequence[Instrument]:
        """Return the contracts: as fetched, else asked for in a thread that is waited for.

        Raises:
            NetworkError: the venue does not answer.
            ConfigError: a symbol is not traded there.
        """
        if self._instruments is None:
            wait_for(self.fetch_instruments())
        return self._instruments or ()

    def history(self, symbol: Symbol, timeframe: str, before_ts: int, count: int) -> list[Bar]:
        """Return what the venue has of closed bars, see `Feed`. None below a minute.

        What was fetched is handed out as often as it was wanted; else it is asked for in a thread.

        Raises:
            NetworkError: the venue does not answer.
        """
        wanted = (symbol, timeframe, count)
        if not self._fetched.get((wanted, before_ts)):
            wait_for(self.fetch_history([wanted], before_ts))
        return self._fetched[wanted, before_ts].pop()

    def whole_from(self, symbol: Symbol) -> int:
        """Tell that nothing is known before it is heard."""
        return UNKNOWN

    def is_numbered(self, symbol: Symbol) -> bool:
        """Tell that the venue numbers its trades one by one."""
        return True

    async def fetch_instruments(self) -> None:
        """Ask for the contracts, so that `instruments` need not wait; see `Fetching`."""
        async with self._asking() as asker:
            self._instruments = await market_history.instruments(asker, self._symbols)

    async def fetch_listed(self, known: Sequence[Instrument]) -> list[Instrument]:
        """Ask how known contracts are listed now; see `Listing`."""
        async with self._asking() as asker:
            leveraged = {each.symbol: (each, 0) for each in known}
            return [made for made, _ in await joining.filters(asker, leveraged, has_key=False)]

    async def fetch_history(self, wanted: Sequence[Wanted], before_ts: int) -> None:
        """Ask for bars, so that `history` need not wait; see `Fetching`."""
        self._fetched = {key: each for key, each in self._fetched.items() if key[1] == before_ts}
        async with self._asking() as asker:
            over_ts = before_ts
            if any(market_history.interval_of(each[1]) for each in wanted):  # our clock may be fast
                over_ts = min(before_ts, await market_history.now(asker))
            for each, times in Counter(wanted).items():
                found = await market_history.bars(
                    asker, *each, before_ts=over_ts, can_wait=self._is_heard
                )
                self._fetched[each, before_ts] = [found] * times

    async def fetch_fundings(self, symbol: Symbol, since: int, until: int) -> list[Funding]:
        """Ask what funding was charged; see `FundingHistory`."""
        async with self._asking() as asker:
            return await market_history.fundings(asker, symbol, since, until)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Asker]:
        wire = self._open_wire()
        try:
            yield self._asker(wire)
        finally:
            await wire.close()

    def _asker(self, wire: Wire) -> Asker:
        rest = RestClient(wire, self._where.rest_url)
        return Asker(rest, self._clock, self._random, budget=self._budget)

    # What comes by itself

    async def messages(self, after_ts: int = 0) -> AsyncIterator[Sequence[MarketData]]:
        """Yield what comes, for ever, through lost connections too. Whoever calls this again, where
        it was in vain, hears of each symbol that it is cut off until it comes.

        Raises:
            NetworkError: there is no connection at the start, or the reader is too slow.
        """
        self._batch, self._problem = [], ""
        wire = self._open_wire()
        background = Background(lambda e: self._fail(f"{type(e).__name__} in a task of the feed"))
        try:
            await background.open()
            await _until_up(self._begin(wire, background))
            self._is_heard = True
            while True:
                await self._news.wait()
                self._news.clear()
                if self._problem:
                    raise NetworkError(self._problem)
                batch, self._batch = self._batch, []
                batch = [each for each in batch if each.ts > after_ts]
                if batch:
                    yield in_turn(batch)
        finally:
            self._is_heard = False
            try:
                await background.close()
            finally:  # the session's end may cut that short
                await wire.close()

    def _begin(self, wire: Wire, background: Background) -> list[Stream]:
        """Start to hear both paths, and what goes with them."""
        if self._is_again:  # what came before is as old as behind any lost connection
            self._lost(PUBLIC, self._symbols)
            self._lost(MARKET, self._symbols)
        else:
            now = asyncio.get_running_loop().time
            self._watch = MarketWatch(self._symbols, self._tell_link, now)
        self._is_again, self._books = True, None
        if self._has_books:
            asker = self._asker(wire)
            self._books = DepthBooks(self._symbols, asker, self._show_book, self._random)
            background.start(self._books.keep())
        streams = [
            self._stream(wire, path, group, silence_s)
            for group in _groups(self._symbols)
            for path, silence_s in ((PUBLIC, PUBLIC_SILENCE_S), (MARKET, MARKET_SILENCE_S))
        ]
        for stream in streams:
            background.start(stream.run())
        background.start(self._look())
        return streams

    def _kinds(self, path: str) -> tuple[str, ...]:
        if path == MARKET:
            return MARKET_KINDS
        return (*PUBLIC_KINDS, DEPTH_KIND) if self._has_books else PUBLIC_KINDS

    def _stream(
        self, wire: Wire, path: str, symbols: tuple[Symbol, ...], silence_s: float
    ) -> Stream:
        names = "/".join(f"{each.lower()}@{kind}" for each in symbols for kind in self._kinds(path))
        address = _Address(f"{self._where.stream_url}/{path}/stream?streams={names}")
        watch = Watch(FIRST_S, silence_s, self._lifetime_s, is_shared=True)
        ears = Ears(self._hear, on_down=lambda _: self._lost(path, symbols))
        return Stream(wire, f"the {path} stream", address, ears, self._random, watch)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._watch.look()

    def _lost(self, path: str, symbols: Sequence[Symbol]) -> None:
        self._watch.lost(path, symbols)
        self._repeats.lose(symbols, (Quote,) if path == PUBLIC else (Trade, MarkPrice))
        if path == PUBLIC and self._books is not None:
            self._books.lose(symbols)

    def _tell_link(self, symbol: Symbol, is_up: bool, reason: str) -> None:
        _log.warning("market data of %s: %s", symbol, reason or "it is back")
        self.on_link(symbol, is_up, reason)

    # One frame

    def _hear(self, raw: bytes | str) -> None:
        self.frame_ns = time.perf_counter_ns()
        try:
            told = read_market(raw)
        except BadFrame as error:
            self._complaints.warn(str(error))
            return
        for message in told:
            if not isinstance(message, StreamReply):
                self._hear_one(message)

    def _hear_one(self, message: MarketData) -> None:
        if message.symbol not in self._wanted:
            return  # nobody asked for it, and what is kept by symbol must not grow
        if self._repeats.is_repeated(message):
            return
        kind = type(message)
        if kind is MarkPrice:
            self._watch.marked(message.symbol)
        if isinstance(message, BookDelta):  # it does not say what the best bid and ask are
            if self._books is not None:
                self._books.hear(message)
            return
        if self._watch.misses:
            self._watch.heard(message.symbol, PUBLIC if kind is Quote else MARKET)
        self._show(message)

    def _show_book(self, message: Shown) -> None:
        books = self._books
        if books is not None and isinstance(message, BookSnapshot) and books.says_touch(message):
            self._watch.heard(message.symbol, PUBLIC)
        self._show(message)

    def _tell_gap(self, symbol: Symbol, first: int, last: int) -> None:
        """Tell of trades that never came though no connection was lost, as far as is known.

        One may have been silent when the next took its place, or a frame could not be read.
        """
        self._gaps.warn(f"market data of {symbol}: trades {first} to {last} never came")

    def _show(self, message: MarketData) -> None:
        """Hand a message over at once, or let it wait behind others."""
        if not self._batch and self.take(message):
            return
        self._batch.append(message)
        if len(self._batch) > WAITING_MAX:
            self._fail(f"{WAITING_MAX} messages wait: the reader does not keep up")
        self._news.set()

    def _fail(self, reason: str) -> None:
        self._problem = reason
        self._news.set()


def open_live(settings: FeedSettings) -> BinanceFuturesFeed:
    """Open the market that settings name; it shares the venue's limits with who trades there.

    Raises:
        ConfigError: see `BinanceFuturesFeed`.
    """
    testnet, rest_url, stream_url = settings.testnet, settings.rest_url, settings.stream_url
    where = endpoints(testnet=testnet, rest_url=rest_url, stream_url=stream_url)
    return BinanceFuturesFeed(
        settings,
        testnet=testnet,
        rest_url=rest_url,
        stream_url=stream_url,
        budget=shared_budget(where.rest_url, chance.random),
    )


def _groups(symbols: Sequence[Symbol]) -> list[tuple[Symbol, ...]]:
    """Part symbols evenly: the last of many must not have a connection to itself."""
    size = -(-len(symbols) // -(-len(symbols) // GROUP))
    return [tuple(symbols[i : i + size]) for i in range(0, len(symbols), size)]


class _Address:
    """Where a stream is; there is nothing to ask first."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __call__(self) -> str:
        return self._url


async def _until_up(streams: Sequence[Stream]) -> None:
    try:
        async with asyncio.timeout(OPEN_PATIENCE_S):
            for stream in streams:
                await stream.went_up.wait()
    except TimeoutError:
        why = next((f": {each.problem}" for each in streams if each.problem), "")
        raise NetworkError(f"the streams did not open in {OPEN_PATIENCE_S:g} s{why}") from None
