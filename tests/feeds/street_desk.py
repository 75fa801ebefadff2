"""A session's ears: the live feed, the runner and the engine's market, and judges beside them."""

from __future__ import annotations

import asyncio
from random import Random
from types import SimpleNamespace

from holdfast.engine.market import Market
from holdfast.engine.risk import stale_data
from holdfast.feeds import FeedSettings
from holdfast.feeds.binance_futures import BinanceFuturesFeed
from holdfast.model.market import (
    Bar,
    BookDelta,
    BookSnapshot,
    MarketData,
    MarkPrice,
    Quote,
    Trade,
    timeframe_ns,
)
from holdfast.model.messages import MarketLink
from holdfast.model.order_book import OrderBook
from holdfast.model.settings import EngineSettings
from holdfast.model.values import NS_PER_S, Symbol, TradingSessionStatus
from holdfast.runtime.clock import TICK_NS, WallClock
from holdfast.runtime.feeding import Feeding
from holdfast.runtime.runner import LiveStrategyRunner
from holdfast.strategies import Strategy
from tests.feeds.street import MARKET, PUBLIC, Street, StreetWire, Tape
from tests.runtime.runner_session import Books

FRAMES = ("5s", "1m")
ATTEMPTS_MAX = 100
"""Connections of one path in a run: they are replaced every 5 s, or refused for a while."""

SNAPSHOTS_MAX = 120
"""Of 20 each a minute, where 2,400 are allowed."""

MARKS_S_MAX = 12.5
"""How long mark prices may be missing before that is told: 10 s, a look each second, and ours."""

CALM_S = 105.0
"""How long into the calm everything may take to flow again."""


class StreetFeed(BinanceFuturesFeed):
    """The feed, and who hears what it tells of gaps."""

    desk: Desk

    def _tell_gap(self, symbol: Symbol, first: int, last: int) -> None:
        super()._tell_gap(symbol, first, last)
        self.desk.gaps.append((symbol, first, last, self.desk.street.life))

    def _show(self, message: MarketData) -> None:
        self.desk.came[id(message)] = self.desk.street.loop.time()
        super()._show(message)


class Plain:
    """Calls hooks."""

    budget_ns = 1 << 62

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def call(self, hook, *args) -> None:
        hook(*args)


class Listener(Strategy):
    """Hears everything, and says what is wrong with it."""

    timeframes = FRAMES

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def on_trade(self, trade: Trade) -> None:
        self.desk.hear_trade(trade)

    def on_quote(self, quote: Quote) -> None:
        self.desk.hear_quote(quote)

    def on_book(self, book: OrderBook) -> None:
        self.desk.hear_book(book)

    def on_bar(self, bar: Bar) -> None:
        self.desk.hear_bar(bar)


class Desk:
    """What `LiveSession` does with a feed, judged."""

    def __init__(self, street: Street, lots: Random, *, lifetime_s: float) -> None:
        self.street = street
        self.wrong: list[str] = []
        self.cuts: list[tuple[Symbol, float, float]] = []  # from when to when it was cut off
        self.since: dict[Symbol, float] = {}  # when those were cut off that are
        self.gaps: list[tuple[Symbol, int, int, int]] = []
        self.came: dict[int, float] = {}
        self.seen: dict[tuple[Symbol, str], float] = {}  # when the newest came that was shown
        self.last: dict[Symbol, tuple[int, float]] = {}  # trade's place, and when it came
        self.now_came = 0.0
        self.marked: dict[Symbol, float] = {}
        self.quoted: dict[Symbol, int] = {}
        self.touch: dict[Symbol, tuple[float, float, int]] = {}
        self.bars: dict[tuple[Symbol, str], list[Bar]] = {}
        self.books: dict[Symbol, OrderBook] = {}
        symbols = tuple(street.tapes)
        self.feed = StreetFeed(
            FeedSettings(symbols=symbols, books=True),
            rest_url="http://street",
            now=street.machine_now,
            random=lots.random,
            open_wire=lambda: StreetWire(street),
            lifetime_s=lifetime_s,
        )
        self.feed.desk = self
        self.clock = WallClock(street.machine_now, lambda: street.loop.now_ns)
        self.market = Market(60)
        self.limits = EngineSettings().limits
        self.runner = LiveStrategyRunner()
        self.runner.guard = Plain()  # type: ignore[assignment]  # virtual time has no budget
        self.runner.add_strategy("l", Listener(self))
        self.runner.begin(
            symbols, self.feed, self.clock.now(), lambda _: None, Books(), self._failed
        )
        self.status = TradingSessionStatus.RUNNING
        self.is_closed = False
        self.has_failed = False
        self.stopwatch = None
        self.has_uncommitted = False
        self.shell = self
        self.accounts = SimpleNamespace(venues={})
        self.notifier = self
        self.next_tick = 0

    def say(self, text: str) -> None:
        self.wrong.append(f"{self.street.loop.time():.3f}: {text}")

    def _failed(self, strategy_id, reason) -> None:
        self.say(f"strategy was taken off: {reason}")

    # As a shell

    @property
    def is_backed_up(self) -> bool:
        return self.street.lasts("backlog")

    async def committed(self) -> None:
        await asyncio.sleep(max(0.0, self.street.until["backlog"] - self.street.loop.time()))

    def fail(self, error: BaseException) -> None:
        self.say(f"it failed: {error!r}")

    def notify(self, level: str, text: str) -> None:
        self.say(f"{level} of a feed without an account: {text}")

    def hear(self, link: MarketLink) -> None:
        market = self.market.of(link.symbol)
        market.cut_off = "" if link.is_up else link.reason
        now = self.street.loop.time()
        if link.is_up:
            self.cuts.append((link.symbol, self.since.pop(link.symbol), now))
        else:
            self.since[link.symbol] = now

    # As a session

    async def run(self) -> None:
        """Hear for ever."""
        feeding = Feeding(self, self.clock, is_hurried=False)  # type: ignore[arg-type]
        work = [feeding.run(0), self._beat(), *self.runner.beside()]
        try:
            await asyncio.gather(*work)
        except Exception as error:  # noqa: BLE001 - a session would be over
            self.say(f"it ended: {error!r}")

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            if self.clock.now() >= self.next_tick:
                self._tick()
            self._judge_freshness()

    def _tick(self) -> None:
        now = self.clock.now()
        self.next_tick = now + TICK_NS
        self.runner.on_time(now)

    def on_market(self, message: MarketData) -> None:
        if self.clock.now() >= self.next_tick:
            self._tick()
        came, symbol = self.came.pop(id(message)), message.symbol
        self.now_came = came
        if isinstance(message, Quote):
            self.touch[symbol] = message.bid, message.ask, message.ts
        elif isinstance(message, BookSnapshot) and message.bids:
            if message.ts > self.touch.get(symbol, (0, 0, 0))[2]:
                self.touch[symbol] = message.bids[0][0], message.asks[0][0], message.ts
        elif isinstance(message, BookDelta) and not self.quoted.get(symbol):
            self.touch.pop(symbol, None)  # of a book that has changed since
        if isinstance(message, MarkPrice):
            self.marked[symbol] = came
        if isinstance(message, Trade | MarkPrice):
            self.seen[symbol, MARKET] = came
        elif isinstance(message, Quote) or (isinstance(message, BookSnapshot) and message.bids):
            self.seen[symbol, PUBLIC] = came
        self.market.see(message)
        if isinstance(message, Quote | BookSnapshot | BookDelta):
            self._judge_reference(symbol)
        self.runner.on_market(message)

    # Judges

    def _judge_reference(self, symbol: Symbol) -> None:
        found = self.market.of(symbol)
        expected = self.touch.get(symbol)
        if expected and (found.bid, found.ask) != expected[:2]:
            self.say(f"{symbol} is judged by {found.bid}/{found.ask}, heard was {expected}")

    def _judge_freshness(self) -> None:
        for symbol in self.street.tapes:
            if self.is_backed_up or self.feed._batch or not self.passes(symbol):
                continue
            for path in (PUBLIC, MARKET):
                lost_at = self.street.lost_at.get((symbol, path), -1.0)
                seen = self.seen.get((symbol, path), 0.0)
                if seen <= lost_at < self.street.loop.time() and symbol in self.touch:
                    self.say(f"{symbol} passes, but nothing of {path} came since {lost_at:.3f}")
            marked = self.marked.get(symbol, 0.0)
            if self.street.loop.time() > marked + MARKS_S_MAX:
                self.say(f"{symbol} passes, but the last mark price came at {marked:.3f}")
            self._judge_touch(self.street.tapes[symbol])

    def _judge_touch(self, tape: Tape) -> None:
        """See that a touch that nobody will tell any more was told to be missing."""
        street, found = self.street, self.market.of(tape.symbol)
        may_miss = street.has_lost or any(each.has_dropped for each in street.sockets)
        may_miss = may_miss or bool(street.revisited)  # quotes are told apart by their times
        may_miss = may_miss or street.lost_at.get((tape.symbol, PUBLIC)) == street.loop.time()
        if may_miss or tape.touched_at > street.loop.time() - 2.5 or not found.bid:
            return
        if (found.bid, found.ask) != tape.touch[::2]:
            self.say(f"{tape.symbol} passes at {found.bid}/{found.ask}, and is at {tape.touch}")

    def passes(self, symbol: Symbol) -> bool:
        ctx = SimpleNamespace(
            limits=self.limits,
            now=self.clock.now(),
            case=lambda _: SimpleNamespace(market=self.market.of(symbol)),
        )
        return stale_data.check(SimpleNamespace(symbol=symbol), ctx).passed  # type: ignore[arg-type]

    def hear_trade(self, trade: Trade) -> None:
        symbol = trade.symbol
        place = self.street.tapes[symbol].places.get(trade)
        if place is None:
            self.say(f"{trade} was heard, and never traded")
            return
        before, since = self.last.get(symbol, (place - 1, 0.0))
        self.last[symbol] = place, self.now_came
        if place <= before:
            self.say(f"trade at {place} of {symbol} was heard behind {before}")
        elif place > before + 1 and not self._is_told(symbol, trade, since):
            self.say(f"trades between {before} and {place} of {symbol} are missing, untold")

    def _is_told(self, symbol: Symbol, trade: Trade, since: float) -> bool:
        """Tell whether it was said that something is missing right before a trade."""
        if any(each[:3:2] == (symbol, trade.trade_id - 1) for each in self.gaps):
            return True
        if self.since.get(symbol, self.now_came + 1) <= self.now_came:
            return True
        return any(
            each == symbol and begin <= self.now_came and since <= end
            for each, begin, end in self.cuts
        )

    def hear_quote(self, quote: Quote) -> None:
        before = self.quoted.get(quote.symbol, 0)
        self.quoted[quote.symbol] = quote.ts
        if quote.ts < before and not self._is_revisited(quote.ts, quote.ts):
            self.say(f"{quote} was heard behind one of {before}")
        shown = (quote.ts, quote.bid, quote.bid_qty, quote.ask, quote.ask_qty)
        if shown not in self.street.tapes[quote.symbol].quotes:
            self.say(f"{quote} was heard, and the touch was never that")

    def hear_book(self, book: OrderBook) -> None:
        self.books[book.symbol] = book
        if book.is_whole:
            state = tuple(book.bids(100)), tuple(book.asks(100))
            if state not in self.street.tapes[book.symbol].states[book.update_id]:
                self.say(f"the book of {book.symbol} at {book.update_id} was never {state}")

    def hear_bar(self, bar: Bar) -> None:
        shown = self.bars.setdefault((bar.symbol, bar.timeframe), [])
        if shown and bar.open_ts < shown[-1].ts:
            self.say(f"{bar} was heard behind {shown[-1]}")
        shown.append(bar)
        if not self._is_revisited(bar.open_ts, bar.ts) and bar not in self._possible(bar):
            truth = self.street.tapes[bar.symbol].bars(bar.timeframe).get(bar.open_ts)
            self.say(f"a bar was heard as {bar}, and was {truth}")

    def _possible(self, bar: Bar) -> list[Bar | None]:
        """Return the bar, also without its last trades where nothing shows that they are missing."""
        tape = self.street.tapes[bar.symbol]
        places = [n for n, t in enumerate(tape.trades) if bar.open_ts <= t.ts < bar.ts]
        found = [tape.bars(bar.timeframe).get(bar.open_ts)]
        while places and places[-1] in tape.dropped:
            found.append(tape.bars(bar.timeframe, places.pop()).get(bar.open_ts))
        return found

    def _is_revisited(self, since: int, until: int) -> bool:
        return any(begin <= until and since <= end for begin, end in self.street.revisited)

    # At the end, in the calm

    def judge_calm(self) -> None:
        """See that everything flows again, and that nothing is left of the storm."""
        for symbol, tape in self.street.tapes.items():
            self._judge_calm_prices(tape)
            self._judge_calm_book(tape)
            for timeframe in FRAMES:
                self._judge_calm_bars(symbol, timeframe)
        if self.feed._batch or len(self.feed._repeats._last) > 3 * len(self.street.tapes):
            self.say("something is left behind")
        if not self.street.has_dropped:
            self._judge_gaps()
        self._judge_requests()

    def _judge_calm_prices(self, tape: Tape) -> None:
        symbol, street = tape.symbol, self.street
        if symbol in self.since:
            self.say(f"{symbol} is cut off in the calm: {self.market.of(symbol).cut_off}")
        is_clock_right = abs(self.clock.now() - street.venue_now()) < 5 * NS_PER_S
        if is_clock_right and not self.passes(symbol):
            self.say(f"{symbol} is refused in the calm")
        settled = [n for n, t in enumerate(tape.trades) if self._is_over(t.ts, 2)]
        if settled and self.last.get(symbol, (-1, 0))[0] < settled[-1]:
            self.say(f"trade {settled[-1]} of {symbol} was not heard in the calm")

    def _judge_gaps(self) -> None:
        """See that what was told to be missing never came."""
        for symbol, first, last, life in self.gaps:
            for number in range(first, last + 1):
                if (symbol, number, life) in self.street.arrived:
                    self.say(f"trade {number} of {symbol} came, and was told never to have come")

    def _judge_requests(self) -> None:
        street = self.street
        if max(street.opened.values()) > ATTEMPTS_MAX:
            self.say(f"connections were opened {street.opened}")
        asked = [at for at, path in street.asked if path.endswith("depth")]
        if any(b - a < 60 for a, b in zip(asked, asked[SNAPSHOTS_MAX:], strict=False)):
            self.say("more snapshots were asked for than the venue allows")

    def _is_over(self, ts: int, seconds: int) -> bool:
        return ts < self.street.venue_now() - seconds * NS_PER_S

    def _judge_calm_book(self, tape: Tape) -> None:
        book = self.books.get(tape.symbol)
        if book is None or not book.is_whole:
            self.say(f"the book of {tape.symbol} is not whole in the calm")
            return
        current = {number for at, number, *_ in tape.past if at > self.street.loop.time() - 2.0}
        if current and book.update_id not in current | {tape.past[-len(current) - 1][1]}:
            self.say(f"the book of {tape.symbol} is at {book.update_id}, not in {current}")

    def _judge_calm_bars(self, symbol: Symbol, timeframe: str) -> None:
        """See that bars of the last time are shown, each."""
        length = timeframe_ns(timeframe)
        shown = {bar.open_ts for bar in self.bars.get((symbol, timeframe), [])}
        since = self.street.venue_now() - 12 * NS_PER_S - length
        if timeframe == "1m" and not self.street.has_failed:
            since = 0  # what was not heard of it can be had
        for start in self.street.tapes[symbol].bars(timeframe):
            is_due = start >= since and self._is_over(start + length, 4)
            if is_due and start not in shown and not self._is_revisited(start, start + length):
                self.say(f"the bar {timeframe} of {symbol} from {start} was not shown")
