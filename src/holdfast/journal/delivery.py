"""Carry what a journal's threads have to say to the loop's thread, in order."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from ..model.errors import JournalError


class Delivery:
    """Calls back on the loop's thread; latches the first failure.

    The loop is the one that was running when last it was looked for. Where none runs, calls
    wait for `drain`.
    """

    def __init__(self) -> None:
        self.failure: JournalError | None = None
        self._listener: Callable[[JournalError], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()

    @property
    def listener(self) -> Callable[[JournalError], None] | None:
        return self._listener

    @listener.setter
    def listener(self, call: Callable[[JournalError], None] | None) -> None:
        self.find_loop()
        with self._lock:
            self._listener = call
            failure = self.failure
        if call is not None and failure is not None:
            self.put([partial(call, failure)])

    def find_loop(self) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:  # none runs on this thread; an earlier one may still
            return

    @property
    def has_loop(self) -> bool:
        return self._loop is not None and not self._loop.is_closed()

    def put(self, calls: Iterable[Callable[[], None]]) -> None:
        """Have `calls` made, behind all earlier ones. From any thread."""
        self._ready.extend(calls)
        loop = self._loop
        if loop is None or not self._ready:
            return
        try:
            loop.call_soon_threadsafe(self.drain)
        except RuntimeError:  # the loop is closed: they wait for `drain`
            return

    def drain(self) -> None:
        """Make the calls that wait. On the loop's thread, or where there is no loop."""
        while self._ready:
            call = self._ready.popleft()
            try:
                call()
            except BaseException:
                self.put(())  # one that raises must not silence those behind it
                raise

    def fail(self, error: JournalError, *, is_told: bool = False) -> None:
        """Latch a failure; the listener hears of it unless the caller `is_told` by a raise."""
        with self._lock:
            if self.failure is not None:
                return
            self.failure = error
            listener = self._listener
        if listener is not None and not is_told:
            self.put([partial(listener, error)])

    def check(self) -> None:
        """Raise the failure, if there was one."""
        if self.failure is not None:
            raise type(self.failure)(*self.failure.args) from self.failure
