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
    Fenced,
    InputError,
    JournalError,
    SessionStateError,
    TradingError,
)
from ..model.values import TradingSessionStatus
from ..ports import Notifier
from .assembly import own_journal
from .books import BooksReport, read_and_compare
from .live import LiveSession
from .recovery import StateRecoveryService
from .shell import check_values

RESTARTS_MAX = 5
"""How often in a row a failed session is begun anew before it is left in ERROR."""

RESTART_DELAY_S = 1.0
"""How long the first restart waits; each further one waits that much longer."""

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
    """

    def __init__(self, make: Make, config: TradingConfig, notifier: Notifier) -> None:
        self.fault = ""
        self.restarts = 0
        self.is_starting = False  # the first life opens: nothing runs yet
        self.books: BooksReport | None = None
        self._make = make
        self._config = config
        self._notifier = notifier
        self._live: LiveSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._turned = asyncio.Event()  # another life has opened, or the session ended
        self._heard = asyncio.Event()  # the same, or the life that opens has begun
        self._in_a_row = 0
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
    def status(self) -> TradingSessionStatus:
        """Return where the session stands; between two lives it is in ERROR."""
        if self._final is not None:
            return self._final
        if self._live is None:
            return TradingSessionStatus.STOPPED
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
        """Bring the session to its end; one that starts, or starts anew, is waited for to do it."""
        while self.is_starting:
            self._turned.clear()
            await self._turned.wait()
        while self.is_running:
            live = self._live
            assert live is not None, "a running session has a life"
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
        while (live := self._live) and self.is_running:
            if live.has_failed or live.shell.has_begun:
                break
            await self._next_after(live, self._heard if is_urgent else self._turned)
        return live

    async def ask(self, message: msg.Message) -> None:
        """Say it to the present life; one that follows a failed one, and starts, hears it then.

        It is on record when this returns.

        Raises:
            SessionStateError: it is of no use in this state, or could not be recorded.
        """
        live = await self.begun(is_urgent=isinstance(message, msg.EngageKillSwitch))
        if live is None or not self.is_running:
            raise SessionStateError("no session is running")
        live.shell.ask(message)
        await live.shell.recorded()
        if live.has_failed:
            raise SessionStateError("the session failed before this was on record: ask once more")

    async def _next_after(self, live: LiveSession, news: asyncio.Event) -> None:
        """Return when a life has been followed by another, has begun, or has come to nothing."""
        had_begun = live.shell.has_begun
        while self._live is live and self.is_running and live.shell.has_begun is had_begun:
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
            await live.open()
        except BaseException as error:
            self._live = before
            is_given_up = isinstance(error, Exception) and not self._may_go_on(error)
            if before is not None and is_given_up and live.shell.has_begun:
                _take_entries_back(live, error)
            await _closed(live)
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
                await _closed(self._live)

    async def _end(self, live: LiveSession) -> None:
        """Close a life that ended in order, its books compared with the venue's."""
        self.fault = str(live.feed_error or "")
        self.books = await read_and_compare(live)
        await _closed(live)

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
        await _closed(live)
        while self._may_go_on(error):
            self._in_a_row += 1
            self.restarts += 1
            await asyncio.sleep(RESTART_DELAY_S * self._in_a_row)
            try:
                await self._begin()
            except Exception as failure:  # noqa: BLE001 - whatever it is, the session is down
                self._blame(failure)
                _log.error("the session can't be restarted: %s", self.fault)
                error = failure
                continue
            self.fault = ""
            return True
        await self._give_up(live, error)
        return False

    def _may_go_on(self, error: BaseException) -> bool:
        can_mend = not isinstance(error, _FINAL)
        return can_mend and self._config.auto_restart and self._in_a_row < RESTARTS_MAX

    async def _give_up(self, live: LiveSession, error: BaseException) -> None:
        """Take entries back, if the account is still ours, and put ERROR on record."""
        _take_entries_back(live, error)
        await _closed(live)
        self._final = TradingSessionStatus.ERROR
        if not isinstance(error, JournalError):
            with contextlib.suppress(TradingError, OSError):  # the next start finds it cut off
                record_end(self._config, msg.FailSession(reason=self.fault))
        self._notifier.notify("alarm", f"the session is given up: {self.fault}")

    def _blame(self, error: BaseException) -> None:
        self.fault = f"{type(error).__name__}: {error}"


def _take_entries_back(live: LiveSession, error: BaseException) -> None:
    if not live.is_closed and not isinstance(error, Fenced):
        live.cancel_at_venue()


async def _closed(live: LiveSession) -> None:
    with contextlib.suppress(TradingError, OSError):
        await live.close()


def record_end(config: TradingConfig, message: msg.FailSession | msg.ResetSession) -> None:
    """Put the end of a session that no longer runs into its journal.

    Raises:
        TradingError: the journal can't be had, or not be written.
    """
    check_values(message)
    journal = own_journal(config)
    for finding in journal.findings:
        _log.warning("%s", finding)
    try:
        engine = StateRecoveryService(journal).recover(config.engine_settings()).engine
        if engine.state.status is TradingSessionStatus.STOPPED:
            return
        facts = []
        if isinstance(message, msg.ResetSession):
            facts += engine.handle(msg.FailSession(reason=message.reason), 0).facts
        facts += engine.handle(message, 0).facts
        if facts:
            journal.append(facts)
            journal.sync()
    finally:
        journal.close()
