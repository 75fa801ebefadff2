"""Play a recording through a session as fast as it can be read, deciding nothing of its own.

Every message takes the one way that there is, `LiveSession.on_market`, but for trades of which it
is certain beforehand that engine and exchange would do nothing with them but note the price:

1. the price is inside the exchange's band: nothing fills, is triggered or is liquidated;
2. the price is inside the engine's band: no margin is nearly used up;
3. nothing falls due: no tick of the engine decides anything, no timer, no delayed request, no
   bar, no audit. Ticks that decide nothing are left out, the others come when they would.

Facts that no command waits for are committed together with the next that one does, or when others
have their turn, whatever comes first. Every command still leaves behind its facts.

Those trades are shown to the strategies alone. Before anybody asks (a wish is passed on, a strategy
looks at its equity, a message takes the usual way), the last of them is noted everywhere. So the
facts are the same, to the last decimal and nanosecond, as without this.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import length_hint
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from ..engine import quiet
from ..model.market import MarketData, Trade
from ..model.values import Symbol, TradingSessionStatus
from ..ports import Clock, Recorded
from .attached import Attached
from .block import Block, blocks
from .clock import TICK_NS

if TYPE_CHECKING:
    from .live import LiveSession

TURN_S = 0.02
"""How long the loop's other tasks may have to wait for their turn."""

TURN_MESSAGES = 64
"""After how many messages the clock is looked at."""

STRIDE = 2048
"""How many trades are looked at ahead at once."""

SHORT = 8
"""A run that is shorter was not worth looking for ..."""

PATIENCE = 64
"""... and so many trades take the usual way before one is looked for again."""


@runtime_checkable
class Quiet(Protocol):
    """A venue that can say which trades change nothing there."""

    @property
    def due_ts(self) -> int:
        """Return when something falls due by itself next."""

    def band(self, symbol: Symbol) -> tuple[float, float]:
        """Return the prices between which a trade changes nothing but the last price."""

    def pass_over(self, trade: Trade) -> None:
        """Take the last of some trades inside the band and before `due_ts`."""


class TapeError(Exception):
    """The recording can't be read on; `cause` says why."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def tape_for(session: LiveSession, clock: Clock) -> Tape | None:
    """Return a tape where the session's parts allow one."""
    feed, venue = session.feed, session.venue
    if not isinstance(feed, Recorded) or not isinstance(venue, Quiet):
        return None
    if len(session.accounts.names) > 1:
        return None  # it looks after one account's orders
    return Tape(session, feed, venue, clock) if session.journal.is_synchronous else None


class Tape:
    """Plays one recording to one session."""

    def __init__(self, session: LiveSession, feed: Recorded, venue: Quiet, clock: Clock) -> None:
        self._session = session
        self._feed = feed
        self._venue = venue
        self._clock = clock
        self._limits: Limits | None = None
        self.passed_over = 0  # trades that only the strategies saw

    async def play(self, after_ts: int) -> None:
        """Show everything later than a time, until the end or until the session has ended.

        Raises:
            TapeError: the recording can't be read on.
        """
        shell = self._session.shell
        shell.holds_back = True
        try:
            await self._play(after_ts)
        finally:
            shell.holds_back = False
            if not shell.has_failed:
                shell.release()

    async def _play(self, after_ts: int) -> None:
        turn = time.monotonic()
        for piece in self._pieces(after_ts):
            for _ in self._show(piece):
                if time.monotonic() - turn > TURN_S:
                    await self._give_turn()
                    if self._is_over:
                        return
                    turn = time.monotonic()
            if self._is_over:
                return

    async def _give_turn(self) -> None:
        """Let others do what they wait for: nothing is held back from them."""
        session = self._session
        session.shell.holds_back = False
        session.shell.release()
        session.on_turn()
        await asyncio.sleep(0)
        session.shell.holds_back = True
        self._limits = None  # whoever had a turn may have changed something

    @property
    def _is_over(self) -> bool:
        session = self._session
        return session.shell.has_failed or session.status is TradingSessionStatus.STOPPED

    def _pieces(self, after_ts: int) -> Iterator[Block | Sequence[MarketData]]:
        chunks = self._feed.read(after_ts)
        while True:
            try:
                chunk = next(chunks, None)
            except Exception as error:
                raise TapeError(error) from error
            if chunk is None:
                return
            yield from blocks(chunk)

    def _show(self, piece: Block | Sequence[MarketData]) -> Iterator[None]:
        """Show a piece, stopping now and then for whoever wants a turn."""
        if isinstance(piece, Block):
            return self._show_block(piece)
        return self._show_each(piece)

    def _show_each(self, messages: Sequence[MarketData]) -> Iterator[None]:
        on_market = self._session.on_market
        self._limits = None
        for number, message in enumerate(messages, 1):
            on_market(message)
            if not number % TURN_MESSAGES:
                yield
        yield

    def _show_block(self, block: Block) -> Iterator[None]:
        """Show trades, leaving out what is certain to change nothing."""
        at, end, wait = 0, len(block), 1
        on_market = self._session.on_market
        while at < end:
            limits = self._limits
            if limits is None or limits.symbol != block.symbol:
                limits = self._limits = self._limits_of(block.symbol)
            run = Run(self._session, self._venue, self._clock, block)
            if limits is not None and run.reach(at, min(at + STRIDE, end), limits):
                after = run.show()
                self.passed_over += after - at
                wait = 1 if after - at >= SHORT else PATIENCE
                at = after
                if run.is_whole:
                    yield
                    continue
            self._limits = None  # what was said, or is shown now, may move them
            for trade in block.messages(at, at + wait):
                on_market(trade)
            at += wait
            yield
            if self._is_over:
                return

    def _limits_of(self, symbol: Symbol) -> Limits | None:
        """Return within what nothing happens; None where every message counts."""
        session, runner = self._session, self._session.runner
        route = runner.route(symbol)
        if session.needs_ticks() or (route is not None and not route.can_run):
            return None
        core = session.engine.core
        low, high = self._venue.band(symbol)
        floor, ceiling = quiet.band(core, symbol)
        due = min(self._venue.due_ts, session.shell.due_ts, runner.bars_due_ts)
        ticks_due = min(due, quiet.until(core), session.next_audit)
        return Limits(symbol, max(low, floor), min(high, ceiling), due, ticks_due)


class Limits(NamedTuple):
    """Within what nothing happens: prices strictly between the two, times before the two.

    `ticks_due_ts` is from when on a tick may decide something; it comes with a message.
    """

    symbol: Symbol
    low: float
    high: float
    due_ts: int
    ticks_due_ts: int


class Run:
    """Trades of one symbol that only strategies need to see."""

    def __init__(self, session: LiveSession, venue: Quiet, clock: Clock, block: Block) -> None:
        self._session = session
        self._venue = venue
        self._clock = clock
        self._block = block
        self._route = session.runner.route(block.symbol)
        self._ticks: list[int] = []  # trades before which a tick came that decided nothing
        self._noted = 0  # up to here everybody knows
        self._left: Iterator[Trade] = iter(())
        self._start = self._end = 0
        self.is_whole = False  # nothing was said, and nothing is about to happen

    def reach(self, start: int, stop: int, limits: Limits) -> bool:
        """Work out how far the run goes, up to `stop`; tell whether it goes anywhere."""
        block, times = self._block, self._block.times
        end = block.inside(start, stop, limits.low, limits.high)
        if end and times[end - 1] >= limits.due_ts:
            end = bisect_left(times, limits.due_ts, start, end)
        due, at = self._session.next_tick, start
        while (at := bisect_left(times, due, at, end)) < end:
            if times[at] >= limits.ticks_due_ts:
                end = at
                break
            self._ticks.append(at)
            due = times[at] + TICK_NS
        self._start = self._noted = start
        self._end = end
        self.is_whole = end == stop
        return end > start

    def show(self) -> int:
        """Show the trades to those who want them; return where the next message is.

        Ends early behind a trade at which a strategy said something.
        """
        runner, view = self._session.runner, self._session.view
        heard = self._route.trades if self._route is not None else ()
        if not heard:
            self._note(self._end)
            return self._end
        self._left = iter(self._block.messages(self._start, self._end))
        runner.behind = view.behind = self
        try:
            if len(heard) == 1 and runner.guard.can_watch_runs:
                runner.call_each(heard[0], self._left)
            else:
                self._hand_out(heard)
        finally:
            runner.behind = view.behind = None
        self.is_whole &= self._noted == self._start
        self._note(self._shown)
        return self._noted

    def _hand_out(self, heard: Sequence[Attached]) -> None:
        """Show each trade to each strategy in turn, until one has said something."""
        runner = self._session.runner
        for trade in self._left:
            for one in heard:
                if one.is_live and one.on_trade is not None:
                    runner.call(one, one.on_trade, trade)
            if self._noted == self._shown:
                return

    @property
    def _shown(self) -> int:
        """Return the place behind the trade that is being shown."""
        return self._end - length_hint(self._left)

    def now(self) -> int:
        """Return the time of the trade that is being shown."""
        return self._block.times[self._shown - 1]

    def catch_up(self) -> None:
        """Let everybody know of the trade that is being shown, as of all before it."""
        self._note(self._shown)

    def _note(self, end: int) -> None:
        start, self._noted = self._noted, max(self._noted, end)
        if end <= start:
            return
        session, block = self._session, self._block
        last = block.at(end - 1)
        market = session.engine.core.market
        self._clock.advance(last.ts)
        market.pass_over(block.last_of_periods(start, end, market.sample_ns))
        self._venue.pass_over(last)
        session.runner.pass_over(last)
        if self._route is not None:
            self._route.count(block, start, end)
        ticks = bisect_left(self._ticks, end)
        if ticks:
            session.next_tick = block.times[self._ticks[ticks - 1]] + TICK_NS
