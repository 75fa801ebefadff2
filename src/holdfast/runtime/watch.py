"""The drop copy: look at the venue and at the journal from outside, and tell where they part.

Rule 1: a watcher changes nothing: the journal is opened to read, the venue is only asked.
Rule 2: one sight is none: facts are on their way. What is seen twice in a row, the same, and for
        as long as the engine's own audit may take to mend it, is an alarm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from ..engine.state import State
from ..journal import OwnedJournal, open_journal
from ..journal.owner import Owner
from ..model import events as ev
from ..model.config import TradingConfig
from ..model.errors import IllegalTransition, JournalCorrupt, TradingError, VenueError
from ..model.instrument import UNLISTED
from ..model.values import Symbol, TradingSessionStatus, plain
from ..ports import Notifier
from .recovery import StateRecoveryService
from .watch_owner import owner_of
from .watch_sights import Seen, Sight, book_sights, here_now, order_sights, stop_sights
from .watch_standing import Standing
from .watch_venue import VenueView

PATIENCE_S = 20.0
"""How long a sight may stay: the engine's audit mends what a lost frame left behind in 15 s."""

SETTLING_S = 5.0
"""How long the venue's lists may trail what is on record: what moves in them by then is no news."""

UNCOMPARED_S = 120.0
"""How long the books may move at each look, so that nothing of them compares."""

QUIET_SAMPLES = 3
QUIET_S_MIN = 60.0
"""A session that runs puts its equity on record now and then; so many of them may be missing."""

_BOOKED = (ev.OrderFilled, ev.FundingPaid, ev.SettlementPaid, ev.WalletChanged, ev.PositionAdopted)

_OF_TERMS = (ev.OrderReplaced, ev.OrderTriggered, ev.FillRecognized)
"""What changes an order's quantity or price, or that it waits for one, and books nothing."""

_OF_BOOKS = ("position_differs", "balance_differs", "stop_missing")
_OF_ORDERS = ("unknown_order", "missing_order", "order_differs")
_OF_VENUE = (*_OF_BOOKS, *_OF_ORDERS, "uncompared", "journal_still")
_OF_JOURNAL = (*_OF_VENUE, "session_error", "nobody", "journal_quiet", "blind")
"""Kinds of sights by what must be read to find them; unread, they stay as they were."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one look came to. `alarms` are all that stand, `sights` what may yet become one."""

    ts: int
    sequence: int
    epoch: int
    status: str
    owner: str  # "" where nobody owns the journal
    facts_age_s: float  # since the journal last grew, as far as we saw it
    positions: int
    open_orders: int
    balances: dict[str, str]
    is_compared: bool  # positions, wallets and stops: not while the books move under the look
    sights: list[Sight]
    alarms: list[Sight]

    @property
    def is_decided(self) -> bool:
        """Tell whether there is nothing that another look could explain."""
        return bool(self.alarms) or (self.is_compared and not self.sights)


class Watch:
    """Looks at one account. `look` again and again.

    Args:
        patience_s: how long a sight must stay to be an alarm.
        now: tells seconds, for ages and patience.
    """

    def __init__(
        self,
        config: TradingConfig,
        view: VenueView,
        notifier: Notifier,
        *,
        patience_s: float = PATIENCE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._view = view
        self._notifier = notifier
        self._patience_s = patience_s
        self._now = now
        self._journal: OwnedJournal | None = None
        self._state = State()
        self._sequence = 0
        self._booked = 0
        self._is_open = False
        self._grew = self._compared = now()
        self._then: Seen | None = None  # what the venue had when the journal last grew
        self._standing: dict[tuple[str, str], Standing] = {}
        sample_s = (config.equity_interval_ns or config.save_state_interval * 10**9) / 1e9
        self._quiet_s = max(QUIET_S_MIN, QUIET_SAMPLES * sample_s)

    async def look(self) -> Look:
        """Look once at both sides.

        Raises:
            JournalError: the journal can't be read.
            ConfigError: it is not there.
            VenueError: the venue can't be asked. That a side can't be read is a sight too, and
                counts; what was seen before stays until it can be looked at again.
        """
        owner = await self._read_journal()
        before, began = self._booked, self._now()
        try:
            seen = await self._see()
        except VenueError as error:
            text = f"the venue can't be asked: {error}"
            blind = Sight(kind="blind", what="venue", gap="", told=text)
            self._note([blind, *self._owner_sights(owner)], _OF_VENUE)
            raise
        owner = await self._read_journal() or owner
        account = self._view.account
        found = [*order_sights(self._state, seen, account), *self._still_sights(seen, began)]
        found += self._owner_sights(owner)
        is_compared = self._booked == before
        if is_compared:
            found += book_sights(self._state, seen, account)
            found += stop_sights(self._state, seen, account)
        found += self._uncompared_sights(is_compared=is_compared)
        # Where the books moved while they were read, nothing compares, and nothing is cleared.
        self._note(found, () if is_compared else _OF_BOOKS)
        return self._told(owner, seen, is_compared=is_compared)

    async def _read_journal(self) -> Owner | None:
        """Take in what is new, and return who owns the journal.

        Raises:
            JournalError: it can't be read; that it can't is a sight, and nothing is cleared.
            ConfigError: it is not there.
        """
        where = self._config.database_url
        try:
            owner = await asyncio.to_thread(owner_of, where)
            await asyncio.to_thread(self._fold)
            return owner or await asyncio.to_thread(owner_of, where)
        except TradingError as error:
            text = f"the journal can't be read: {error}"
            unread = Sight(kind="journal_unread", what="journal", gap="", told=text)
            self._note([unread], _OF_JOURNAL)
            raise

    async def _see(self) -> Seen:
        if not self._is_open:
            await self._view.open()
            self._is_open = True
        try:
            return await self._view.look(self._asked())
        except VenueError:
            self._is_open = False  # the next look measures its clock anew
            raise

    def _asked(self) -> Sequence[Symbol]:
        """Return the symbols whose orders are to be asked for: others' orders too are anywhere."""
        listed = [k for k, each in self._state.instruments.items() if each.status != UNLISTED]
        orders = self._state.open_orders
        open_keys = [key for key, ids in orders.items() if ids and key[0] == self._view.account]
        return sorted({key[1] for key in [*listed, *open_keys]})

    def _fold(self) -> None:
        """Take in what the journal has of new facts."""
        try:
            if self._journal is None:
                self._open_journal()
            assert self._journal is not None
            for fact in self._journal.replay(self._sequence):
                self._state.apply(fact)
                self._sequence += 1
                self._grow()
                if isinstance(fact, _BOOKED):
                    self._booked += 1
                if isinstance(fact, (*_BOOKED, *_OF_TERMS)):
                    self._pass_by()
        except (JournalCorrupt, IllegalTransition):  # it is another one, or not as it was
            self._close_journal()  # folded anew at the next look
            raise

    def _open_journal(self) -> None:
        """Fold the journal up to its end."""
        journal = open_journal(self._config.database_url, read_only=True)
        try:
            recovered = StateRecoveryService(journal).recover()
        except BaseException:
            journal.close()
            raise
        self._journal = journal
        sequence = recovered.from_snapshot + recovered.facts_folded
        if sequence != self._sequence:
            self._grow()
        self._state, self._sequence = recovered.engine.state, sequence
        self._booked += 1
        self._pass_by()

    def _grow(self) -> None:
        self._grew, self._then = self._now(), None

    def _pass_by(self) -> None:
        """Note where the journal's books are now, for what was off at the last look."""
        for standing in self._standing.values():
            here = here_now(self._state, standing.sight, self._view.account)
            standing.pass_by(here, self._now())

    def _still_sights(self, seen: Seen, began: float) -> Iterable[Sight]:
        """See whether the venue's books move while the journal stands still."""
        if began - self._grew < SETTLING_S:
            return  # they may be of before what is on record
        age_s = self._now() - self._grew
        then, self._then = self._then, self._then or seen
        if then is not None and then.traces != seen.traces:
            text = f"the venue's books moved, and the journal has not grown for {age_s:.0f} s"
            yield Sight(kind="journal_still", what="journal", gap=str(self._sequence), told=text)

    def _uncompared_sights(self, *, is_compared: bool) -> Iterable[Sight]:
        """See whether the books have moved at each look for so long that nobody watches them."""
        if is_compared:
            self._compared = self._now()
        elif (age_s := self._now() - self._compared) >= UNCOMPARED_S:
            text = f"the books have moved at each look for {age_s:.0f} s: nothing of them compares"
            yield Sight(kind="uncompared", what="books", gap="", told=text)

    def _owner_sights(self, owner: Owner | None) -> Iterable[Sight]:
        """See whether somebody is at work: owns the journal, and writes into it."""
        state, age_s = self._state, self._now() - self._grew
        if state.status is TradingSessionStatus.STOPPED:
            return
        if state.status is TradingSessionStatus.ERROR:
            text = f"the session of epoch {state.epoch} is in ERROR: {state.status_reason}"
            yield Sight(kind="session_error", what="session", gap=str(state.epoch), told=text)
            return
        what = f"the session of epoch {state.epoch} is {state.status.value} in the journal"
        if owner is None:
            text = f"{what}, and no process owns it: it has died"
            yield Sight(kind="nobody", what="owner", gap=str(state.epoch), told=text)
        elif age_s > self._quiet_s:
            text = f"{what}, {owner} owns it, and nothing was recorded for {age_s:.0f} s: it hangs"
            yield Sight(kind="journal_quiet", what="journal", gap=str(self._sequence), told=text)

    def _note(self, found: Sequence[Sight], kept: tuple[str, ...]) -> None:
        """Count each sight, raise the alarm for those that stay, call off those that are gone."""
        now = self._now()
        before, self._standing = self._standing, {}
        for sight in found:
            key = (sight.kind, sight.what)
            standing = before.pop(key, None) or Standing(sight, first=now)
            standing.see(sight, now, self._patience_s)
            self._standing[key] = standing
            self._judge(standing, now)
        for key, standing in before.items():
            if key[0] in kept:
                self._standing[key] = standing
                standing.is_unseen = True
            elif standing.is_alarm:
                self._notifier.notify("warning", f"watch: it is over: {standing.sight.told}")

    def _judge(self, standing: Standing, now: float) -> None:
        if not standing.is_alarm and standing.stays(now, self._patience_s):
            standing.is_alarm = True
            self._notifier.notify("alarm", f"watch: {standing.sight.kind}: {standing.sight.told}")

    @property
    def alarms(self) -> list[Sight]:
        """Return the alarms that stand."""
        return [each.sight for each in self._standing.values() if each.is_alarm]

    def _told(self, owner: Owner | None, seen: Seen, *, is_compared: bool) -> Look:
        state = self._state
        return Look(
            ts=time.time_ns(),
            sequence=self._sequence,
            epoch=state.epoch,
            status=state.status.value,
            owner=str(owner or ""),
            facts_age_s=round(self._now() - self._grew, 1),
            positions=len(seen.positions),
            open_orders=len(seen.orders),
            balances={asset: plain(amount) for asset, amount in seen.balances.items()},
            is_compared=is_compared,
            sights=[each.sight for each in self._standing.values()],
            alarms=self.alarms,
        )

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    async def close(self) -> None:
        """Let go of both sides."""
        self._close_journal()
        await self._view.close()
