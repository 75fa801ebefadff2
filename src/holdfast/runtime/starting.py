"""Wait at a start for the venue's books: while something is under way, and within bounds.

Rule 1: a question that was not answered is asked again; nobody else does that before the session
        runs.
Rule 2: whoever gives up says what was missing, and whoever waits says what for: a person who
        sees nothing happen ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence

from ..engine.engine import Engine
from ..model import messages as msg
from ..model.errors import NetworkError
from ..model.events import BreakerChanged, Event
from ..model.values import AccountId, TradingSessionStatus
from ..ports import Notifier, Telling, Venue
from .accounts import Accounts
from .shell import Shell

START_PATIENCE_S = 180.0
"""How long a start waits for the venue's books: limits that are used up are free again before."""

STALL_S = 30.0
"""How long nothing at all may happen, nor be under way."""

ASK_AGAIN_S = 1.0
"""How long to wait before what was not answered, or did not agree, is asked for again."""

LOOK_S = 0.5
"""How often is looked whether the venue's limits hold a start up."""

TOLD_MAX = 5
"""How often a person is told of it: a limit may hold on longer than it said."""

WHAT = "start"


@contextlib.contextmanager
def telling_waits(
    accounts: Accounts, notifier: Notifier, what: str = WHAT, patience_s: float = START_PATIENCE_S
) -> Iterator[None]:
    """Say meanwhile what the venues' limits make a start, or a stop, wait for, once for each."""

    def tell(held: str) -> None:
        notifier.notify("warning", f"the {what} waits, up to {patience_s:g} s, for {held}")

    told, venues = set[str](), accounts.venues.values()
    telling = [asyncio.ensure_future(_tell(venue, told, tell)) for venue in venues]
    try:
        yield
    finally:
        for each in telling:
            each.cancel()


async def _tell(venue: Venue, told: set[str], tell: Callable[[str], None]) -> None:
    while isinstance(venue, Telling) and len(told) < TOLD_MAX:
        held = venue.held
        if held and held not in told:
            tell(held)
            told.add(held)
        await asyncio.sleep(LOOK_S)


class Start:
    """One session on its way from STARTING: `reached` waits for its end."""

    def __init__(self, engine: Engine, shell: Shell, accounts: Accounts) -> None:
        self._engine = engine
        self._shell = shell
        self._accounts = accounts
        self._problem = ""

    def _is_over(self) -> bool:
        is_starting = self._engine.state.status is TradingSessionStatus.STARTING
        return not is_starting or self._shell.has_failed

    async def reached(self) -> None:
        """Return when the session is not STARTING any more, or the shell has failed.

        Raises:
            NetworkError: it took too long; the text says what for.
        """
        self._shell.listeners.append(self._listen)
        try:
            await self._wait()
        finally:
            self._shell.listeners.remove(self._listen)

    async def _wait(self) -> None:
        now = asyncio.get_running_loop().time
        end = now() + START_PATIENCE_S
        stalls, seen = now() + STALL_S, self._seen()
        while not await self._shell.until(self._is_over, ASK_AGAIN_S):
            if self._awaits() or self._seen() != seen:
                stalls, seen = now() + STALL_S, self._seen()
            if now() >= min(end, stalls):
                names = " and ".join(map(self._accounts.label, self._waited_for()))
                raise NetworkError(f"{names} did not give its books in time: {self._missing()}")
            for account in self._waited_for():
                if not self._awaited_by(account):
                    self._shell.hear(msg.AuditDue(account=account, reason=WHAT))

    def _waited_for(self) -> list[AccountId]:
        """Return the accounts whose books have not agreed since the start."""
        agreed = self._engine.core.start_looks
        left = [account for account in self._accounts.names if account not in agreed]
        return left or [self._accounts.main.account]

    def _seen(self) -> object:
        return [self._shell.last_snapshot.get(account) for account in self._accounts.names]

    def _awaits(self) -> str:
        told = {account: self._awaited_by(account) for account in self._waited_for()}
        return "; ".join(text for text in told.values() if text)

    def _awaited_by(self, account: AccountId) -> str:
        venue = self._accounts.venues[account]
        return venue.awaits if isinstance(venue, Telling) else ""

    def _listen(self, facts: Sequence[Event]) -> None:
        for fact in facts:
            if isinstance(fact, BreakerChanged) and fact.reason:
                self._problem = fact.reason

    def _missing(self) -> str:
        differences = self._engine.state.differences.items()
        gaps = [f"{what} is {found.gap:+f} above ours" for what, found in differences]
        if gaps:
            return f"they differ, {', '.join(gaps)}"
        told = [f"it waits for {awaits}" if (awaits := self._awaits()) else "", self._problem]
        return "; ".join(filter(None, told)) or "nothing came"
