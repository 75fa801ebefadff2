"""Say that what is recorded waits for its commit, and give the session up where it does for long.

A disk may hold a sync for minutes, and a server whose standby has gone a commit for ever, over a
connection that is well. Nothing leaves meanwhile, since a fact is committed before its command: no
stop for what has filled, no kill, and none of the engine's alarms. So this is told at once, past
the journal, which could not take it.

Commits that get on, and take longer than a receive window, are no better: each stop, exit and
cancel comes off the journal past its own fence and is refused, and so is what follows it.

Where facts are synced beside their commit, all goes on while the disk holds a sync, and a power cut
would take what was done since: that has the same bounds.
"""

from __future__ import annotations

import asyncio
from collections import deque

from ..journal import OwnedJournal
from ..model.errors import JournalError
from ..model.values import NS_PER_S
from ..ports import Notifier
from .shell import Shell

LOOK_S = 0.5
ALARM_S = 3.0
"""How long what is recorded may wait for its commit before a person is told."""

GIVE_UP_S = 15.0
"""How long until the journal counts as failed: entries are then taken back without a record. That
is how long one fact waits, or how long one commit after the other has come too late.
"""

LATE_MAX = 3
"""How many commits in a row must have come too late for that."""

_WAITS = (
    "facts have waited {:g} s for the journal, and nothing that follows from them leaves before it "
    "has them: no order, no stop for what fills, no cancel, no kill; what rests at the exchange "
    "stays."
)
_HELD = (
    "the journal's disk has held a sync for {:g} s. Orders, stops and cancels go on, and what is "
    "recorded survives a kill of the process, but no power cut; kill, release, pause and resume "
    "hold and are not answered before they are synced."
)

QUIET_S = 60.0
"""A disk that is slow again and again is told of so often at most."""


class CommitWatch:
    """Looks from the loop at how long what waits for the journal has waited, until closed.

    Time is what was looked at: a process that stood still saw nothing.

    Args:
        recv_window_ns: how long after its fact a command may leave.
    """

    def __init__(
        self, shell: Shell, journal: OwnedJournal, notifier: Notifier, recv_window_ns: int
    ) -> None:
        self._shell = shell
        self._journal = journal
        self._notifier = notifier
        self._window_s = recv_window_ns / NS_PER_S
        self._seen_s = 0.0
        self._waiting: deque[tuple[float, int]] = deque()  # when first seen, up to which batch
        self._kept, self._kept_s = shell.recorded_count, 0.0
        self._late, self._late_since_s = 0, 0.0  # commits in a row that came too late
        self._sync, self._sync_since_s = 0, 0.0  # the one under way, and when it was first seen
        self._worst_s = 0.0
        self._is_told = False
        self._quiet_until = 0.0
        self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _run(self) -> None:
        while not self._shell.has_failed:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """See what was kept since the last look and what waits, and judge by that."""
        self._seen_s += LOOK_S
        if self._shell.recorded_count > self._kept:
            self._hear_kept()
        last = self._waiting[-1][1] if self._waiting else self._kept
        if self._shell.appended_count > last:
            self._waiting.append((self._seen_s, self._shell.appended_count))
        if (under_way := self._journal.sync_under_way) != self._sync:
            self._sync, self._sync_since_s = under_way, self._seen_s
        self._judge()

    def _hear_kept(self) -> None:
        since_s = self._waiting[0][0] if self._waiting else self._seen_s
        self._kept, self._kept_s = self._shell.recorded_count, self._seen_s
        while self._waiting and self._waiting[0][1] <= self._kept:
            self._waiting.popleft()
        if self._seen_s - since_s < self._window_s:
            self._late = 0
        else:
            self._late_since_s = self._late_since_s if self._late else since_s
            self._late += 1

    def _judge(self) -> None:
        since_s = self._waiting[0][0] if self._waiting else self._seen_s
        waited_s = self._seen_s - since_s
        held_s = self._seen_s - self._sync_since_s if self._sync else 0.0
        if waited_s >= GIVE_UP_S:
            hangs = self._kept_s <= since_s
            what = "has taken nothing for" if hangs else "is behind by"
            self._give_up(f"{what} {GIVE_UP_S:g} s")
        elif self._late >= LATE_MAX and self._kept_s - self._late_since_s >= GIVE_UP_S:
            self._give_up(
                f"takes longer than an order may wait ({self._window_s:g} s), "
                f"{self._late} times in a row"
            )
        elif held_s >= GIVE_UP_S:
            self._give_up(f"could sync nothing for {GIVE_UP_S:g} s")
        elif max(waited_s, held_s) >= ALARM_S:
            self._worst_s = max(self._worst_s, waited_s, held_s)
            self._tell(_WAITS if waited_s >= ALARM_S else _HELD)
        elif self._is_told:
            text = f"the journal takes facts again; the last ones waited {self._worst_s:.1f} s"
            self._notifier.notify("warning", text)
            self._worst_s, self._is_told = 0.0, False

    def _give_up(self, what: str) -> None:
        self._journal.give_up(JournalError(f"the journal {what}: see to its disk or server"))

    def _tell(self, what: str) -> None:
        if self._is_told or _now() < self._quiet_until:
            return
        self._is_told, self._quiet_until = True, _now() + QUIET_S
        self._notifier.notify(
            "alarm",
            f"journal_hangs: {what.format(ALARM_S)} After {GIVE_UP_S:g} s of this the session is "
            "given up and its entries are taken back: see to the journal's disk or server",
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
