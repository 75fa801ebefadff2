"""The tasks of one venue: all in one TaskGroup, which lives from `open` to `close`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

TASKS_MAX = 5000
"""Tasks at once; more mean that something feeds itself."""

_log = logging.getLogger("holdfast.venue")


class _Over(Exception):
    """Close the group."""


class Background:
    """Starts tasks and ends them together.

    Args:
        on_failure: given what a task failed by, which took the others with it: a fault of our own.
    """

    def __init__(self, on_failure: Callable[[Exception], None]) -> None:
        self._on_failure = on_failure
        self._group: asyncio.TaskGroup | None = None
        self._host: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._running = 0

    def is_open(self) -> bool:
        """Tell whether a task may be started."""
        return self._group is not None and self._running < TASKS_MAX

    async def open(self) -> None:
        """Begin. The group is entered and left by a task of its own, as a group must be."""
        ready = asyncio.Event()
        self._host = asyncio.get_running_loop().create_task(self._live(ready), name="venue")
        await ready.wait()

    async def _live(self, ready: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                ready.set()
                await self._over.wait()
                self._group = None
                raise _Over  # noqa: TRY301 - a group is ended by what is raised in it
        except* _Over:
            pass
        except* Exception as failures:  # noqa: BLE001 - whatever it is, the tasks are over
            _log.exception("a task of the venue failed")
            first: Exception = failures
            while isinstance(first, ExceptionGroup):
                first = first.exceptions[0]
            self._on_failure(first)
        finally:
            self._group = None

    def start(self, work: Coroutine[Any, Any, None]) -> bool:
        """Start a task; False, and the work is dropped, where there is no group."""
        if self._group is None or not self.is_open():
            work.close()
            return False
        self._running += 1
        self._group.create_task(work).add_done_callback(self._ended)
        return True

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._running -= 1

    async def close(self) -> None:
        """End every task and return when they have ended."""
        self._over.set()
        if self._host is not None:
            await self._host
            self._host = None
