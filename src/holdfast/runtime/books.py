"""Our books beside the venue's: how far apart they are, in figures."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ..engine.engine import Engine
from ..model.messages import VenueSnapshot
from ..model.values import ZERO, AccountId


@dataclass(frozen=True, slots=True)
class BooksReport:
    """Sums of absolute differences; zero when the books agree."""

    positions_diff: Decimal
    balance_diff: Decimal


def compare_books(
    engine: Engine, snapshot: VenueSnapshot | None, account: AccountId
) -> BooksReport | None:
    """Hold an engine's positions and wallets against a snapshot; None without one."""
    if snapshot is None:
        return None
    state = engine.state
    theirs = {p.symbol: p.qty for p in snapshot.positions}
    ours = {k[1]: p.qty for k, p in state.positions.items() if k[0] == account}
    positions = sum((abs(ours.get(s, ZERO) - theirs.get(s, ZERO)) for s in {*ours, *theirs}), ZERO)
    books = state.account(account)
    assets = {*books.assets(), *snapshot.balances}
    balances = sum((abs(books.wallet(a) - snapshot.balances.get(a, ZERO)) for a in assets), ZERO)
    return BooksReport(positions_diff=positions, balance_diff=balances)
