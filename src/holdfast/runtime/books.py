"""Our books beside the venue's: how far apart they are, in figures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ..engine.engine import Engine
from ..model.messages import VenueSnapshot
from ..model.values import MAIN, ZERO, AccountId

if TYPE_CHECKING:
    from .live import LiveSession


@dataclass(frozen=True, slots=True)
class BooksReport:
    """Sums of absolute differences; zero when the books agree. `differences` names each."""

    positions_diff: Decimal
    balance_diff: Decimal
    differences: tuple[str, ...] = ()


def compare_books(
    engine: Engine, snapshot: VenueSnapshot | None, account: AccountId
) -> BooksReport | None:
    """Hold an engine's positions and wallets against a snapshot; None without one."""
    if snapshot is None:
        return None
    state = engine.state
    theirs: dict[str, Decimal] = {p.symbol: p.qty for p in snapshot.positions}
    ours: dict[str, Decimal] = {k[1]: p.qty for k, p in state.positions.items() if k[0] == account}
    books = state.account(account)
    wallets: dict[str, Decimal] = {a: books.wallet(a) for a in books.assets()}
    positions, balances = _apart(ours, theirs), _apart(wallets, dict(snapshot.balances))
    where = "" if account == MAIN else f" of account {account}"
    told = [(f"position {name}", a, b) for name, a, b in positions]
    told += [(f"balance {name}", a, b) for name, a, b in balances]
    return BooksReport(
        positions_diff=sum((abs(a - b) for _, a, b in positions), ZERO),
        balance_diff=sum((abs(a - b) for _, a, b in balances), ZERO),
        differences=tuple(
            f"{name}{where} is {a:f} here and {b:f} at the venue" for name, a, b in told
        ),
    )


def _apart(
    ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]
) -> list[tuple[str, Decimal, Decimal]]:
    """Return what differs, and how much of it each side has."""
    pairs = ((name, ours.get(name, ZERO), theirs.get(name, ZERO)) for name in {*ours, *theirs})
    return sorted(each for each in pairs if each[1] != each[2])


async def read_and_compare(live: LiveSession) -> BooksReport | None:
    """Hold a session's books against each account's venue; None where one is not to be had."""
    names = live.accounts.names
    snapshots = await asyncio.gather(*map(live.last_books, names))
    found = []
    for name, snapshot in zip(names, snapshots, strict=True):
        report = compare_books(live.engine, snapshot, name)
        if report is None:
            return None
        found.append(report)
    return BooksReport(
        positions_diff=sum((report.positions_diff for report in found), ZERO),
        balance_diff=sum((report.balance_diff for report in found), ZERO),
        differences=tuple(each for report in found for each in report.differences),
    )
