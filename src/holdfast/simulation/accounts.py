"""The accounts of a world: one, or in a share of the seeds two of one exchange in one session.

Both are traded by strategies of their own, in the same symbols. The coin and all else that is drawn
here come from lots of their own: a seed with one account is played as it was before there were two.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random

from ..exchange import OrderKey, VenueOrder
from ..model.values import MAIN, ZERO, AccountId, ClOrdId, Symbol
from .bourse import ACCOUNT, OTHER, Bourse
from .spec import Spec

PAIRS = 0.12
"""The share of seeds with two accounts."""

SECOND = AccountId("second")


def has_two(spec: Spec) -> bool:
    """Tell whether a run has two; where one fault alone is judged, or none, there is one."""
    if spec.accounts:
        return spec.accounts > 1
    return spec.has_others and Random(f"{spec.seed}/accounts/coin").random() < PAIRS


def names_of(spec: Spec) -> tuple[AccountId, ...]:
    """Return the exchange's names of a run's accounts."""
    return (ACCOUNT, OTHER) if has_two(spec) else (ACCOUNT,)


class Accounts:
    """Who trades where. `victim` is the account, as the exchange calls it, that others meddle with.

    `venue_names` are the exchange's names by the session's.
    """

    def __init__(self, seed: str, bourse: Bourse, names: tuple[AccountId, ...]) -> None:
        self._bourse = bourse
        self._lots = Random(f"{seed}/accounts")
        self.are_two = len(names) > 1
        self.venue_names = dict(zip((MAIN, SECOND), names, strict=False))
        self.session_names = {theirs: ours for ours, theirs in self.venue_names.items()}
        self.victim = self._lots.choice(names)

    def choose(self) -> AccountId:
        """Choose one, by the session's name, for an operator's request."""
        return self._lots.choice((MAIN, SECOND)) if self.are_two else MAIN

    def qty(self, symbol: Symbol, account: AccountId | None = None) -> Decimal:
        """Return what an account holds at the exchange, signed; the victim's for None."""
        held = self._bourse.exchange.positions(account or self.victim)
        return next((each.qty for each in held if each.symbol == symbol), ZERO)

    def order(self, symbol: Symbol, cl_ord_id: str, account: AccountId) -> VenueOrder | None:
        """Return an order of an account, as the exchange has it."""
        found: VenueOrder | None = self._bourse.exchange.query(
            OrderKey(account, symbol, ClOrdId(cl_ord_id))
        )
        return found
