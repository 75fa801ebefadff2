"""Start a session, let it run until something ends it, and stop it in an orderly way."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

from ..model.errors import ConfigError, SessionStateError
from ..model.values import TradingSessionStatus
from ..runtime.control import ControlServer
from ..runtime.service import LiveTradingService
from ..runtime.stalls import StallWatch
from ..stats import SessionStats
from .exit_codes import ExitCode
from .happenings import Happenings, Silent, TellingNotifier, View

REFRESH_S = 0.25
MOMENT_S = 0.5
"""Signals that come together are one wish: some senders send two, as `timeout` does."""

_SIGNALS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "the terminal was closed"}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended. `is_error` also where it was in ERROR before it was stopped."""

    seconds: float
    is_error: bool
    reason: str
    figures: SessionStats


async def drive(
    service: LiveTradingService,
    control: ControlServer,
    view: View,
    happenings: Happenings,
    *,
    strategies: Sequence[str],
    seconds: float | None,
) -> Ending:
    """Run one session.

    Args:
        seconds: wall time after which it is stopped; None runs until it ends by itself.

    Raises:
        TradingError: it could not be started; nothing is left behind.
        KeyboardInterrupt: it was interrupted before it ran, and had nothing to take back.
    """
    wish = _Interrupts(view)
    service.on_folded = wish.learn
    service.on_owned = lambda: control.announce(str(service.session().id))
    await control.bind()
    try:
        await _started(service, strategies, wish)
        with contextlib.suppress(ConfigError):  # it was written once: who asks finds the session
            control.announce(str(service.session().id), is_running=True)
        began = time.monotonic()
        gc.collect()
        gc.freeze()  # what lives as long as the session need not be looked at again
        view.begin(service, happenings)
        try:
            with _watched(service, happenings):
                return await _run_on(service, view, wish, began, seconds)
        finally:
            view.end()
    finally:
        await control.close()
        wish.forget()


async def _started(
    service: LiveTradingService, strategies: Sequence[str], wish: _Interrupts
) -> None:
    start = asyncio.ensure_future(service.start_session(strategies=strategies))
    interrupt = asyncio.ensure_future(wish.came.wait())
    await asyncio.wait({start, interrupt}, return_when=asyncio.FIRST_COMPLETED)
    interrupt.cancel()
    if not start.done() and _must_be_stopped(service, wish):
        stop = asyncio.ensure_future(service.stop(wish.reason))  # it waits for the start
        await asyncio.gather(start, stop, return_exceptions=True)
        if start.exception() is not None:
            wish.tell(stop.exception())
        start.result()
        stop.result()
    elif not start.done():
        start.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await start
        if service.is_running():
            return  # it only waited for a first price: it is stopped as any other
        raise KeyboardInterrupt
    start.result()


def _must_be_stopped(service: LiveTradingService, wish: _Interrupts) -> bool:
    """Tell whether a start has something to take back, or to put on record, where it is to end."""
    try:
        live = service.live
    except SessionStateError:  # no life is made yet: its market's contracts may be on their way
        return wish.has_left
    has_left = live.plan.is_resumed or bool(live.engine.state.all_open_orders())
    return not service.is_running() and (has_left or live.shell.has_begun)


async def _run_on(
    service: LiveTradingService,
    view: View,
    wish: _Interrupts,
    began: float,
    seconds: float | None,
) -> Ending:
    refreshing = asyncio.ensure_future(_refresh(service, view))
    ended = asyncio.ensure_future(service.wait())
    interrupt = asyncio.ensure_future(wish.came.wait())
    try:
        waited = {ended, interrupt}
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        was_error = service.session().status is TradingSessionStatus.ERROR
        why = service.session().reason if was_error else ""
        if ended.done():
            ended.result()
        else:
            await service.stop(asked := wish.reason or "its time is over")
            if was_error and service.session().status is TradingSessionStatus.STOPPING:
                was_error, why = False, f"{asked}, while it waited: {why}"
        elapsed = time.monotonic() - began
    finally:
        for task in (refreshing, ended, interrupt):
            task.cancel()
        await asyncio.gather(refreshing, ended, interrupt, return_exceptions=True)
    session = service.session()
    is_error = was_error or session.status is TradingSessionStatus.ERROR
    figures = await service.get_session_stats()
    return Ending(elapsed, is_error, why or session.reason, figures)


@contextlib.contextmanager
def _watched(service: LiveTradingService, happenings: Happenings) -> Iterator[None]:
    """Tell where the session stands still; one that outruns the clock has none to be late by."""
    if not (service.live.feed.is_live or service.config.speed):
        yield
        return
    watch = asyncio.ensure_future(StallWatch(TellingNotifier(happenings).notify).run())
    try:
        yield
    finally:
        watch.cancel()


async def _refresh(service: LiveTradingService, view: View) -> None:
    while True:
        view.refresh(await service.get_session_stats())
        await asyncio.sleep(REFRESH_S)


class _Interrupts:
    """Turns the first signal into a wish to stop, and one a moment later into an end at once."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.came = asyncio.Event()
        self.reason = ""
        self.has_left = False  # an earlier life has, as the journal says that the start has folded
        self._wished_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._taken = [
            getattr(signal, name)
            for name in _SIGNALS
            if hasattr(signal, name)
            and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN  # nohup
        ]
        for number in self._taken:
            self._loop.add_signal_handler(number, self._first, number)

    def learn(self, has_left: bool) -> None:
        """Hear whether a start that ends now would leave something behind."""
        self.has_left = has_left

    def tell(self, problem: BaseException | None) -> None:
        """Say what became of a stop whose start failed, unless there was nothing to stop."""
        if problem is not None and not isinstance(problem, SessionStateError):
            self._view.tell(str(problem))

    def _first(self, number: signal.Signals) -> None:
        self.reason = self.reason or _SIGNALS[number.name]
        self._wished_at = self._wished_at or time.monotonic()
        self.came.set()
        if number is not signal.SIGHUP:
            self._view.tell(
                f"{self.reason}: stopping in an orderly way; once more to leave at once"
            )
        for other in (signal.SIGINT, signal.SIGTERM):
            if other in self._taken:
                self._loop.remove_signal_handler(other)
                signal.signal(other, self._again)

    def _again(self, _: int, __: FrameType | None) -> None:
        if time.monotonic() - self._wished_at >= MOMENT_S:
            _leave()

    def forget(self) -> None:
        """Have further signals end what follows, the report above all, and no more than that."""
        for number in self._taken:
            self._loop.remove_signal_handler(number)
            is_hangup = number is signal.SIGHUP
            signal.signal(number, _take_no_notice if is_hangup else self._interrupt)

    def _interrupt(self, _: int, __: FrameType | None) -> None:
        """End what follows, unless it is the same wish to stop that comes once more."""
        if time.monotonic() - self._wished_at >= MOMENT_S:
            raise KeyboardInterrupt


def _take_no_notice(_: int, __: FrameType | None) -> None:
    """Unlike `SIG_IGN` this is not handed on to processes that ours starts."""


def _leave() -> None:
    """End at once. The journal has everything: the next start reconciles with the venue."""
    Silent().tell("left at once; the next start reconciles with the venue")
    os._exit(ExitCode.INTERRUPTED)
