"""Trades that the public is told as one: of one side, at one price, within a tenth of a second.

Streams and REST tell the same ones under the same ids. A group is told once it is over, and never
changes after that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ..model.market import Trade
from ..model.values import NS_PER_MS

AGGREGATED_NS = 100 * NS_PER_MS
"""Trades of one side at one price are told as one if they came within this time."""


class Group:
    """Trades that are told as one."""

    __slots__ = ("first", "is_closed", "last_id", "number", "qty")

    def __init__(self, number: int, trade: Trade) -> None:
        self.number = number
        self.first = trade
        self.qty = trade.qty
        self.last_id = trade.trade_id
        self.is_closed = False

    def takes(self, trade: Trade) -> bool:
        """Count a trade in, if it belongs here."""
        first = self.first
        if (
            self.is_closed
            or trade.price != first.price
            or trade.is_buyer_maker is not first.is_buyer_maker
            or trade.ts - first.ts >= AGGREGATED_NS
        ):
            return False
        self.qty += trade.qty
        self.last_id = trade.trade_id
        return True


class Aggregates:
    """One symbol's groups, oldest first; `kept` of them."""

    def __init__(self, kept: int) -> None:
        self._groups: deque[Group] = deque(maxlen=kept)
        self.number = 0  # of the newest; they count up one by one

    def add(self, trade: Trade) -> None:
        """Take a trade in."""
        last = self._groups[-1] if self._groups else None
        if last is not None:
            if last.takes(trade):
                return
            last.is_closed = True
        self.number += 1
        self._groups.append(Group(self.number, trade))

    def over(self, now: int) -> Iterator[Group]:
        """Yield the groups that are over, newest first: what they are now they stay."""
        if self._groups and now - self._groups[-1].first.ts >= AGGREGATED_NS:
            self._groups[-1].is_closed = True
        return (group for group in reversed(self._groups) if group.is_closed)
