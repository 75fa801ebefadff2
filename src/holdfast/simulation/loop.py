"""An event loop whose time is virtual and whose choices come from a seed.

Rule 1: nothing waits. When nobody is ready, time goes to the next timer.
Rule 2: what asyncio promises is kept: callbacks run in the order in which they became ready. What
        it leaves open is drawn: the order of timers that are due at the same instant.
Rule 3: there are no threads, no sockets and no executor; who asks for one gets an error.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
import sys
from asyncio import events
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, TypeVar, TypeVarTuple

from ..model.values import NS_PER_S
from .process import PROCESS, Crash, Process, running

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Done = Callable[[], bool]

STEPS_MAX = 20_000_000
"""Callbacks of one run; more mean that something feeds itself without time passing."""


class Stuck(RuntimeError):
    """Nothing is left to run, or there is no end to it."""


def _nothing() -> None: ...


async def _close(generator: AsyncGenerator[Any, Any]) -> None:
    await generator.aclose()


class Due(asyncio.Handle):
    """A callback that is to run. Most of what a run makes are these: they hold what they must."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[object, ...],
        context: contextvars.Context | None,
    ) -> None:
        self._callback = callback
        self._args = args
        self._context = contextvars.copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback, self._args = _nothing, ()  # what they hold is let go


class DueLater(asyncio.TimerHandle):
    """One that is to run at a time."""

    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[object, ...],
        context: contextvars.Context | None,
    ) -> None:
        self._when = when
        self._callback = callback
        self._args = args
        self._context = contextvars.copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        """Leave it with the timers: it is passed over when its time comes."""
        self._cancelled = True
        self._callback, self._args = _nothing, ()  # what they hold is let go


class SimLoop(asyncio.AbstractEventLoop):
    """Runs one simulation. Its time begins at 0; `now_ns` is the same in whole nanoseconds."""

    def __init__(self, seed: str) -> None:
        self.steps = 0
        self.now_ns = 0
        self._now = 0.0
        self._lots = random.Random(f"{seed}/loop")
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = 0
        self._generators: dict[int, Process | None] = {}  # whose each is, by its id
        self.is_over = False

    # What asyncio asks of a loop

    def time(self) -> float:
        return self._now

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = Due(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        when = self._now + delay
        handle = DueLater(when, callback, args, context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, handle))
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = DueLater(when, callback, args, context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        process = running() if context is None else context.get(PROCESS)
        if process is not None:
            process.own(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.is_over

    def is_closed(self) -> bool:
        return self.is_over

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Drop it: who cares for an exception has asked for it, the dead have no say."""

    async def shutdown_asyncgens(self) -> None: ...

    # Running

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run until `main` has ended, and let the rest be.

        Raises:
            Stuck: nothing is left to run, or `STEPS_MAX` is passed.
        """
        events._set_running_loop(self)  # noqa: SLF001 - what `asyncio.run` does
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._begun, finalizer=self._left)
        try:
            task = self.create_task(main)
            self._run_until(task.done)
            return task.result()
        finally:
            self.is_over = True
            sys.set_asyncgen_hooks(*before)
            events._set_running_loop(None)  # noqa: SLF001

    def _begun(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Remember whose an async generator is."""
        self._generators[id(generator)] = running()

    def _left(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Close one that nobody reads any more, as asyncio does; a dead process closes nothing."""
        process = self._generators.pop(id(generator), None)
        if process is not None and not process.is_dead and not self.is_over:
            self.create_task(_close(generator), context=process.context)

    def _run_until(self, is_done: Done) -> None:
        ready = self._ready
        take = ready.popleft
        while not is_done():
            if not ready:
                self._pass_time()
            handle = take()
            if handle._cancelled:  # noqa: SLF001
                continue
            process = handle._context.get(PROCESS)  # type: ignore[attr-defined]  # noqa: SLF001
            if process is not None and not process.takes(handle):
                continue
            self.steps += 1
            if self.steps > STEPS_MAX:
                raise Stuck(f"{STEPS_MAX} callbacks and no end")
            try:
                handle._context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]  # noqa: SLF001
            except Crash as crash:
                crash.process.die(str(crash))
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio does
                self.call_exception_handler({"exception": error})

    def _pass_time(self) -> None:
        """Go to the next timer; of those due at once, draw the order."""
        timers = self._timers
        pop = heapq.heappop
        while timers and timers[0][2]._cancelled:  # noqa: SLF001
            pop(timers)
        if not timers:
            raise Stuck("nothing is left to run")
        when = timers[0][0]
        if when > self._now:
            self._now = when
            self.now_ns = round(when * NS_PER_S)
        due = [pop(timers)[2]]
        while timers and timers[0][0] <= self._now:
            handle = pop(timers)[2]
            if not handle._cancelled:  # noqa: SLF001
                due.append(handle)
        if len(due) > 1:
            self._lots.shuffle(due)
        self._ready.extend(due)

    def forget(self) -> None:
        """Drop what would still run."""
        self._ready.clear()
        self._timers.clear()

    def put_back(self, handles: list[asyncio.Handle]) -> None:
        """Let handles of a process that was frozen run after all."""
        self._ready.extend(handles)
