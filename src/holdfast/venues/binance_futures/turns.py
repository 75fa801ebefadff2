"""How many requests of a kind are under way at once, so that others find a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ...model.values import NS_PER_S
from ...ports import Clock
from ..limits import Urgency
from .outcomes import Ask

READS_MAX = 10
"""How many reads are under way at once, and besides them how many questions after orders."""

ENTRIES_MAX = 10
"""How many entries and amendments are, of those that could not leave at once over a socket."""


class Turns:
    """The places of each kind. What ends risk needs none, nor does a setting."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reads = asyncio.Semaphore(READS_MAX)
        self._questions = asyncio.Semaphore(READS_MAX)
        self._entries = asyncio.Semaphore(ENTRIES_MAX)

    @asynccontextmanager
    async def of(self, ask: Ask, urgency: Urgency, until: int) -> AsyncIterator[bool]:
        """Wait for a turn, and hold it; give False where an entry's comes at `until`, or later."""
        if (places := self._places(ask, urgency)) is None:
            yield True
        elif places is not self._entries:
            async with places:
                yield True
        elif not await self._is_had(until):
            yield False
        else:
            try:
                yield self._clock.now() < until
            finally:
                places.release()

    async def _is_had(self, until: int) -> bool:
        """Take an entry's place, if there is one in time."""
        try:
            async with asyncio.timeout((until - self._clock.now()) / NS_PER_S):
                await self._entries.acquire()
        except TimeoutError:
            return False
        return True

    def _places(self, ask: Ask, urgency: Urgency) -> asyncio.Semaphore | None:
        if ask is Ask.QUERY and urgency is not Urgency.PROTECT:
            return self._questions if urgency is Urgency.RESOLVE else self._reads
        is_entry = ask in (Ask.SUBMIT, Ask.REPLACE) and urgency is Urgency.TRADE
        return self._entries if is_entry else None
