"""An external order book, kept from snapshots and deltas as the venue's rules of sync ask."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from ..model.market import BookDelta, BookSnapshot, Level
from ..model.values import LARGEST_AMOUNT

_PRICE_MAX = float(LARGEST_AMOUNT)
_TOLD_MAX = 10_000


class Ladder:
    """One side of a book: prices in order, and the quantity at each.

    What lies beyond the worst price of its snapshot is known where a change told of it.
    """

    __slots__ = ("_edge", "_is_bid", "_prices", "_qtys", "_told_empty")

    def __init__(self, levels: Iterable[Level], *, is_bid: bool) -> None:
        self._is_bid = is_bid
        self._qtys = {p: q for p, q in levels if 0.0 < p < _PRICE_MAX and 0.0 < q < _PRICE_MAX}
        self._prices = sorted(self._qtys)  # ascending on both sides
        worst = (self._prices[0] if is_bid else self._prices[-1]) if self._prices else None
        self._edge = (_PRICE_MAX if is_bid else 0.0) if worst is None else worst
        self._told_empty: set[float] = set()  # prices beyond the edge

    def set(self, price: float, qty: float) -> None:
        """Put an absolute quantity at a price; zero takes the level away."""
        if not 0.0 < qty < _PRICE_MAX:
            if self._qtys.pop(price, None) is not None:
                del self._prices[bisect_left(self._prices, price)]
            if self._is_beyond(price):
                self._note_empty(price)
        elif price in self._qtys:
            self._qtys[price] = qty
        elif 0.0 < price < _PRICE_MAX:
            insort(self._prices, price)
            self._qtys[price] = qty

    def best(self) -> float:
        """Return the best price; 0 when the side is empty."""
        if not self._prices:
            return 0.0
        return self._prices[-1] if self._is_bid else self._prices[0]

    def _is_beyond(self, price: float) -> bool:
        return price < self._edge if self._is_bid else price > self._edge

    def _note_empty(self, price: float) -> None:
        if len(self._told_empty) >= _TOLD_MAX:
            self._told_empty.clear()  # forgotten, they are unknown again
        self._told_empty.add(price)

    def qty_at(self, price: float) -> float | None:
        """Return the quantity at a price; None where nothing told of it."""
        qty = self._qtys.get(price)
        if qty is None and (not self._is_beyond(price) or price in self._told_empty):
            return 0.0
        return qty

    def levels(self) -> Iterator[Level]:
        """Yield price and quantity, best first; levels may be taken away meanwhile."""
        for price in self._prices[::-1] if self._is_bid else self._prices[:]:
            yield price, self._qtys.get(price, 0.0)


class Book:
    """Both sides as of the last update."""

    __slots__ = ("_last_id", "_snapshot_id", "asks", "bids")

    def __init__(self, snapshot: BookSnapshot) -> None:
        self.bids = Ladder(snapshot.bids, is_bid=True)
        self.asks = Ladder(snapshot.asks, is_bid=False)
        self._last_id: int | None = None  # of the last delta; None before the first
        self._snapshot_id = snapshot.last_update_id

    def apply(self, delta: BookDelta) -> bool:
        """Take a delta in; False when one is missing before it and the book is worthless."""
        if self._last_id is None:
            if delta.final_id < self._snapshot_id:
                return True  # from before the snapshot
            if delta.first_id > self._snapshot_id and delta.previous_id != self._snapshot_id:
                return False
        elif delta.previous_id != self._last_id:
            return delta.final_id <= self._last_id  # repeated: harmless
        self._last_id = delta.final_id
        for price, qty in delta.bids:
            self.bids.set(price, qty)
        for price, qty in delta.asks:
            self.asks.set(price, qty)
        return True
