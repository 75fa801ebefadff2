"""A process on the simulated machine: what runs in its context can die with it, or be frozen.

A crash leaves no `finally` behind: what the process had scheduled is never run.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from ..venues.binance_futures.clock_offset import ClockOffset
    from .loop import SimLoop

PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


def running() -> Process | None:
    """Return the process that is running; None outside of all."""
    return PROCESS.get()


class Crash(SystemExit):
    """The process ends here. asyncio lets nothing but this out of a task."""

    def __init__(self, process: Process, reason: str) -> None:
        super().__init__(reason)
        self.process = process


class Process:
    """One process, from its start until it ends, is killed, or the run is over.

    Args:
        on_end: told once, with the reason, "" where it ended by itself.
    """

    def __init__(self, loop: SimLoop, number: int, on_end: Callable[[Process], None]) -> None:
        self.number = number
        self.is_dead = False
        self.is_frozen = False
        self.has_lost_lock = False
        self.reason = ""
        self.clock_offsets: list[Callable[[], ClockOffset]] = []  # of each account's venue
        self._loop = loop
        self._on_end = on_end
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._grave: list[asyncio.Task[Any]] = []
        self._held: list[asyncio.Handle] = []
        self.context = contextvars.Context()
        self.context.run(PROCESS.set, self)

    def __repr__(self) -> str:
        return f"Process({self.number})"

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the process's main task."""
        task = self._loop.create_task(work, context=self.context)
        task.add_done_callback(self._ended, context=contextvars.Context())

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not self.is_dead:
            error = None if task.cancelled() else task.exception()
            self.die("" if error is None else f"{type(error).__name__}: {error}")

    def own(self, task: asyncio.Task[Any]) -> None:
        """Count a task as this process's."""
        self._tasks.add(task)

    def takes(self, handle: asyncio.Handle) -> bool:
        """Tell whether a callback may run now; one of a frozen process is kept for later."""
        if self.is_dead:
            return False
        if self.is_frozen:
            self._held.append(handle)
            return False
        return True

    def check(self) -> None:
        """Let a process that is dead do nothing more.

        Raises:
            Crash: it is.
        """
        if self.is_dead:
            raise Crash(self, self.reason)

    def crash(self, reason: str) -> Crash:
        """Die now, in the midst of one's own code: raise what this returns."""
        self.die(reason)
        return Crash(self, reason)

    def die(self, reason: str) -> None:
        """Be gone. Nothing of it runs any more."""
        if self.is_dead:
            return
        self.is_dead = True
        self.reason = reason
        self._grave = list(self._tasks)  # a task that is collected would run its `finally`
        self._held.clear()
        self._on_end(self)

    def freeze(self) -> None:
        self.is_frozen = True

    def thaw(self) -> None:
        self.is_frozen = False
        held, self._held = self._held, []
        self._loop.put_back(held)

    def bury(self) -> None:
        """Close what is left of it, once the run is over."""
        for task in (*self._grave, *self._tasks):
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
            with contextlib.suppress(BaseException):
                task.get_coro().close()
        self._grave.clear()
