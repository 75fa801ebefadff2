"""Money that others took out of the account, and what of it the session has heard of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from ..model.events import Event, WalletChanged
from ..model.values import ZERO

SMALL = Decimal(50)
"""What no account of a run is poor without."""


@dataclass(slots=True)
class _Withdrawal:
    amount: Decimal
    ts: int
    is_heard: bool = False


class Withdrawals:
    """All of one run."""

    def __init__(self) -> None:
        self._all: list[_Withdrawal] = []

    def take(self, amount: Decimal, ts: int) -> None:
        """Note that an amount was taken out; what is paid in, below zero, misleads nobody."""
        if amount > ZERO:
            self._all.append(_Withdrawal(amount, ts))

    def hear_facts(self, facts: Iterable[Event]) -> None:
        """Note what the session knows."""
        for fact in facts:
            if isinstance(fact, WalletChanged):
                for each in self._all:
                    if not each.is_heard and each.amount == -fact.amount:
                        each.is_heard = True
                        break

    @property
    def have_drained(self) -> bool:
        """Tell whether any of them left an account with little."""
        return any(each.amount > SMALL for each in self._all)

    def unheard(self, since: int) -> Decimal:
        """Return what the session can't have reckoned with in an order of this time."""
        return sum((w.amount for w in self._all if not w.is_heard or w.ts >= since), ZERO)
