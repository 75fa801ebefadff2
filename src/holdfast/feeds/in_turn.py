"""Sort what waited for its reader."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from ..model.market import BookDelta, BookSnapshot, MarketData
from ..model.values import Symbol

_first = itemgetter(0)


def in_turn(waiting: Sequence[MarketData]) -> list[MarketData]:
    """Return messages by their time, what is of one symbol and kind in the order in which it came.

    Times alone would turn it round where the venue's clock was set back. An empty book is shown by
    our clock, and a snapshot may be older than the change that made it necessary.
    """
    latest: dict[tuple[Symbol, type], int] = {}
    timed = []
    for message in waiting:
        kind = type(message)
        place = message.symbol, BookDelta if kind is BookSnapshot else kind
        latest[place] = ts = max(message.ts, latest.get(place, 0))
        timed.append((ts, message))
    timed.sort(key=_first)
    return [message for _, message in timed]
