"""What strangers did of which a session knew nothing yet when it decided on an order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from ..engine.state import State
from ..model.values import NS_PER_MS, ZERO, AccountId, Key, Side


class Execution(NamedTuple):
    """One of a stranger's: what it moved by how much, and the exchange's time of it."""

    key: Key
    qty: Decimal
    ts: int


class Unheard:
    """Keeps the strangers' executions of one run, and when each was told of.

    Args:
        numbers: count what the session decides and hears, one after the other.
    """

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._executions: dict[str, Execution] = {}
        self._heard: dict[str, int] = {}

    def note(self, trade: str, execution: Execution) -> None:
        """Take one in as it happens; its time is told in milliseconds."""
        told_ts = execution.ts - execution.ts % NS_PER_MS
        self._executions[trade] = execution._replace(ts=told_ts)

    def hear(self, trade: str) -> None:
        """Note that the session has booked it."""
        if trade in self._executions:
            self._heard[trade] = next(self._numbers)

    def recall(self, state: State) -> None:
        """Know what a process has read that its forerunner wrote, and did not live to tell."""
        for trade in self._executions:
            if trade in state.trades_seen and trade not in self._heard:
                self.hear(trade)

    def moved(self, key: Key, decided: int, opened_ts: int) -> Decimal:
        """Return how far they had moved a position unheard, since its books were begun."""
        return sum(
            (
                each.qty
                for trade, each in self._executions.items()
                if each.key == key and self._is_unheard(trade, decided) and each.ts >= opened_ts
            ),
            ZERO,
        )

    def has_any(self, account: AccountId, decided: int, since: int) -> bool:
        """Tell whether it could not know what its account was worth: not all of this time."""
        return any(
            each.key[0] == account and each.ts >= since and self._is_unheard(trade, decided)
            for trade, each in self._executions.items()
        )

    def _is_unheard(self, trade: str, decided: int) -> bool:
        return self._heard.get(trade, decided + 1) > decided


Fill = tuple[int, Key, Side, Decimal]
"""The number of its order's decision, of what, and how much."""


def closed(exits: Iterable[Fill], number: int, against: Decimal) -> Decimal:
    """Return what exits of an order's side closed that brings no position further than it decided.

    Args:
        exits: each with the number of its own decision, and how much.
        number: the order's decision; all of what was sent later counts.
        against: what strangers opened unheard, against its side; exits of before may close that.
    """
    later = earlier = ZERO
    for when, _, _, qty in exits:
        if when > number:
            later += qty
        else:
            earlier += qty
    return later + min(earlier, against)


def entered(entries: Iterable[Fill], number: int, against: Decimal) -> Decimal:
    """Return what entries decided on later, of an order's side, filled or rest for in place of what
    strangers had closed unheard: those knew of it, and the order must not bring it back as well.
    """
    return min(sum((qty for when, _, _, qty in entries if when > number), ZERO), against)
