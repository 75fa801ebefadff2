"""One symbol's order book, kept whole by the messages of a feed: `BookSnapshot`, then `BookDelta`.

Rule 1: a book is whole from a snapshot on, as long as each change follows the one before it by
        `previous_id`. What can't follow makes it empty until the next snapshot.
Rule 2: a snapshot is asked for and comes late: the changes since it that were heard before it
        are taken in with it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable

from .market import BookDelta, BookSnapshot, Level
from .values import Symbol

LEVELS_MAX = 5_000
"""Levels of one side that are kept; the ones furthest from the touch are let go of first."""

LEVELS_SHOWN = 20

RECENT_DELTAS = 256
"""How many changes a late snapshot can catch up with."""


class OrderBook:
    """What a strategy is shown of a book. It goes on changing: copy what is to be remembered."""

    __slots__ = (
        "_asks",
        "_bids",
        "_is_chained",
        "_recent",
        "is_whole",
        "symbol",
        "ts",
        "update_id",
    )

    def __init__(self, symbol: Symbol) -> None:
        self.symbol = symbol
        self.ts = 0
        self.update_id = 0
        self.is_whole = False
        """False: it is being read anew, and has no levels."""

        self._is_chained = False  # whether `update_id` is that of a change, and not a snapshot's
        self._recent: deque[BookDelta] = deque(maxlen=RECENT_DELTAS)
        self._bids = _Side(-1)
        self._asks = _Side(1)

    def __repr__(self) -> str:
        return f"OrderBook({self.symbol}, bid={self.best_bid}, ask={self.best_ask})"

    @property
    def best_bid(self) -> Level | None:
        """Return price and quantity of the highest bid; None without one."""
        return self._bids.best

    @property
    def best_ask(self) -> Level | None:
        """Return price and quantity of the lowest ask; None without one."""
        return self._asks.best

    def bids(self, count: int = LEVELS_SHOWN) -> list[Level]:
        """Return the best bids, highest first."""
        return self._bids.levels(count)

    def asks(self, count: int = LEVELS_SHOWN) -> list[Level]:
        """Return the best asks, lowest first."""
        return self._asks.levels(count)

    def apply(self, message: BookSnapshot | BookDelta) -> bool:
        """Take a message in; tell whether it changed anything."""
        if type(message) is BookSnapshot:
            self._begin(message)
            for delta in tuple(self._recent):
                self._change(delta)
            return True
        assert isinstance(message, BookDelta), "a book knows snapshots and changes"
        has_changed = self._change(message)
        self._recent.append(message)
        return has_changed

    def _change(self, delta: BookDelta) -> bool:
        if not self.is_whole or delta.final_id <= self.update_id:
            return False
        if not self._follows(delta):
            self.lose(delta.ts)
            return True
        self.ts, self.update_id, self._is_chained = max(self.ts, delta.ts), delta.final_id, True
        self._bids.change(delta.bids)
        self._asks.change(delta.asks)
        return True

    def _follows(self, delta: BookDelta) -> bool:
        spans = not self._is_chained and delta.first_id <= self.update_id
        return spans or delta.previous_id == self.update_id

    def lose(self, ts: int) -> None:
        """Give the book up until the next snapshot."""
        self._begin(BookSnapshot(symbol=self.symbol, ts=ts, bids=(), asks=()))

    def _begin(self, snapshot: BookSnapshot) -> None:
        self.ts, self.update_id, self._is_chained = snapshot.ts, snapshot.last_update_id, False
        self.is_whole = bool(snapshot.bids or snapshot.asks)
        if not self.is_whole:
            self._recent.clear()  # the venue may count anew
        self._bids, self._asks = _Side(-1), _Side(1)
        self._bids.change(snapshot.bids)
        self._asks.change(snapshot.asks)


class _Side:
    """One side's levels.

    Args:
        sign: 1 where the lowest price is the best, -1 where the highest is.
    """

    __slots__ = ("_keys", "_qtys", "_sign")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[float] = []  # signed prices, the best first
        self._qtys: dict[float, float] = {}

    @property
    def best(self) -> Level | None:
        if not self._keys:
            return None
        key = self._keys[0]
        return self._sign * key, self._qtys[key]

    def levels(self, count: int) -> list[Level]:
        return [(self._sign * key, self._qtys[key]) for key in self._keys[: max(count, 0)]]

    def change(self, levels: Iterable[Level]) -> None:
        keys, qtys = self._keys, self._qtys
        for price, qty in levels:
            key = self._sign * price
            if qty > 0:
                if key not in qtys:
                    insort(keys, key)
                qtys[key] = qty
            elif qtys.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]
        while len(keys) > LEVELS_MAX:
            del qtys[keys.pop()]
