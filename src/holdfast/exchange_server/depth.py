"""What changed in a symbol's public book between two of its update ids.

The book is compared with what it was; the difference is what diff streams say. Update ids jump,
as the real ones do (`Tape.touch`). A snapshot draws an id as well: the next diff reaches over it
(U <= lastUpdateId <= u), as clients ask for.
"""

from __future__ import annotations

import msgspec

from ..exchange import Exchange
from ..model.values import Side
from .tape import UPDATE_STEP, Tape

Levels = dict[float, float]
"""Quantity by price."""


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """Changed levels with their absolute quantities, 0 for one that is gone."""

    first_id: int
    final_id: int
    previous_id: int
    bids: Levels
    asks: Levels


class DepthWatch:
    """Looks at one symbol's book whenever somebody wants to know what changed."""

    def __init__(self, exchange: Exchange, tape: Tape) -> None:
        self._exchange = exchange
        self.tape = tape
        self._seen_id = -1
        self._bids: Levels = {}
        self._asks: Levels = {}
        self._taps: list[DiffTap] = []
        tape.on_look = self.refresh

    def tap(self) -> DiffTap:
        """Open a collection of changes, from now on."""
        self.refresh()
        tap = DiffTap(self, self._seen_id)
        self._taps.append(tap)
        return tap

    def untap(self, tap: DiffTap) -> None:
        self._taps.remove(tap)

    def refresh(self) -> int:
        """Let the taps collect what has changed, and return as of which update that is."""
        if self._seen_id == self.tape.update_id:
            return self._seen_id
        self._seen_id = self.tape.update_id
        bids = self._exchange.shown(self.tape.symbol, Side.SELL)
        asks = self._exchange.shown(self.tape.symbol, Side.BUY)
        bid_changes, ask_changes = _changes(self._bids, bids), _changes(self._asks, asks)
        self._bids, self._asks = bids, asks
        for tap in self._taps:
            tap.bids.update(bid_changes)
            tap.asks.update(ask_changes)
        return self._seen_id

    def top(self, count: int) -> tuple[Levels, Levels]:
        """Return the best bids and asks, best first."""
        self.refresh()
        bids = sorted(self._bids.items(), reverse=True)
        return dict(bids[:count]), dict(sorted(self._asks.items())[:count])


class DiffTap:
    """What has changed since it was asked last; there is one for each speed."""

    def __init__(self, watch: DepthWatch, previous_id: int) -> None:
        self._watch = watch
        self._previous_id = previous_id
        self.bids: Levels = {}
        self.asks: Levels = {}

    def take(self) -> Diff | None:
        """Return the changes since the last time; None when no id was drawn."""
        final_id = self._watch.refresh()
        if final_id == self._previous_id:
            return None
        diff = Diff(
            first_id=self._previous_id + UPDATE_STEP - UPDATE_STEP // 3,
            final_id=final_id,
            previous_id=self._previous_id,
            bids=dict(sorted(self.bids.items())),
            asks=dict(sorted(self.asks.items())),
        )
        self._previous_id, self.bids, self.asks = final_id, {}, {}
        return diff


def _changes(before: Levels, after: Levels) -> Levels:
    changes = dict(after.items() - before.items())
    for price in before.keys() - after.keys():
        changes[price] = 0.0
    return changes
