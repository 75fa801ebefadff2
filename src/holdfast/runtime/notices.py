"""Notices for people, on the log, and by whatever else a user has for them."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import deque

from ..model.errors import InputError
from ..ports import Notifier
from .bus import EventBus

NOTICES = "holdfast.notices"
"""The log of notices; alarms are there at whatever level others are kept."""

WAITING_MAX = 1_000
"""How many notices may wait for a user's notifier; what comes on top goes to the log alone."""

DRAIN_S_MAX = 5.0
"""How long the end of a session waits for it."""

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "alarm": logging.ERROR}


class LogNotifier:
    """Writes notices to the `NOTICES` log."""

    def __init__(self) -> None:
        self._log = logging.getLogger(NOTICES)

    def notify(self, level: str, text: str) -> None:
        """Write one notice; an unknown level counts as a warning."""
        self._log.log(_LEVELS.get(level, logging.WARNING), "%s", text)


class UsersNotifier:
    """Tells a user's own notifier, on a thread: no order waits for a pager whose network is down.

    Notices are told one after the other. What could not be told is on the log, with the reason.

    Raises:
        InputError: its `notify` is asynchronous: nobody would await it.
    """

    def __init__(self, notifier: Notifier) -> None:
        if inspect.iscoroutinefunction(notifier.notify):
            raise InputError(
                f"notify must be a plain function, was {notifier.notify!r:.80}; an asynchronous "
                "one can subscribe to alarm.raised on the event bus"
            )
        self._notifier = notifier
        self._log = LogNotifier()
        self._waiting: deque[tuple[str, str]] = deque()
        self._lock = threading.Lock()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._dropped = 0

    def notify(self, level: str, text: str) -> None:
        """Have one notice told, behind all earlier ones; from any thread."""
        with self._lock:
            has_room = len(self._waiting) < WAITING_MAX
            if has_room:
                self._waiting.append((level, text))
            else:
                self._dropped += 1
            is_begun, dropped = not self._is_idle.is_set(), self._dropped
            self._is_idle.clear()
        if not has_room:
            late = f"{WAITING_MAX} notices wait for it, {dropped} were not told so far"
            self._give_to_log(level, text, late)
        if not is_begun:
            threading.Thread(target=self._run, name="holdfast-notifier", daemon=True).start()

    async def drain(self) -> None:
        """Wait until all was told, for a while at most."""
        if not self._is_idle.is_set():
            await asyncio.to_thread(self._is_idle.wait, DRAIN_S_MAX)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_idle.set()
                    return
                level, text = self._waiting.popleft()
            try:
                self._notifier.notify(level, text)
            except Exception as error:  # noqa: BLE001 - a pager that is down ends no session
                self._give_to_log(level, text, repr(error))

    def _give_to_log(self, level: str, text: str, why: str) -> None:
        self._log.notify(level, text)
        who = type(self._notifier).__name__
        self._log.notify("alarm", f"{who} could not tell this: {why}")


def notifier_of(given: Notifier | None) -> Notifier:
    """Return what tells notices: a user's own, which nothing depends on, or the log.

    One that says of itself that it `never_blocks` is told on the session's loop.
    """
    if given is None:
        return LogNotifier()
    return given if getattr(given, "never_blocks", False) else UsersNotifier(given)


async def all_told(bus: EventBus, notifier: Notifier) -> None:
    """Wait, within bounds, until subscribers and people have been told what happened."""
    await bus.drain()
    if isinstance(notifier, UsersNotifier):
        await notifier.drain()
