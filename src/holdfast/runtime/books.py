"""A venue's books read beside a session, and ours beside them: how far apart, in figures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ..engine.engine import Engine
from ..model.messages import AuditDue, VenueSnapshot
from ..model.values import MAIN, ZERO, AccountId
from ..ports import Telling

if TYPE_CHECKING:
    from .live import LiveSession

READ_PATIENCE_S = 30.0
"""How long the venue's books are waited for."""

HELD_LOOK_S = 0.25
HELD_LOOKS_MAX = 8
"""How often it is looked whether the venue's limits hold back what the end alone wants to know."""

_log = logging.getLogger("holdfast.session")


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


async def read_books(live: LiveSession, account: AccountId | None = None) -> VenueSnapshot | None:
    """Ask a venue for its books once more; None when it does not answer.

    Args:
        account: whose; the main one's when None.
    """
    shell = live.shell
    if live.is_closed or shell.has_failed:
        return None
    account = account or live.venue.account
    before = shell.last_snapshot.get(account)
    shell.hear(AuditDue(account=account, reason="books"))
    await shell.until(lambda: shell.last_snapshot.get(account) is not before, READ_PATIENCE_S)
    after = shell.last_snapshot.get(account)
    return after if after is not before else None


async def read_last_books(live: LiveSession, account: AccountId) -> VenueSnapshot | None:
    """Read an account's books at the end; None, and said, where limits hold that back."""
    venue = live.accounts.venues[account]
    reading, held_looks = asyncio.ensure_future(read_books(live, account)), 0
    try:
        while held_looks < HELD_LOOKS_MAX:  # a read ends by itself
            await asyncio.wait((reading,), timeout=HELD_LOOK_S)
            if reading.done():
                return await reading
            held = venue.held if isinstance(venue, Telling) else ""
            held_looks += 1 if held else 0
        _log.warning("the books are not compared at the end: that waits for %s", held)
        return None
    finally:
        reading.cancel()


async def read_and_compare(live: LiveSession) -> BooksReport | None:
    """Hold a session's books against each account's venue; None where one is not to be had."""
    names = live.accounts.names
    snapshots = await asyncio.gather(*(read_last_books(live, name) for name in names))
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
