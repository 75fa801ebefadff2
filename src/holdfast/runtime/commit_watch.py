"""Say that a commit hangs, and give the session up where it does so for long.

A disk may hold a sync for minutes, and a server whose standby has gone a commit for ever, over a
connection that is well. Nothing leaves meanwhile, since a fact is committed before its command: no
stop for what has filled, no kill, and none of the engine's alarms. So this is told at once, past
the journal, which could not take it.
"""

from __future__ import annotations

import asyncio

from ..journal import OwnedJournal
from ..model.errors import JournalError
from ..ports import Notifier
from .shell import Shell

LOOK_S = 0.5
ALARM_S = 3.0
"""How long the journal may take nothing before a person is told."""

GIVE_UP_S = 15.0
"""How long until it counts as failed: entries are then taken back without a record."""

QUIET_S = 60.0
"""A disk that is slow again and again is told of so often at most."""


class CommitWatch:
    """Looks from the loop at whether what waits for the journal gets on, from now until closed."""

    def __init__(self, shell: Shell, journal: OwnedJournal, notifier: Notifier) -> None:
        self._shell = shell
        self._journal = journal
        self._notifier = notifier
        self._hung_s = 0.0  # as far as was seen: a process that stood still saw nothing
        self._is_told = False
        self._quiet_until = 0.0
        self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _run(self) -> None:
        seen = self._shell.recorded_count
        while not self._shell.has_failed:
            await asyncio.sleep(LOOK_S)
            is_held = self._shell.has_uncommitted and self._shell.recorded_count == seen
            seen = self._shell.recorded_count
            if is_held:
                self._hung_s += LOOK_S
                self._judge()
            else:
                self._go_on()

    def _judge(self) -> None:
        if self._hung_s >= GIVE_UP_S:
            what = f"the journal has taken nothing for {GIVE_UP_S:g} s"
            self._journal.give_up(JournalError(f"{what}: see to its disk or server"))
        elif self._hung_s >= ALARM_S and not self._is_told and _now() >= self._quiet_until:
            self._is_told, self._quiet_until = True, _now() + QUIET_S
            self._notifier.notify(
                "alarm",
                f"journal_hangs: the journal has taken nothing for {ALARM_S:g} s, and nothing "
                "leaves until it does: no order, no stop for what fills, no cancel, no kill; what "
                f"rests at the exchange stays. After {GIVE_UP_S:g} s the session is given up and "
                "its entries are taken back: see to the journal's disk or server",
            )

    def _go_on(self) -> None:
        if self._is_told:
            text = f"the journal takes facts again; it took none for {self._hung_s:.1f} s"
            self._notifier.notify("warning", text)
        self._hung_s, self._is_told = 0.0, False


def _now() -> float:
    return asyncio.get_running_loop().time()
