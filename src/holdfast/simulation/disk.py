"""A disk that can lose, tear and refuse, with the product's journal on it.

What is written are the journal's own rows with their chain of hashes. A commit is on the disk at
once and survives the process; what a power cut takes is what was not synced. Who syncs is the
process, as the journal does it: with the commit, or from beside it a moment later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from ..journal.codec import GENESIS, Chain, Row, StoredRow, decode, fault
from ..journal.commit import Committer, DirectCommit
from ..journal.contract import OwnedJournal
from ..journal.delivery import Delivery
from ..journal.owner import Owner
from ..journal.reading import snapshot_hash
from ..journal.stored import Backing, StoredJournal
from ..journal.torn import torn_facts
from ..journal.upkeep import SYNC_EVERY_S
from ..model.errors import Fenced, JournalCorrupt, JournalError, JournalLocked
from ..model.events import Event
from .process import Process, running

SCHEME = "simulated"
SYNC_WITHIN_S = 0.05
"""What was committed so long ago must have been synced, unless its process could not."""

POWER_COMMIT_S = (0.0002, 0.008)
"""How long a commit with a sync takes, at least and at most, on a disk that is well."""

BEFORE, TORN, AFTER = "before", "torn", "after"
PHASES = (BEFORE, TORN, AFTER)


@dataclass(slots=True)
class Killing:
    """Die at a write: the `write`-th from now on, in a phase."""

    write: int
    phase: str


@dataclass(slots=True)
class Disk:
    """What is on the disk, and what is to go wrong with it."""

    lots: Random
    now: Callable[[], float]
    rows: list[StoredRow] = field(default_factory=list)
    epoch: int = 0
    lives: int = 0  # how often somebody has owned it
    owner: Process | None = None
    snapshot: tuple[int, bytes, bytes] | None = None
    older_snapshot: tuple[int, bytes, bytes] | None = None
    times: list[tuple[float, int]] = field(default_factory=list)  # of commits, and rows before
    synced: int = 0  # rows that survive everything
    unpromised: int | None = None  # rows before a write that died half way, nobody was told of it
    synced_epoch: int = 0
    is_sync_due: bool = False
    syncs_commits: bool = False
    promises: bool = True  # whoever writes is there to sync within `SYNC_WITHIN_S`
    writes: int = 0
    torn: int = 0
    lost: int = 0
    found: int = 0
    is_full: bool = False
    fails_to_sync: bool = False
    commit_s: tuple[float, float] = POWER_COMMIT_S  # of one with a sync
    killing: Killing | None = None
    on_kill: Callable[[str], None] = lambda _: None
    on_write: Callable[[], None] = lambda: None
    on_undurable: Callable[[str], None] = lambda _: None

    def sync(self) -> None:
        self.synced = len(self.rows)
        self.synced_epoch, self.unpromised = self.epoch, None
        self.older_snapshot = self.snapshot
        self.times.clear()

    def cut_power(self) -> int:
        """Lose what was not synced, some of it or all; return how many rows."""
        if self.synced_epoch < self.epoch:
            self.on_undurable(f"epoch {self.epoch} was not synced when it was given out")
            self.epoch = self.synced_epoch
        at_risk = len(self.rows) - self.synced
        if at_risk <= 0:
            return 0
        lost = self.lots.randint(1, at_risk)
        del self.rows[len(self.rows) - lost :]
        self._judge_loss(lost)
        if self.snapshot is not None and self.snapshot[0] > len(self.rows):
            self.snapshot = self.older_snapshot
        self.times = [(when, min(rows, len(self.rows))) for when, rows in self.times]
        self.lost += lost
        return lost

    def _judge_loss(self, lost: int) -> None:
        """Say so when facts were lost that had been committed for too long, or for good."""
        kept = len(self.rows)
        since = min((when for when, before in self.times if before + 1 > kept), default=self.now())
        if self.syncs_commits:
            if self.unpromised is None or kept < self.unpromised:
                text = f"{lost} facts were lost that had been synced, as their sender knew"
                self.on_undurable(text)
        elif self.promises and self.now() - since > SYNC_WITHIN_S:
            self.on_undurable(f"{lost} facts were lost, {self.now() - since:.3f} s old")

    def restore(self, count: int, epoch: int) -> None:
        """Be as it was when there were so many rows, all of it on the disk."""
        del self.rows[count:]
        if self.snapshot is not None and self.snapshot[0] > count:
            self.snapshot = None
        self.epoch = epoch
        self.sync()

    def tear(self, row: StoredRow) -> StoredRow:
        """Return a row of which the end never reached the disk."""
        payload = row[5]
        kept = self.lots.randrange(len(payload))
        self.torn += 1
        return (*row[:5], payload[:kept], row[6])


class SimStore:
    """The rows that one process writes. A process that is dead writes nothing."""

    def __init__(self, disk: Disk, process: Process | None, epoch: int, *, syncs: bool) -> None:
        self._disk = disk
        self._process = process
        self._epoch = epoch
        self._syncs = syncs

    def insert(self, rows: Sequence[Row]) -> None:
        disk = self._disk
        if self._process is not None:
            self._process.check()
        self._check_epoch()
        stored = [_stored(row) for row in rows]
        disk.writes += 1
        self._may_die(stored)
        if disk.is_full:
            raise JournalError("the disk is full")
        if self._syncs and disk.fails_to_sync:
            raise JournalError("the disk failed to sync")
        disk.times.append((disk.now(), len(disk.rows)))
        disk.rows += stored
        self._make_durable()
        disk.on_write()
        if disk.killing is not None and disk.killing.write <= 0:
            self._kill()

    def _check_epoch(self) -> None:
        """As the statement does that inserts."""
        if self._disk.epoch != self._epoch:
            text = f"epoch {self._epoch} has lost the journal to epoch {self._disk.epoch}"
            raise Fenced(text)

    def _make_durable(self) -> None:
        """Sync with the commit, or leave it to what syncs beside it."""
        disk = self._disk
        if self._syncs:
            disk.sync()
        elif not disk.is_sync_due and self._process is not None:
            disk.is_sync_due = True
            asyncio.get_running_loop().call_later(SYNC_EVERY_S, self._sync_beside)

    def _sync_beside(self) -> None:
        disk = self._disk
        disk.is_sync_due = False
        if not disk.fails_to_sync and disk.epoch == self._epoch:
            disk.sync()

    def _may_die(self, stored: list[StoredRow]) -> None:
        disk, killing = self._disk, self._disk.killing
        if killing is None:
            return
        killing.write -= 1
        if killing.write > 0 or killing.phase == AFTER:
            return
        if killing.phase == TORN:
            disk.unpromised = len(disk.rows)
            whole = disk.lots.randrange(len(stored))
            disk.rows += [*stored[:whole], disk.tear(stored[whole])]
        self._kill()

    def _kill(self) -> None:
        disk = self._disk
        killing, disk.killing = disk.killing, None
        assert killing is not None
        disk.on_kill(killing.phase)
        if self._process is not None:
            raise self._process.crash(f"killed {killing.phase} write {disk.writes}")

    def keep_snapshot(self, sequence: int, payload: bytes) -> None:
        disk = self._disk
        if self._process is not None:
            self._process.check()
        self._check_epoch()
        head = disk.rows[sequence - 1][6] if sequence else GENESIS
        disk.snapshot = (sequence, payload, snapshot_hash(head, sequence, payload))
        if self._syncs:
            disk.sync()

    def sync(self) -> None:
        if self._process is not None:
            self._process.check()
        if self._disk.fails_to_sync:
            raise JournalError("the disk failed to sync")
        self._disk.sync()


class SimTables:
    """What is read of the disk."""

    place = "on the simulated disk"

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def replay(self, after: int = 0) -> Iterator[Event]:
        head = self._disk.rows[after - 1][6] if after else GENESIS
        for sequence in range(after + 1, len(self._disk.rows) + 1):
            row = self._disk.rows[sequence - 1]
            if problem := fault(row, sequence, head):
                raise JournalCorrupt(f"journal {self.place}: {problem}")
            head = row[6]
            yield decode(row)

    def newest_rows(self, count: int) -> list[StoredRow]:
        return self._disk.rows[-count:]

    def archived(self) -> int:
        return 0

    def hash_at(self, sequence: int) -> bytes:
        return self._disk.rows[sequence - 1][6] if sequence else GENESIS

    def snapshot(self, sequence_max: int) -> tuple[tuple[int, bytes] | None, str]:
        found = self._disk.snapshot
        if found is None:
            return None, ""
        sequence, payload, stored = found
        if sequence > sequence_max:
            return None, f"the snapshot at {sequence} is ahead of the last fact {sequence_max}"
        head = self._disk.rows[sequence - 1][6] if sequence else GENESIS
        if snapshot_hash(head, sequence, payload) != stored:
            return None, f"the snapshot at {sequence} is damaged"
        return (sequence, payload), ""

    def close(self) -> None:
        """Nothing to give back."""


class PowerCommit:
    """Commits with a sync, later, many appends at a time: `GroupCommit` without its thread."""

    is_synchronous = False

    def __init__(self, store: SimStore, chain: Chain, delivery: Delivery, disk: Disk) -> None:
        self._store = store
        self._chain = chain
        self._delivery = delivery
        self._disk = disk
        self._rows: list[Row] = []
        self._calls: list[Callable[[], None]] = []
        self._is_due = False

    def rows(self, rows: Sequence[Row], on_commit: Callable[[], None] | None) -> None:
        self._delivery.find_loop()
        self._rows += rows
        if on_commit is not None:
            self._calls.append(on_commit)
        self._chain.advance(rows)
        if not self._is_due:
            self._is_due = True
            delay = self._disk.lots.uniform(*self._disk.commit_s)
            asyncio.get_running_loop().call_later(delay, self._commit)

    def _commit(self) -> None:
        self._is_due = False
        if self._delivery.failure is not None:
            return
        rows, self._rows = self._rows, []
        calls, self._calls = self._calls, []
        try:
            if rows:
                self._store.insert(rows)
        except JournalError as error:
            self._delivery.fail(error)
            return
        self._delivery.put(calls)

    def snapshot(self, sequence: int, payload: bytes) -> None:
        self.flush()
        self._store.keep_snapshot(sequence, payload)

    def flush(self) -> None:
        self._commit()
        self._delivery.check()

    def close(self) -> None:
        """Nothing to stop."""


def open_disk(disk: Disk, durability: str, epoch_min: int = 1) -> OwnedJournal:
    """Own the journal on a disk as the running process.

    Raises:
        JournalLocked: another live process has it.
        JournalCorrupt: it is damaged elsewhere than at its end.
    """
    process = running()
    owner = disk.owner
    is_held = owner is not None and not owner.is_dead and not owner.has_lost_lock
    if is_held and owner is not process:
        raise JournalLocked(f"journal {SimTables.place} is owned by {owner}")
    tables = SimTables(disk)
    torn = torn_facts(tables)  # type: ignore[arg-type]  # what it asks of tables, this has
    findings = [f"{len(torn)} torn facts at the end were set aside"] if torn else []
    if torn:
        del disk.rows[len(disk.rows) - len(torn) :]
        disk.found += len(torn)
    disk.owner, disk.epoch = process, max(disk.epoch + 1, epoch_min)
    disk.lives += 1
    keep_epoch(disk)
    head = disk.rows[-1][6] if disk.rows else GENESIS
    chain, delivery = Chain(len(disk.rows), head, disk.epoch), Delivery()
    syncs = disk.syncs_commits = durability == "power"
    store = SimStore(disk, process, disk.epoch, syncs=syncs)
    committer: Committer = DirectCommit(store, chain, delivery)
    if syncs:
        committer = PowerCommit(store, chain, delivery, disk)
    backing = Backing(delivery, findings, store.sync, lambda: _release(disk, process))
    return StoredJournal(tables, chain, committer, backing)  # type: ignore[arg-type]  # as above


def keep_epoch(disk: Disk) -> None:
    """Sync before anybody uses the epoch: the ids of its orders must never come again."""
    disk.sync()
    disk.is_sync_due = False


def _release(disk: Disk, process: Process | None) -> None:
    if disk.owner is process:
        disk.owner = None


def _stored(row: Row) -> StoredRow:
    return (*row[:4], row[4].encode(), row[5].encode(), row[6])


Open = Callable[[str, str, Owner | None], OwnedJournal]
