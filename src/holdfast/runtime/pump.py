"""Read a feed to its end and show its messages: what drives a runner that stands alone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..ports import Feed

if TYPE_CHECKING:
    from .runner import LiveStrategyRunner

TICK_S = 1.0
"""How often bars of a live feed are looked at when no trade comes."""

_LOG = logging.getLogger("holdfast.runner")


class FeedPump:
    """Reads in a task of its own, which ends with the feed.

    Args:
        runner: is given each message, and the wall clock's time each `TICK_S` of a live feed.
        fail: is told why the feed failed.
    """

    def __init__(
        self,
        feed: Feed,
        runner: LiveStrategyRunner,
        fail: Callable[[Exception], None],
    ) -> None:
        self._feed = feed
        self._runner = runner
        self._fail = fail
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read, on the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="holdfast-pump")
        self._task.add_done_callback(_mark_as_seen)

    async def wait(self) -> None:
        """Return when the feed has ended or the pump was stopped; raise what the feed raised."""
        if self._task is not None:
            await asyncio.wait({self._task})
            if not self._task.cancelled() and (error := self._task.exception()) is not None:
                raise error

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        beside: list[asyncio.Task[None]] = []
        if self._feed.is_live:
            work = (self._keep_time(), *self._runner.beside())
            beside = [asyncio.create_task(each) for each in work]
        try:
            async for batch in self._feed.messages():
                for message in batch:
                    self._runner.on_market(message)
        except Exception as error:
            _LOG.error("the feed %s failed: %s", self._feed.name, error)
            self._fail(error)
            raise
        finally:
            for task in beside:
                task.cancel()

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._runner.on_time(time.time_ns())


def _mark_as_seen(task: asyncio.Task[None]) -> None:
    """Keep the loop from complaining of an error that was logged and told already."""
    if not task.cancelled():
        task.exception()
