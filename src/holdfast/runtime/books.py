"""Our books beside the venue's: how far apart they are, in figures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ..engine.engine import Engine
from ..model.messages import VenueSnapshot
from ..model.values import ZERO, AccountId

if TYPE_CHECKING:
    from .live import LiveSession


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


async def read_and_compare(live: LiveSession) -> BooksReport | None:
    """Hold a session's books against each account's venue; None where one does not answer."""
    main, *others = live.accounts.names
    reading = [asyncio.ensure_future(live.read_books(name)) for name in others]
    snapshots = {main: await live.read_books()}
    for name, answer in zip(others, reading, strict=True):
        snapshots[name] = await answer
    found = []
    for name, snapshot in snapshots.items():
        report = compare_books(live.engine, snapshot, name)
        if report is None:
            return None
        found.append(report)
    return BooksReport(
        positions_diff=sum((report.positions_diff for report in found), ZERO),
        balance_diff=sum((report.balance_diff for report in found), ZERO),
    )
