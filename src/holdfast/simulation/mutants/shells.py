"""Mutants of what is around the engine: session, shell, journal, recovery, adapter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from ...engine.engine import Outcome
from ...journal.codec import Row
from ...journal.commit import DirectCommit
from ...journal.stored import StoredJournal
from ...model import messages as msg
from ...runtime import assembly
from ...runtime.live import LiveSession
from ...runtime.recovery import StateRecoveryService
from ...runtime.shell import Shell
from ...venues.binance_futures import outcome_rows, outcomes
from ...venues.binance_futures.account_settings import AccountSettings
from ...venues.binance_futures.asking import Asker
from ...venues.binance_futures.snapshot import Books
from .. import disk
from ..settings_at_hand import SettingsAtHand
from .patching import Patch


def send_before_the_journal(patch: Patch) -> None:
    def handle(self: Shell, message: msg.Message) -> Outcome:
        outcome = self.engine.handle(message, self._clock.now())
        for command in outcome.commands:
            self._carry_out(command)
        if outcome.facts:
            self._journal.append(outcome.facts)
            for listener in self.listeners:
                listener(outcome.facts)
            self._changed.set()
        return outcome

    patch.attr(Shell, "_handle", handle)


def send_before_the_commit(patch: Patch) -> None:
    """Call back at once, and write afterwards."""

    def rows(self: DirectCommit, rows: Sequence[Row], on_commit: Callable[[], None] | None) -> None:
        self._chain.advance(rows)
        if on_commit is not None:
            on_commit()
        self._store.insert(rows)

    patch.attr(DirectCommit, "rows", rows)


def go_on_after_a_failure(patch: Patch) -> None:
    """A journal that can't be written stops nothing."""
    patch.attr(Shell, "fail", lambda _self, _error: None)


def handle_before_the_epoch_begins(patch: Patch) -> None:
    """Take orders and reports on while the journal's new owner has not begun."""
    patch.attr(Shell, "has_begun", property(lambda _self: True))


def audit_nothing(patch: Patch) -> None:
    patch.attr(LiveSession, "_audit", lambda _self, _now: None)


def take_the_unknown_for_refused(patch: Patch) -> None:
    row = outcome_rows.REFUSED
    for code in (-1000, -1001, -1006, -1007):
        patch.item(outcome_rows.CODES, code, row)
    patch.attr(outcomes, "UNKNOWN", row)


def send_again_what_is_in_doubt(patch: Patch) -> None:
    """A request that was cut off is simply sent once more, under its own id."""
    original: Any = outcomes.classify

    def classify(ask: Any, status: int, code: int | None, text: str = "") -> Any:  # noqa: ANN401
        found = original(ask, status, code, text)
        is_doubt = found.kind is outcome_rows.Kind.IN_DOUBT
        return found._replace(kind=outcome_rows.Kind.RETRY_LATER) if is_doubt else found

    from ...venues.binance_futures import asking  # noqa: PLC0415 - it has the name by import

    patch.attr(asking, "classify", classify)


def forget_the_second_endpoint(patch: Patch) -> None:
    """List ordinary orders alone when the books are read."""
    original: Any = Books._orders  # noqa: SLF001

    async def orders(self: Books, *args: Any) -> Any:  # noqa: ANN401
        found = await original(self, *args)
        return [report for report in found if not report.order_type.is_conditional]

    patch.attr(Books, "_orders", orders)


def stamp_requests_anew(patch: Patch) -> None:
    """Sign with the present instead of the time that is in the journal."""
    original: Any = Asker.ask

    async def ask(self: Asker, make: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        kwargs.pop("begun", None)
        kwargs["fence_ts"] = None

        def fresh(ts: int) -> Any:  # noqa: ANN401
            call = make(ts)
            stamped = {**call.params}
            if "timestamp" in stamped:
                stamped["timestamp"] = ts // 1_000_000
            return call._replace(params=stamped)

        return await original(self, fresh, *args, **kwargs)

    patch.attr(Asker, "ask", ask)
    patch.attr(Asker, "begin", lambda *_: None)


def recover_from_an_empty_state(patch: Patch) -> None:
    """Believe the snapshot, and leave out what came behind it."""
    from ...engine.engine import Engine  # noqa: PLC0415
    from ...model.settings import EngineSettings  # noqa: PLC0415
    from ...runtime.recovery import Recovered  # noqa: PLC0415

    def recover(
        self: StateRecoveryService,
        settings: EngineSettings | None = None,
        *,
        read_lag_ns: int = 0,
    ) -> Recovered:
        state, sequence = self.load()
        engine = Engine(settings or EngineSettings(), state=state, read_lag_ns=read_lag_ns)
        return Recovered(engine, 0, sequence, was_running=True)

    patch.attr(StateRecoveryService, "recover", recover)


def sync_nothing(patch: Patch) -> None:
    """Commits are in the log, and nobody sees to it that the log is on the disk."""
    patch.attr(disk.SimStore, "_make_durable", lambda _self: None)


def give_an_epoch_out_unsynced(patch: Patch) -> None:
    """Nor does the session sync before it goes on."""
    patch.attr(disk, "keep_epoch", lambda _disk: None)
    patch.attr(StoredJournal, "sync", lambda _self: None)


def let_two_owners_write(patch: Patch) -> None:
    patch.attr(disk.SimStore, "_check_epoch", lambda _self: None)


def leave_a_torn_tail(patch: Patch) -> None:
    patch.attr(disk, "torn_facts", lambda _tables: [])


def book_what_nobody_names(patch: Patch) -> None:
    patch.attr(Books, "_settled_until", lambda _self: sys.maxsize)


def count_epochs_by_the_journal_alone(patch: Patch) -> None:
    patch.attr(assembly, "epoch_at", lambda _: 1)


def read_no_settings(patch: Patch) -> None:
    """Believe the stream alone, where somebody sets the account otherwise."""

    async def look(_self: AccountSettings) -> None: ...

    patch.attr(AccountSettings, "look", look)
    patch.attr(SettingsAtHand, "share", 1.0)
