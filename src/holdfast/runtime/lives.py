"""A session's lives, one after the other.

A life that fails is thrown away: the journal is folded anew and the venue's books are reconciled
before the next one trades. A session that is given up is left in ERROR, on record, its entries
taken back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from ..model import messages as msg
from ..model.config import TradingConfig
from ..model.errors import (
    ConfigError,
    InputError,
    JournalError,
    OutcomeUnknownError,
    SessionStateError,
    TradingError,
)
from ..model.values import TradingSessionStatus
from ..ports import Notifier
from .books import BooksReport, read_and_compare
from .last_words import Latch, latch_between, record_end
from .leaving import closed, take_entries_back
from .live import LiveSession
from .outage import is_passing, leave_stop, leave_to_the_next, what_is_away

RESTARTS_MAX = 5
"""How often in a row a failed session is begun anew before it is left in ERROR."""

RESTART_DELAY_S = 1.0
"""How long the first restart waits; each further one waits that much longer."""

OUTAGE_S_MAX = 24 * 3600.0
"""How long a venue that can't be reached is waited for: that is no failing of this process."""

OUTAGE_DELAY_S_MAX = 60.0
"""The longest wait between two tries to reach it; the first ones are shorter."""

HEALTHY_AFTER_S = 600.0
"""A life that lasted so long makes the restarts before it forgotten."""

_FINAL = (JournalError, ConfigError, InputError)
"""What another try can't mend: the record, the settings, the strategies."""

_log = logging.getLogger("holdfast.session")

Make = Callable[[], Awaitable[LiveSession]]


class Lives:
    """Runs life after life until the session has ended.

    Args:
        make: assembles a life, not yet open.
        on_owned: called once the first life owns the journal, before it is opened.
    """

    def __init__(
        self,
        make: Make,
        config: TradingConfig,
        notifier: Notifier,
        on_owned: Callable[[], None] = lambda: None,
    ) -> None:
        self.fault = ""
        self.restarts = 0
        self.is_starting = False  # the first life opens: nothing runs yet
        self.books: BooksReport | None = None
        self._make = make
        self._on_owned = on_owned
        self._config = config
        self._notifier = notifier
        self._live: LiveSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._turned = asyncio.Event()  # another life has opened, or the session ended
        self._heard = asyncio.Event()  # the same, or the life that opens has begun
        self._in_a_row = 0
        self._is_away = False  # venue or journal is, and the next try is waited for
        self._away_until = 0.0
        self._stop_word: msg.StopSession | None = None  # given while it is
        self._has_stop_word = asyncio.Event()
        self._final: TradingSessionStatus | None = None

    @property
    def live(self) -> LiveSession | None:
        """Return the present life, or the last one; None before the first."""
        return self._live

    @property
    def is_running(self) -> bool:
        """Tell whether the session is under way, also between two lives."""
        return self._task is not None and not self._task.done()

    @property
    def is_under_way(self) -> bool:
        """Tell whether the session runs or starts."""
        return self.is_starting or self.is_running

    @property
    def status(self) -> TradingSessionStatus:
        """Return where the session stands; between two lives it is in ERROR."""
        if self._final is not None:
            return self._final
        if self._live is None:
            return TradingSessionStatus.STOPPED
        if self.is_starting and not self._live.shell.has_begun:
            return TradingSessionStatus.STARTING
        return TradingSessionStatus.ERROR if self._live.has_failed else self._live.status

    async def start(self) -> None:
        """Open the first life and let it run.

        Raises:
            TradingError: it can't be opened; nothing is left behind.
        """
        self.is_starting = True
        try:
            await self._begin()
        finally:
            self.is_starting = False
            self._turn()
        self._task = asyncio.create_task(self._run(), name="holdfast-session")
        self._task.add_done_callback(lambda _: self._turn())

    async def wait(self) -> None:
        """Return when the session has ended."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self, reason: str, *, flatten: bool) -> None:
        """Bring the session to its end; one that starts anew is waited for to do it.

        Raises:
            TradingError: the first life did not open; see `leave_to_the_next`.
        """
        if self.is_starting:
            await self._stop_at_the_start(reason, flatten=flatten)
            if self._task is None:
                leave_to_the_next(self._config, msg.StopSession(reason=reason, flatten=flatten))
        while self.is_running:
            live = self._live
            assert live is not None, "a running session has a life"
            if self._is_away:
                self._stop_word = msg.StopSession(reason=reason, flatten=flatten)
                self._has_stop_word.set()
                break
            if live.has_failed or not live.shell.has_begun:
                await self._next_after(live, self._turned)
                continue
            try:
                await live.stop(reason, flatten=flatten)
            except Exception:
                if not live.has_failed:
                    raise
            if not live.has_failed:
                break
        await self.wait()

    async def _stop_at_the_start(self, reason: str, *, flatten: bool) -> None:
        """Tell the life that opens to stop, as soon as it hears, and wait for it to have opened."""
        while self.is_starting and self._live is None:  # it is being made
            self._heard.clear()
            await self._heard.wait()
        live = await self.begun(is_urgent=True)
        if live and not live.has_failed:
            live.begin_stop(reason, flatten=flatten)
        while self.is_starting:
            self._turned.clear()
            await self._turned.wait()

    def reset(self, reason: str) -> None:
        """Leave ERROR for STOPPED, on record.

        Raises:
            JournalError: it can't be recorded.
        """
        record_end(self._config, msg.ResetSession(reason=reason))
        self._final = TradingSessionStatus.STOPPED

    async def begun(self, *, is_urgent: bool = False) -> LiveSession | None:
        """Return the present life, once it has begun; None before the first.

        Args:
            is_urgent: do not wait, behind that, until it has opened as well.
        """
        while (live := self._live) and self.is_under_way:
            if live.has_failed or live.shell.has_begun:
                break
            await self._next_after(live, self._heard if is_urgent else self._turned)
        return live

    async def ask(self, message: msg.Message) -> None:
        """Say it to the present life; one that follows a failed one, and starts, hears it then.

        It is on record when this returns.

        Raises:
            SessionStateError: it is of no use in this state.
            OutcomeUnknownError: the life failed first; it may have come on record all the same.
        """
        if self._is_away and isinstance(message, Latch):
            assert self._live is not None, "the life that failed"
            latch_between(self._config, message, self._live.engine.state)
            return
        live = await self.begun(is_urgent=isinstance(message, msg.EngageKillSwitch))
        if live is None or not self.is_under_way:
            raise SessionStateError("no session is running")
        live.shell.ask(message)
        await live.shell.recorded()
        if live.has_failed:
            why = "the session failed before this was on record, and nobody knows whether it holds"
            raise OutcomeUnknownError(f"{why}: look at its status, or ask once more")

    async def _next_after(self, live: LiveSession, news: asyncio.Event) -> None:
        """Return when a life has been followed by another, has begun, or has come to nothing.

        And when the next one has to wait for the venue.
        """
        had_begun = live.shell.has_begun
        while self._live is live and self.is_under_way and live.shell.has_begun is had_begun:
            if self._is_away:
                return
            news.clear()
            await news.wait()

    def _turn(self) -> None:
        self._turned.set()
        self._heard.set()

    def _hear(self, _: object) -> None:
        self._heard.set()

    async def _begin(self) -> None:
        live = await self._make()
        before, self._live = self._live, live
        if before is not None and before.status is TradingSessionStatus.ERROR:
            live.halt = before.engine.state.status_reason
        live.shell.listeners.append(self._hear)
        try:
            if self.is_starting:
                self._on_owned()
            await live.open()
        except BaseException as error:
            self._live = before
            goes_on = self._is_outage(error) or self._may_go_on(error)
            is_given_up = isinstance(error, Exception) and not goes_on
            if before is not None and is_given_up and live.shell.has_begun:
                take_entries_back(live, error)
            await closed(live)
            raise
        finally:
            live.shell.listeners.remove(self._hear)
            self._turn()

    async def _run(self) -> None:
        try:
            while True:
                live = self._live
                assert live is not None, "a life was begun"
                began = asyncio.get_running_loop().time()
                await live.run()
                if live.outcome is None or self._was_stopped(live, live.outcome):
                    await self._end(live)
                    return
                if asyncio.get_running_loop().time() - began >= HEALTHY_AFTER_S:
                    self._in_a_row = 0
                if not await self._go_on(live, live.outcome):
                    return
        except Exception as error:  # noqa: BLE001 - it must not end without a word
            self._blame(error)
            self._final = TradingSessionStatus.ERROR
            _log.exception("the session ended badly")
        finally:
            if self._live is not None:
                await closed(self._live)

    async def _end(self, live: LiveSession) -> None:
        """Close a life that ended in order, its books compared with the venue's."""
        self.fault = str(live.feed_error or "")
        self.books = await read_and_compare(live)
        await closed(live)

    def _was_stopped(self, live: LiveSession, error: BaseException) -> bool:
        """Tell whether a life failed on its way out alone: the next would be a new session."""
        if live.status is not TradingSessionStatus.STOPPED or isinstance(error, _FINAL):
            return False
        _log.warning("the session failed after it had stopped: %s", error, exc_info=error)
        self._final = TradingSessionStatus.STOPPED
        return True

    async def _go_on(self, live: LiveSession, error: BaseException) -> bool:
        """Replace a failed life; tell whether another one runs now."""
        self._blame(error)
        _log.error("the session failed: %s", self.fault, exc_info=error)
        self._notifier.notify("alarm", f"the session failed: {self.fault}")
        if not self._may_go_on(error):
            await self._give_up(live, error)
            return False
        await closed(live)
        failure = await self._begin_anew()
        if failure is None:
            self.fault = ""
            return True
        if self._stop_word is not None:
            await self._leave_stop(self._stop_word, failure)
        else:
            await self._give_up(live, failure)
        return False

    async def _begin_anew(self) -> Exception | None:
        """Open lives until one runs; return what is in the way of that for good, None for nothing.

        A try that the venue is away for, or the journal, does not count.
        """
        self._away_until, tries_away = asyncio.get_running_loop().time() + OUTAGE_S_MAX, 0
        await self._wait_after_failure()
        while (failure := await self._try()) is not None:
            if self._is_outage(failure):
                await self._wait_for_what_is_away(failure, tries_away)
                tries_away += 1
                if self._stop_word is not None:
                    return failure
            elif self._may_go_on(failure):
                await self._wait_after_failure()
            else:
                return failure
        return None

    async def _try(self) -> Exception | None:
        try:
            await self._begin()
        except Exception as failure:  # noqa: BLE001 - whatever it is, the session is down
            self._blame(failure)
            _log.error("the session can't be restarted: %s", self.fault)
            return failure
        return None

    async def _wait_after_failure(self) -> None:
        self._in_a_row += 1
        self.restarts += 1
        await asyncio.sleep(RESTART_DELAY_S * self._in_a_row)

    async def _wait_for_what_is_away(self, failure: Exception, tries: int) -> None:
        """Wait before a life is tried once more, or until the session is told to stop."""
        delay_s = min(RESTART_DELAY_S * 2 ** min(tries, 10), OUTAGE_DELAY_S_MAX)
        if not tries:
            what = f"up to {OUTAGE_S_MAX / 3600:g} h, for {what_is_away(failure)}"
            text = f"the session waits, {what}: {self.fault}"
            self._notifier.notify("alarm", text)
        self._is_away = True
        self._turn()  # nobody need wait for the next life: it may be long in coming
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_stop_word.wait(), delay_s)
        self._is_away = False

    def _is_outage(self, error: BaseException) -> bool:
        """Tell whether a life could not be opened for what is away, not for too long."""
        has_time = asyncio.get_running_loop().time() < self._away_until
        return has_time and is_passing(error, self._config.database_url)

    async def _leave_stop(self, word: msg.StopSession, failure: Exception) -> None:
        """Put a stop on record that the next start carries out: no life can."""
        self._final = await leave_stop(self._config, word)
        self._notifier.notify(
            "alarm",
            "the session ends before its stop was carried out, which the next start does: it "
            f"waited for {what_is_away(failure)}: {self.fault}",
        )

    def _may_go_on(self, error: BaseException) -> bool:
        can_mend = not isinstance(error, _FINAL)
        return can_mend and self._config.auto_restart and self._in_a_row < RESTARTS_MAX

    async def _give_up(self, live: LiveSession, error: BaseException) -> None:
        """Take entries back, if the account is still ours, and put ERROR on record."""
        self._notifier.notify("alarm", f"the session is given up: {self.fault}")
        take_entries_back(live, error)
        await closed(live)
        self._final = TradingSessionStatus.ERROR
        if not isinstance(error, JournalError):
            with contextlib.suppress(TradingError, OSError):  # the next start finds it cut off
                record_end(self._config, msg.FailSession(reason=self.fault))

    def _blame(self, error: BaseException) -> None:
        self.fault = f"{type(error).__name__}: {error}"
