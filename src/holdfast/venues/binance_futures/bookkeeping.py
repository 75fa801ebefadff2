"""Snapshots when they are wanted, one at a time, and not before the lists are complete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ...model.errors import VenueError
from ...model.messages import ExecutionReport, VenueFailure, VenueMessage
from ...model.values import NS_PER_S, Symbol
from .codec import BadFrame, Unlisted, WalletMoved
from .snapshot import Books

TRIES_MAX = 3
TRY_PAUSE_S = 0.5
LIST_LOOKS_MAX = 8
LIST_PAUSE_S = 0.5
"""How long, and how often, the income list is looked at for what the stream told."""

UNLISTED_PATIENCE_NS = 30 * NS_PER_S
LOOK_BACK_NS = 2 * 60 * NS_PER_S

_log = logging.getLogger("holdfast.venue")


class Bookkeeping:
    """Reads books in a task: run `run`.

    Args:
        gap_ns: the least time between the ends of two reads: how far the venue's answers trail.
        say: is given snapshots and failures.
        heard: is told of each open order that a snapshot lists.
    """

    def __init__(
        self,
        books: Books,
        gap_ns: int,
        say: Callable[[VenueMessage], None],
        heard: Callable[[ExecutionReport], None],
    ) -> None:
        self.symbols: tuple[Symbol, ...] = ()
        self.unlisted: Callable[[], frozenset[Symbol]] = frozenset
        self._books = books
        self._gap_s = gap_ns / NS_PER_S
        self._say = say
        self._heard = heard
        self._since: int | None = None
        self._is_audit = False
        self._unlisted = Unlisted()
        self._news = asyncio.Event()
        self._is_reading = False

    @property
    def awaits(self) -> str:
        """Say what a read that is under way, or due, waits for; "" where none is."""
        if self._since is None and not self._is_reading:
            return ""
        return self._books.asker.awaits or "its turn"

    def want(self, since: int, *, is_audit: bool = False) -> None:
        """Read the books soon, with executions since this time; several wishes are one."""
        self._is_audit = is_audit and (self._since is None or self._is_audit)
        self._since = since if self._since is None else min(self._since, since)
        self._news.set()

    def heard_of(self, moved: WalletMoved) -> None:
        """The wallet moved: read the books once the income list shows it."""
        self._unlisted.hear(moved)
        self.want(moved.venue_ts - LOOK_BACK_NS)

    async def run(self) -> None:
        """Read what is wanted, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            if len(self._unlisted):
                await self._find_unlisted()
            since, self._since = self._since, None
            if since is not None:
                self._is_reading = True
                await self._take(since, is_audit=self._is_audit)
                self._is_reading = False
                await asyncio.sleep(self._gap_s)

    async def _take(self, since: int, *, is_audit: bool) -> None:
        problem = ""
        for _ in range(TRIES_MAX):
            try:
                snapshot = await self._books.read(
                    self.symbols, since, is_audit=is_audit, unlisted=self.unlisted()
                )
            except (VenueError, BadFrame) as error:
                problem = str(error)
                _log.warning("the books can't be read: %s", problem)
            except Exception as error:  # noqa: BLE001 - a fault of ours; other tasks go on
                problem = f"the books were not understood: {type(error).__name__}"
                _log.exception("the books were not understood")
            else:
                for report in snapshot.orders:
                    self._heard(report)
                self._say(snapshot)
                return
            await asyncio.sleep(TRY_PAUSE_S)
        account = self._books.account
        self._say(VenueFailure(account=account, failure="venue", reason=problem))

    async def _find_unlisted(self) -> None:
        """Read the income list until it has what the stream told, or long enough."""
        clock = self._books.asker.clock
        for look in range(LIST_LOOKS_MAX):
            if look:
                await asyncio.sleep(LIST_PAUSE_S)
            try:
                changes = await self._books.changes(clock.now() - LOOK_BACK_NS)
            except (VenueError, BadFrame) as error:
                _log.warning("the income list can't be read: %s", error)
                continue
            self._unlisted.strike(changes)
            if not len(self._unlisted):
                return
        for moved in self._unlisted.give_up(clock.now() - UNLISTED_PATIENCE_NS):
            _log.warning("the income list never showed %s %s", moved.amount, moved.asset)
