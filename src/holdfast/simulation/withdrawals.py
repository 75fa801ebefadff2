"""Money that others took out of the account, or paid in, and what the session has heard of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from ..model.events import Event, OrderSubmitted, ReplaceRequested, WalletChanged
from ..model.values import ZERO, ClOrdId

SMALL = Decimal(50)
"""What no account of a run is poor without."""


@dataclass(slots=True)
class _Withdrawal:
    amount: Decimal
    ts: int
    heard: int = 0  # which fact told of it


class Withdrawals:
    """All of one run."""

    def __init__(self) -> None:
        self._all: list[_Withdrawal] = []
        self._paid_in: list[_Withdrawal] = []  # amounts below zero
        self._facts = 0
        self._asked: dict[ClOrdId, int] = {}  # behind how many facts an order was decided on

    def take(self, amount: Decimal, ts: int) -> None:
        """Note that an amount was taken out; what is paid in, below zero, makes no order bolder."""
        (self._all if amount > ZERO else self._paid_in).append(_Withdrawal(amount, ts))

    def hear_facts(self, facts: Iterable[Event]) -> None:
        """Note what the session knows, and what it decides."""
        for fact in facts:
            self._facts += 1
            if isinstance(fact, WalletChanged):
                self._hear(-fact.amount)
            elif isinstance(fact, OrderSubmitted):
                self._asked[fact.order.cl_ord_id] = self._facts
            elif isinstance(fact, ReplaceRequested):
                self._asked[fact.cl_ord_id] = self._facts

    def _hear(self, amount: Decimal) -> None:
        for each in self._all if amount > ZERO else self._paid_in:
            if not each.heard and each.amount == amount:
                each.heard = self._facts
                break

    @property
    def have_drained(self) -> bool:
        """Tell whether any of them left an account with little."""
        return any(each.amount > SMALL for each in self._all)

    def paid_in_unheard(self, since: int) -> Decimal:
        """Return what was paid in from then on and backs nothing as far as the session knows."""
        late = (each for each in self._paid_in if each.ts >= since and not each.heard)
        return sum((-each.amount for each in late), ZERO)

    def unheard(self, name: ClOrdId, since: int) -> Decimal:
        """Return what the session can't have reckoned with when it decided on an order, at that
        time or later.
        """
        decided = self._asked.get(name, 0)
        return sum((w.amount for w in self._all if self._is_unheard(w, decided, since)), ZERO)

    @staticmethod
    def _is_unheard(withdrawal: _Withdrawal, decided: int, since: int) -> bool:
        return not 0 < withdrawal.heard <= decided or withdrawal.ts >= since
