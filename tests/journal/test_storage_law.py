"""A law of the journal's storage as a whole: first stage, database, snapshots, archives, readers.

A script of steps runs on real files. Within a step anything else may happen at any instant: a kill,
a power cut, a full disk, a locked database, another owner, an archiver, a reader. Beside it stands
a list of what was confirmed. Every later owner and reader has that, in order and once; never what
was refused; and a power cut takes no more than an end that was not synced.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from holdfast.journal import open_journal, upcast
from holdfast.journal.archiving import archive
from holdfast.journal.codec import GENESIS, link, payload_of
from holdfast.journal.inspect import tail, verify
from holdfast.model.errors import JournalCorrupt, JournalError
from tests.journal.instants import Instants, lose_power
from tests.journal.samples import fill

ODD = ["", "", "", "é", "\x00", "\u2028\U0001f600", '\ufffe\x7f\\"', "long" * 300]
MODES = ["process", "process", "power"]
KEEPS = ["", "snapshot", "sync", "move", "checkpoint"]
OTHERS = ("archive", "claim", "append", "snapshot", "move")
OWNERS = ("kill", "cut", "fail", "lock", "look", "archive", "claim", "move")
MEANWHILE = {
    "claim": ("kill", "cut", "fail", "lock", "look", "archive", "append", "snapshot", "move"),
    "archive": ("kill", "cut", "fail", "lock", "look", "claim", "append", "snapshot", "move"),
    "look": OTHERS,
    "read": OTHERS,
}
"""What may happen within a step; `OWNERS` in all others."""

INSTANTS = {"claim": 50, "archive": 50, "look": 20, "read": 10, "append": 6}
"""About how many instants a step has; 15 in all others."""


class Batch(NamedTuple):
    """What was appended together."""

    epoch: int
    facts: tuple


class Record:
    """What a journal has to remember."""

    def __init__(self):
        self.batches = []
        self.doubts = []  # sequences of batches that may have come behind, or may not
        self.read = 0  # so many facts some reader has seen: they stay
        self.floor = 0  # so many facts a power cut can't take
        self.snapshots: list[Any] = [None]  # one of these is the newest
        self.kept: list[Any] = [None]  # one of these is, where a power cut has taken the end

    def copy(self):
        other = Record()
        vars(other).update(
            {name: list(v) if isinstance(v, list) else v for name, v in vars(self).items()}
        )
        return other

    @property
    def facts(self):
        return [fact for batch in self.batches for fact in batch.facts]

    def head(self):
        head, sequence = GENESIS, 0
        for epoch, facts in self.batches:
            for fact in facts:
                sequence += 1
                kind = type(fact).__name__.encode()
                row = (sequence, epoch, fact.ts, upcast.VERSION, kind, payload_of(fact))
                head = link(head, row)
        return head

    def futures(self):
        """Yield the batches of each way that the record may go on by."""
        yield self.batches
        for doubt in self.doubts:
            for length in range(1, len(doubt) + 1):
                yield [*self.batches, *doubt[:length]]

    def settle(self, found, *, is_cut=False):
        """Take what an owner has read for the record."""
        for batches in self.futures():
            lengths = range(len(batches), (-1 if is_cut else len(batches) - 1), -1)
            for length in lengths:
                if [fact for batch in batches[:length] for fact in batch.facts] == found:
                    self.batches, self.doubts = batches[:length], []
                    return
        raise AssertionError(f"{_names(found)} instead of {_names(self.facts)}")

    def was_synced(self):
        self.floor = len(self.facts)
        self.kept = list(self.snapshots)


def _names(facts):
    return [fact.cl_ord_id for fact in facts]


class Moment(NamedTuple):
    """The files as they are at an instant, and what must be in them."""

    folder: Path
    record: Record
    epoch: int
    is_cut: bool


class Cursor:
    """A reader in the midst of a replay."""

    def __init__(self, reader, after):
        self.reader, self.at = reader, after
        self.rows = reader.replay(after)


class Storage:
    """A journal with all that happens to it, and beside it what it has to remember."""

    def __init__(self, lots):
        self.lots = lots
        memory = Path("/dev/shm")  # what a sync means is the test's affair
        usable = memory if os.access(memory, os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(prefix="law", dir=usable))
        self.patch = pytest.MonkeyPatch()
        self.instants = Instants(self.patch)
        self.owner: Any = None
        self.formers, self.cursors, self.saved, self.told = [], [], [], []
        self.record = Record()
        self.flight = []  # what is being appended
        self.moment: Any = None  # what to go on from once the step is done
        self.broken: Any = None  # what has failed within a step, on whichever thread
        self.is_disturbed = self.is_claimed = self.may_be_torn = False
        self.number = self.epoch = self.folders = 0
        self.locker = None
        self.folder = self._new_folder()
        self.folder.mkdir()

    @property
    def path(self):
        return self.folder / "a.db"

    @property
    def _is_excused(self):
        return self.is_disturbed or self.instants.has_failed

    def _expect(self, journal, error):
        """Let a journal fail that has lost its files, or that something was done to."""
        self._forgive(error, journal is not self.owner or self._is_excused or self.is_claimed)

    @staticmethod
    def _forgive(error, is_known):
        if not is_known or isinstance(error, JournalCorrupt):
            raise AssertionError(repr(error)) from error

    def _new_folder(self):
        self.folders += 1
        return self.root / str(self.folders)

    # --- what happens at an instant -------------------------------------------------------------

    def during(self, step, act):
        """Do something, and at one of its instants perhaps something else."""
        number = self.lots.randrange(INSTANTS.get(step, 15))
        what = self.lots.choice(MEANWHILE.get(step, OWNERS)) if self.lots.random() < 0.6 else ""
        note(f"    {step}, at {number} {what}")
        self.is_disturbed = False
        if what:
            self.instants.arm(number, None if what == "fail" else lambda: self._meanwhile(what))
        try:
            act()
        finally:
            self.instants.disarm()
            if self.locker is not None:
                self.locker.close()
                self.locker = None
        self.may_be_torn |= self.instants.has_failed
        self.is_disturbed = self.instants.has_failed = False
        if self.broken is not None:
            raise self.broken
        if self.moment is not None:
            self._go_on()
        if self.owner is not None and self.owner.failure is not None:
            self._leave_owner()

    def _meanwhile(self, what):
        try:
            self._do(what)
        except BaseException as error:
            self.broken = error  # the journal's thread would take it for its own
            raise

    def _do(self, what):
        self.is_disturbed = what not in ("kill", "cut", "look")
        match what:
            case "kill" | "cut":
                self.moment = self._moment(self.lots if what == "cut" else None)
            case "lock":
                self.locker = sqlite3.connect(
                    self.path, isolation_level=None, timeout=0, check_same_thread=False
                )
                with suppress(sqlite3.Error):
                    self.locker.execute("BEGIN IMMEDIATE")
            case "look":
                self._look()
            case "archive":
                with suppress(JournalError):
                    archive(self.path, is_beside=True)
            case "claim":
                self._claim(self.lots.choice(MODES))
            case _ if self.owner is not None and self.owner.failure is None:
                self._go_on_as_owner(what)

    def _go_on_as_owner(self, what):
        if what == "move":  # who is at it may hold the database
            self._move(self.owner)
            return
        self._append(self.owner, self._some_facts())
        if what == "snapshot" and self.owner.failure is None:
            self._snapshot(self.owner, 0)

    def _moment(self, lots=None):
        folder = self._new_folder()
        shutil.copytree(self.folder, folder)
        record = self.record.copy()
        if self.flight:
            record.doubts.append(list(self.flight))
        if lots is not None:
            synced = self.instants.log_synced.get(self.folder, (b"", 0))
            gone = {
                f.name: body for f, body in self.instants.gone.items() if f.parent == self.folder
            }
            lose_power(folder / "a.db", synced, gone, lots)
        return Moment(folder, record, self.epoch, is_cut=lots is not None)

    def _go_on(self, mode="process"):
        """Go on with the files of a moment: all processes have died, or the power was cut."""
        moment, self.moment = self.moment, None
        self._leave_all()
        self.record, self.folder, self.epoch = moment.record, moment.folder, moment.epoch
        if moment.is_cut:
            self.cursors.clear()
            self.record.read = 0
            self.record.snapshots = list({*self.record.snapshots, *self.record.kept})
        for cursor in self.cursors:
            seen = vars(cursor.reader)["_seen"]
            cursor.reader.close()
            cursor.reader = open_journal(self.path, read_only=True)
            vars(cursor.reader)["_seen"] = seen
            cursor.rows = None
        self._open(mode, is_cut=moment.is_cut)

    def _leave_owner(self):
        with suppress(JournalError):
            self.owner.close()
        self.owner = None

    def _leave_all(self):
        for journal in (*self.formers, *([self.owner] if self.owner else [])):
            with suppress(JournalError):
                journal.close()
        self.owner = None
        self.formers.clear()

    # --- what an owner does ---------------------------------------------------------------------

    def _facts(self, odd):
        facts = []
        for each in odd:
            self.number += 1
            made = fill(self.number)
            values = {name: getattr(made, name) for name in made.__struct_fields__}
            facts.append(type(made)(**{**values, "trade_id": f"{self.number}{ODD[each]}"}))
        return tuple(facts)

    def _append(self, journal, facts):
        batch, done = Batch(journal.epoch, facts), []
        self.flight = [batch]
        try:
            journal.append(facts, lambda: done.append(True))
            if not journal.is_synchronous:
                journal.sync()
        except JournalError as error:
            if journal is self.owner:  # nobody has come behind it yet
                self.record.doubts.append([batch])
            assert not done, "refused what was confirmed"
            self._expect(journal, error)
        else:
            assert done == [True]
            assert journal is self.owner, "confirmed to a former owner"
            self.record.batches.append(batch)
            if not journal.is_synchronous:
                self.record.was_synced()
        finally:
            self.flight = []

    def _snapshot(self, journal, back):
        sequence = max(0, journal.sequence - back)
        found = (sequence, f"state of {sequence} {self.number}".encode())
        before = list(self.record.snapshots)
        self.record.snapshots.append(found)
        self.record.kept.append(found)
        try:
            journal.save_snapshot(*found)
            if not journal.is_synchronous:
                journal.sync()
        except JournalError as error:
            self._expect(journal, error)
            if journal is not self.owner:
                self.record.snapshots = before
        else:
            assert journal is self.owner, "a former owner's snapshot was kept"
            self.record.snapshots = [found]
            if not journal.is_synchronous:
                self.record.was_synced()

    def _sync(self, journal):
        facts = len(self.record.facts)
        try:
            journal.sync()
        except JournalError as error:
            self._expect(journal, error)
        else:
            if journal is self.owner and facts == len(self.record.facts):
                self.record.was_synced()

    def _move(self, journal):
        committer = vars(journal)["_committer"]
        lock = vars(committer).get("_lock")
        if lock is None or lock.locked() or "_stage" not in vars(committer):
            return
        try:
            committer.move()
        except JournalError as error:
            self._expect(journal, error)
            vars(journal)["_delivery"].fail(error)

    def _checkpoint(self, journal):
        try:
            vars(journal)["_sync"].__self__.checkpoint()
        except sqlite3.Error:
            assert self._is_excused

    # --- who opens it ---------------------------------------------------------------------------

    def _open(self, mode, *, is_cut=False, epoch_min=1):
        try:
            journal = open_journal(self.path, durability=mode, epoch_min=epoch_min)
        except JournalError as error:
            self._forgive(error, self._is_excused)
            return
        self.instants.disarm()
        assert journal.epoch > self.epoch, "an epoch has come again"
        self.epoch = journal.epoch
        if self.owner is not None:
            self.formers.append(self.owner)
        self.owner = journal
        self.is_claimed = False
        self._settle(journal, is_cut=is_cut)

    def _claim(self, mode):
        if self.owner is not None:  # what a meddler does
            with suppress(FileNotFoundError):
                os.unlink(f"{self.path}.lock")  # noqa: PTH108 - a Path's are counted
        self.is_claimed = True
        self._open(mode)

    def _settle(self, journal, *, is_cut):
        flight, self.flight = self.flight, []
        if flight:
            self.record.doubts.append(flight)
        self.record.settle(list(journal.replay()), is_cut=is_cut)
        facts = self.record.facts
        assert len(facts) >= self.record.floor, "a power cut has taken what was synced"
        assert len(facts) >= self.record.read, "what was read is gone"
        assert journal.head == self.record.head()
        found = journal.load_snapshot()
        allowed = self.record.snapshots
        assert found in allowed, f"snapshot {found} instead of {allowed}"
        self.record.snapshots = [found]
        self.record.was_synced()
        self._hear_findings(journal, is_cut=is_cut)

    def _hear_findings(self, journal, *, is_cut):
        self.told += journal.findings
        cuts = [file.name for file in self.folder.glob("*.cut-*") if "archive" not in file.name]
        for name in cuts:
            assert any(name in finding for finding in self.told), f"{name} was told to nobody"
        assert not journal.findings or is_cut or self.may_be_torn, journal.findings
        self.may_be_torn = False

    # --- who reads it ---------------------------------------------------------------------------

    def _see(self, found, complete):
        """Hold what a reader has read from the first fact on against the record."""
        futures = list(self.record.futures())
        if self.flight:
            futures.append([*self.record.batches, *self.flight])
        for batches in futures:
            facts = [fact for batch in batches for fact in batch.facts]
            if facts[: len(found)] == found:
                break
        else:
            raise AssertionError(f"read {_names(found)} instead of {_names(self.record.facts)}")
        assert len(found) >= complete, f"read {_names(found)} of {_names(self.record.facts)}"
        self.record.read = max(self.record.read, len(found))

    def _look(self):
        complete = len(self.record.facts)
        reader = open_journal(self.path, read_only=True)
        self._see(list(reader.replay()), complete)
        complete = max(complete, self.record.read)
        assert reader.sequence >= complete
        last = [record.fact for record in tail(self.path, 3)]
        assert len(last) == min(3, max(complete, len(last)))
        may_have = list(self.record.snapshots)
        found = reader.load_snapshot()
        assert found in may_have or found in self.record.snapshots, f"{found} not in {may_have}"
        assert reader.findings == []
        reader.close()

    # --- steps ----------------------------------------------------------------------------------

    def step(self):
        """Do one thing, often with another one within it."""
        if self.owner is None:
            self._open("process")
        steps = [self.write] * 4 + [self.begin_again, self.meddle, self.die, self.archive] * 2
        steps += [self.keep, self.look, self.look, self.begin_to_read, self.back_up]
        steps += [self.write_on] * 3 if self.formers else []
        steps += [self.read_on] * 2 if self.cursors else []
        steps += [self.restore] if self.saved else []
        step = self.lots.choice(steps)
        note(f"{step.__name__}")
        step()

    def begin(self):
        self._open(self.lots.choice(MODES))

    def write(self):
        for _ in range(self.lots.choice([0, 0, 0, 1, 2, 5])):
            self._append(self.owner, self._some_facts())
        facts = self._some_facts()
        self.during("append", lambda: self._append(self.owner, facts))
        if self.owner is not None:
            self._keep(self.lots.choice(KEEPS))

    def keep(self):
        what = self.lots.choice(KEEPS)
        self.during(what, lambda: self._keep(what))

    def _some_facts(self):
        return self._facts(self.lots.choices(range(len(ODD)), k=self.lots.choice([1, 1, 2, 4])))

    def _keep(self, what):
        if what == "snapshot":
            self._snapshot(self.owner, self.lots.choice([0, 0, 1, 6]))
        elif what:
            getattr(self, f"_{what}")(self.owner)

    def meddle(self):
        """Have another owner come, and the former write on."""
        mode = self.lots.choice(MODES)
        self.during("claim", lambda: self._claim(mode))

    def begin_again(self):
        mode = self.lots.choice(MODES)
        self._leave_owner()
        self.during("claim", lambda: self._open(mode))

    def die(self):
        self.moment = self._moment(self.lots if self.lots.random() < 0.5 else None)
        self._go_on(self.lots.choice(MODES))

    def archive(self):
        is_alone = self.lots.random() < 0.3
        if is_alone:
            self._leave_owner()
        self.during("archive", lambda: self._archive(is_beside=not is_alone))

    def _archive(self, *, is_beside):
        try:
            archive(self.path, is_beside=is_beside, tell=self.told.append)
        except JournalError as error:
            self._forgive(error, self._is_excused or None in self.record.snapshots)

    def look(self):
        self.during("look", self._look)

    def begin_to_read(self):
        after = self.lots.randint(0, len(self.record.facts))
        self.cursors.append(Cursor(open_journal(self.path, read_only=True), after))

    def read_on(self):
        cursor, count = self.lots.choice(self.cursors), self.lots.randint(1, 12)
        self.during("read", lambda: self._read_on(cursor, count))

    def _read_on(self, cursor, count):
        complete = len(self.record.facts)
        cursor.rows = cursor.rows or cursor.reader.replay(cursor.at)
        for _ in range(count):
            fact = next(cursor.rows, None)
            if fact is None:
                assert cursor.at >= complete, "a reader has come to an end too soon"
                cursor.rows = None
                return
            self._see([*self.record.facts[: cursor.at], fact], 0)
            cursor.at += 1

    def write_on(self):
        former = self.lots.choice(self.formers)
        if self.lots.random() < 0.1:
            self.formers.remove(former)
            with suppress(JournalError):
                former.close()
        elif former.failure is None:
            what = self.lots.choice(["append", "append", "snapshot", "sync", "move"])
            more = {"append": [self._some_facts()], "snapshot": [0]}
            getattr(self, f"_{what}")(former, *more.get(what, []))

    def back_up(self):
        self.saved.append(self._moment())

    def restore(self):
        """Put a copy in the journal's place, perhaps with later files of the first stage left."""
        moment, is_mixed = self.lots.choice(self.saved), self.lots.random() < 0.5
        folder, record = self._new_folder(), moment.record.copy()
        shutil.copytree(moment.folder, folder)
        self.may_be_torn = is_mixed
        if is_mixed:
            for file in (*self.folder.glob("*.stage-*"), *self.folder.glob("*.archive-*")):
                if ".cut-" not in file.name:
                    shutil.copy(file, folder)
            length = len(record.batches)
            if self.record.batches[:length] == record.batches:
                record.doubts.append(self.record.batches[length:])
        self._leave_all()
        self.cursors.clear()
        record.read = 0
        self.record, self.folder = record, folder
        self._open(self.lots.choice(MODES), epoch_min=self.epoch + 1)

    def end(self):
        if self.owner is None:
            self._open("process")
        self._look()
        self._leave_all()
        report = verify(self.path)
        assert report.is_ok, report.problem
        assert report.facts == len(self.record.facts)

    def clear(self):
        self._leave_all()
        self.patch.undo()
        shutil.rmtree(self.root, ignore_errors=True)


STEPS_MAX = 25


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_whatever_happens_at_any_instant_what_was_confirmed_is_read(seed):
    lots = Random(seed)
    storage = Storage(lots)
    try:
        storage.begin()
        for _ in range(lots.randint(4, STEPS_MAX)):
            storage.step()
        storage.end()
    finally:
        storage.clear()
