"""Bring chunks of market data from several places into one order of time.

Ties go by the order of the places, and within a place by its own order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heapreplace

from .pace import ts_of
from .source import Chunk


def merge(
    strands: Sequence[Iterator[Chunk]], followers: Sequence[Iterator[Chunk]]
) -> Iterator[Chunk]:
    """Yield everything in order of time, and end when the last strand has ended.

    Args:
        followers: come after the strands in a tie, and do not go on without them.
    """
    places = [*strands, *followers]
    heads = [
        (chunk[0].ts, order, 0, chunk)
        for order, place in enumerate(places)
        if (chunk := next(place, None))
    ]
    heapify(heads)
    leaders = sum(order < len(strands) for _, order, _, _ in heads)
    while leaders:
        _, order, start, chunk = heads[0]
        end = _end_of_run(heads, start)
        yield chunk[start:end] if end - start < len(chunk) else chunk
        if end == len(chunk):
            following = next(places[order], None)
            if following is None:
                heappop(heads)
                leaders -= order < len(strands)
                continue
            chunk, end = following, 0
        heapreplace(heads, (chunk[end].ts, order, end, chunk))


def _end_of_run(heads: list[tuple[int, int, int, Chunk]], start: int) -> int:
    """Return how far the first place's chunk goes before another place's turn."""
    _, order, _, chunk = heads[0]
    if len(heads) == 1:
        return len(chunk)
    ts, other = min(heads[1:3])[:2]  # the heap's second is a child of its first
    cut = bisect_right if order < other else bisect_left
    return cut(chunk, ts, start, key=ts_of)


def after(chunks: Iterable[Chunk], ts: int) -> Iterator[Chunk]:
    """Leave out what is not later than `ts`."""
    for chunk in chunks:
        if chunk[0].ts > ts:
            yield chunk
        elif chunk[-1].ts > ts:
            yield chunk[bisect_right(chunk, ts, key=ts_of) :]


def before(chunks: Iterable[Chunk], ts: int) -> Iterator[Chunk]:
    """End at the first message that is not earlier than `ts`."""
    for chunk in chunks:
        if chunk[-1].ts < ts:
            yield chunk
            continue
        if rest := chunk[: bisect_left(chunk, ts, key=ts_of)]:
            yield rest
        return
