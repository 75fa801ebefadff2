"""Cut a recording into batches and hand each out when its time comes.

The batches are the same at every speed, so that a fast replay does what a slow one does. A
message is never handed out before its time, and at most `BATCH_SPAN_NS` of feed time after it.
Silences are kept as long as they were.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from operator import attrgetter

from ..model.market import MarketData
from ..model.values import NS_PER_MS, NS_PER_S

BATCH_SPAN_NS = 50 * NS_PER_MS
BATCH_SIZE_MAX = 256

ts_of: Callable[[MarketData], int] = attrgetter("ts")


def batches(chunks: Iterable[Sequence[MarketData]]) -> Iterator[Sequence[MarketData]]:
    """Cut chunks in time order into batches of bounded size and span."""
    batch: list[MarketData] = []
    end_ts = 0
    for chunk in chunks:
        for message in chunk:
            if batch and (message.ts > end_ts or len(batch) == BATCH_SIZE_MAX):
                yield batch
                batch = []
            if not batch:
                end_ts = message.ts + BATCH_SPAN_NS
            batch.append(message)
    if batch:
        yield batch


async def paced(
    batches: Iterable[Sequence[MarketData]],
    speed: float,
    *,
    wall: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[Sequence[MarketData]]:
    """Yield each batch when its last message is due; the first message sets the clock.

    A reader that is slower than the feed gets the next batch at once: nothing is dropped. The
    loop gets a turn before every batch, also at speed 0.
    """
    start: tuple[float, int] | None = None
    for batch in batches:
        delay = 0.0
        if speed:
            start = start or (wall(), batch[0].ts)
            due = start[0] + (batch[-1].ts - start[1]) / NS_PER_S / speed
            delay = max(0.0, due - wall())
        await sleep(delay)
        yield batch
