"""Inbox -> engine -> journal -> venue: the one pass that every message takes.

Rule 1: a fact is committed before its command leaves.
Rule 2: one message is handled at a time, in the order of arrival; nothing is awaited in between.
Rule 3: nothing is handled before this process's own epoch has begun, with `StartSession`. Until
then the fold speaks for the owner before, whose last facts may be lost and whose ids are taken.
Rule 4: what an operator was told stands, behind a power cut too: the kill switch and a pause are
on the disk before they are answered, and a request that may be repeated before its order leaves.
Rule 5: when the engine or the journal fails, nothing more leaves. Whoever runs the shell throws
the engine away, folds the journal and reconciles.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from ..engine.engine import Engine, Outcome
from ..model import commands as cmd
from ..model import messages as msg
from ..model.errors import InputError, JournalError, SessionStateError, UnknownOrderError
from ..model.events import Event
from ..model.values import AccountId, ParentId
from ..ports import Clock, Journal, Notifier, Venue
from .recorded import as_recorded
from .stopwatch import Lap, Stopwatch

INBOX_MAX = 100_000
"""How many messages may wait; more mean that something feeds itself."""

UNCOMMITTED_MAX = 10_000
"""How many batches of facts may wait for a grouped commit before the feed is made to wait."""

HELD_MAX = 1_000
"""How many facts may be held back."""

NEVER = 2**63 - 1

LATCHES = (msg.PauseSession, msg.ResumeSession, msg.EngageKillSwitch, msg.ReleaseKillSwitch)
"""Words of an operator that outlive the process."""

Listener = Callable[[Sequence[Event]], None]

_CALLERS_FAULT = (InputError, SessionStateError, UnknownOrderError)


class Shell:
    """Hands messages to the engine and carries out what it decides.

    Args:
        venues: by account.
        listeners: told of facts after they were appended, in order; must not raise.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        clock: Clock,
        venues: dict[AccountId, Venue],
        notifier: Notifier,
    ) -> None:
        self.engine = engine
        self.listeners: list[Listener] = []
        self.last_snapshot: dict[AccountId, msg.VenueSnapshot] = {}  # without what had happened
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._journal = journal
        self._clock = clock
        self._venues = venues
        self._notifier = notifier
        self.stopwatch: Stopwatch | None = None  # who sets it has the ways of orders timed
        self._lap: Lap | None = None
        self.holds_back = False  # facts that no command waits for: whoever sets it releases them
        self._held: list[Event] = []
        self._inbox: deque[msg.Message] = deque()
        self._is_pumping = False
        self._thread = threading.get_ident()
        self._has_begun = False
        self._appended = self._recorded = 0  # batches of facts
        self._to_sync = self._synced = 0  # latches
        self._committed = asyncio.Event()
        self._changed = asyncio.Event()
        self._timers: list[tuple[int, int, ParentId]] = []
        self._timer_number = 0

    @property
    def has_failed(self) -> bool:
        """Tell whether nothing more is handled."""
        return self.failed.done()

    @property
    def has_begun(self) -> bool:
        """Tell whether the epoch that owns the journal is the fold's own."""
        if not self._has_begun:
            self._has_begun = self.engine.state.epoch == self._journal.epoch
        return self._has_begun

    def hear(self, message: msg.Message) -> None:
        """Take a message in: at once, or behind the one that is being handled.

        What comes before the session has begun waits for that. A shell that has failed hears
        nothing any more.
        """
        if self.failed.done():
            return
        if len(self._inbox) >= INBOX_MAX:
            self.fail(RuntimeError(f"{INBOX_MAX} messages are waiting: something feeds itself"))
            return
        self._inbox.append(message)
        if not self._is_pumping and (self._has_begun or self.has_begun):
            self._pump()

    def ask(self, message: msg.Message) -> Outcome:
        """Handle an operator's message now and return what it led to.

        It is on record once `recorded` returns, behind a power cut too where that matters.

        Raises:
            InputError, SessionStateError, UnknownOrderError: it can't be carried out; nothing
                was changed.
        """
        if threading.get_ident() != self._thread:
            raise SessionStateError(
                "the session belongs to another thread: ask on its loop, as "
                "asyncio.run_coroutine_threadsafe does"
            )
        if not self.has_begun and type(message) is not msg.StartSession:
            raise SessionStateError("the session is starting: it takes nothing on yet")
        if self._is_pumping:
            raise SessionStateError("the engine is busy: ask from a task of your own")
        if self.has_failed:
            raise SessionStateError(f"the session has failed: {self.failed.result()}")
        message = as_recorded(message)
        self._is_pumping = True
        try:
            outcome = self._handle(message)
            if type(message) in LATCHES and self._journal.is_synchronous:  # else commits are syncs
                self._to_sync += 1
                self._journal.when_synced(self._hear_synced)
        except _CALLERS_FAULT:
            raise
        except Exception as error:
            self.fail(error)
            raise
        finally:
            self._is_pumping = False
        self._pump()
        return outcome

    def _hear_synced(self) -> None:
        self._synced += 1
        self._committed.set()

    def _pump(self) -> None:
        inbox, failed = self._inbox, self.failed
        self._is_pumping = True
        try:
            while inbox and not failed.done():
                self._handle(inbox.popleft())
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more may leave
            self.fail(error)
        finally:
            self._is_pumping = False

    def fail(self, error: BaseException) -> None:
        """Let nothing more leave, and let go who waits."""
        if not self.has_failed:
            self.failed.set_result(error)
        self._inbox.clear()
        self._changed.set()
        self._committed.set()

    def _handle(self, message: msg.Message) -> Outcome:
        watch = self.stopwatch
        begun = watch.now() if watch is not None else 0
        outcome = self.engine.handle(message, self._clock.now())
        if watch is not None and outcome.commands:
            self._lap = watch.lap(begun)
        if outcome.facts:
            self._record(outcome, message)
            for listener in self.listeners:
                listener(outcome.facts)
            self._changed.set()
        elif outcome.commands:
            self._let_leave(outcome.commands, None)
        if type(message) is msg.VenueSnapshot:
            self.last_snapshot[message.account] = msgspec.structs.replace(
                message, trades=(), changes=()
            )
            self._changed.set()
        return outcome

    def _record(self, outcome: Outcome, message: msg.Message) -> None:
        """Commit facts; those that no command waits for may be held back a little."""
        commands = outcome.commands
        if self.holds_back:
            self._held += outcome.facts
            if commands or len(self._held) >= HELD_MAX:
                self.release(commands)
            return
        self._appended += 1
        # A request that somebody who got no answer may send again, to be acted on once.
        is_synced = type(message) is msg.PlaceRequest and message.request_id
        let_go = self._let_go_synced if is_synced else self._let_go
        self._journal.append(outcome.facts, partial(let_go, commands, self._lap))

    def release(self, commands: Sequence[cmd.Command] = ()) -> None:
        """Commit what was held back."""
        held, self._held = self._held, []
        if held:
            self._appended += 1
            self._journal.append(held, partial(self._let_go, commands))

    def _let_go_synced(self, commands: Sequence[cmd.Command], lap: Lap | None) -> None:
        """Let commands leave once no power cut can take the facts that they follow from."""
        if self._journal.is_synchronous:  # else its commits are syncs
            try:
                self._journal.sync()
            except JournalError as error:
                self.fail(error)
        self._let_go(commands, lap)

    def _let_go(self, commands: Sequence[cmd.Command], lap: Lap | None = None) -> None:
        self._recorded += 1
        if commands and not self.failed.done():
            try:
                self._let_leave(commands, lap)
            except Exception as error:  # where commits are grouped, no caller would hear of it
                self.fail(error)
                raise
        self._committed.set()

    def _let_leave(self, commands: Sequence[cmd.Command], lap: Lap | None) -> None:
        """Carry commands out: people are told last, of what has left by then."""
        watch = self.stopwatch
        recorded = watch.now() if watch is not None else 0
        timed: list[msg.Message] = []
        notices: list[cmd.Notify] = []
        try:
            for command in commands:
                if type(command) is cmd.Notify:
                    notices.append(command)
                    continue
                self._carry_out(command)
                if watch is not None and lap is not None and type(command) is cmd.SubmitOrder:
                    timed.append(watch.timed(command.order.cl_ord_id, lap, recorded))
        finally:
            for notice in notices:
                self._carry_out(notice)
        for message in timed:
            self.hear(message)

    def _carry_out(self, command: cmd.Command) -> None:
        match command:
            case cmd.SubmitOrder():
                self._venues[command.order.account].submit(command)
            case cmd.CancelOrder():
                self._venues[command.account].cancel(command)
            case cmd.ReplaceOrder():
                self._venues[command.account].replace(command)
            case cmd.QueryOrder():
                self._venues[command.account].query(command)
            case cmd.Resync():
                self._venues[command.account].resync(command)
            case cmd.SetTimer():
                self._timer_number += 1
                entry = (command.due_ts, self._timer_number, command.parent_id)
                heapq.heappush(self._timers, entry)
            case cmd.Notify():
                self._notifier.notify(command.level, command.text)

    # Time

    @property
    def due_ts(self) -> int:
        """Return when the next parent is to be woken; far off where none is."""
        return self._timers[0][0] if self._timers else NEVER

    def fire_timers(self, now: int, may_wake: Callable[[ParentId], bool] = lambda _: True) -> None:
        """Wake the parents whose time has come, and that may be woken; the others wait on."""
        waiting: list[tuple[int, int, ParentId]] = []
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)
            if may_wake(timer[2]):
                self.hear(msg.TimerFired(parent_id=timer[2]))
            else:
                waiting.append(timer)
        for timer in waiting:
            heapq.heappush(self._timers, timer)

    # Waiting

    async def committed(self) -> None:
        """Wait until every fact is durable, and what its commands led to at once is too."""
        while self.has_uncommitted and not self.has_failed:
            self._committed.clear()
            await self._committed.wait()

    async def recorded(self) -> None:
        """Wait until every fact and latch so far is durable, however many follow meanwhile."""
        wanted, to_sync = self._appended, self._to_sync
        while (self._recorded < wanted or self._synced < to_sync) and not self.has_failed:
            self._committed.clear()
            await self._committed.wait()

    @property
    def is_backed_up(self) -> bool:
        """Tell whether the journal is so far behind that the feed should wait."""
        return self._appended - self._recorded > UNCOMMITTED_MAX

    @property
    def has_uncommitted(self) -> bool:
        """Tell whether commands wait for a commit."""
        return self._recorded < self._appended

    @property
    def appended_count(self) -> int:
        """Return how many batches of facts the journal was given."""
        return self._appended

    @property
    def recorded_count(self) -> int:
        """Return how many batches of facts the journal has taken."""
        return self._recorded

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for facts to make a condition true; tell whether they did in time."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not condition():
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or self.has_failed:
                return condition()
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return condition()
        return True

    async def unless_over(
        self, work: Callable[[], Awaitable[None]], is_over: Callable[[], bool] = lambda: False
    ) -> None:
        """Do something, cut off as soon as facts make a condition true or this shell fails."""

        def look(_: object) -> None:
            if scope.when() is None and (self.has_failed or is_over()):
                scope.reschedule(0.0)

        if self.has_failed or is_over():
            return
        self.failed.add_done_callback(look)
        self.listeners.append(look)
        try:
            async with asyncio.timeout(None) as scope:
                await work()
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self.listeners.remove(look)
            self.failed.remove_done_callback(look)
