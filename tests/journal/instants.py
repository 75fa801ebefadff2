"""Instants within what a journal does to its files: something else may happen at each of them.

A journal's own code is run as it is. What it calls to write, rename, read or commit is wrapped, so
that a law can count those calls and act before one of them, as another process or the machine would.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path

from holdfast.journal import archives, archiving, claim, commit, reading, stage, torn, upkeep
from holdfast.journal import sqlite as sqlite_journal
from holdfast.model.errors import JournalError

SMALL = {
    (archiving, "KEPT_FACTS"): 6,
    (archiving, "ARCHIVE_FACTS_MAX"): 9,
    (archiving, "DROPPED_FACTS"): 3,
    (archiving, "LOGGED_FACTS"): 5,
    (archiving, "PAUSE"): 0,
    (archiving, "FREE_PAGES_MAX"): 0,
    (commit, "QUEUE_FACTS_MAX"): 15,
    (reading, "PAGE_FACTS"): 4,
    (stage, "STAGE_BYTES"): 1_500,
    (torn, "TAIL_FACTS"): 5,
    (upkeep, "SYNC_EVERY_S"): 600,
    (sqlite_journal, "BUSY_TIMEOUT_S"): 0.01,
    (claim, "BUSY_TIMEOUT_S"): 0.01,
}
"""Limits so small that a few facts reach them all. The thread moves nothing by itself."""


class Instants:
    """Wraps the calls; `arm` says what happens before which of them."""

    def __init__(self, patch):
        self._left, self._act, self._is_failing = 0, None, False
        self.has_failed = False  # since it was armed
        self.log_synced = {}  # by folder: the log's salts, and how much of it survives a power cut
        self.gone = {}  # contents of the first stage's files that no sync of the folder made gone
        for (module, name), value in SMALL.items():
            patch.setattr(module, name, value)
        for name in ("rename", "unlink"):
            patch.setattr(Path, name, self._file_change(getattr(Path, name)))
        for name in ("read_bytes", "iterdir", "open"):
            patch.setattr(Path, name, self._before(getattr(Path, name)))
        patch.setattr(reading.Tables, "_read", self._before(reading.Tables._read))
        patch.setattr(stage, "os", _System(write=self._write, access=self._before(os.access)))
        patch.setattr(archives, "os", _System(fsync=self._before(os.fsync, _full_disk)))
        sync_directory = self._folder_sync(archives.sync_directory)
        patch.setattr(archives, "sync_directory", sync_directory)
        patch.setattr(claim, "sync_directory", sync_directory)
        self._wrap_store(patch)

    def arm(self, number, act):
        """Have `act` called at the instant of a number, or the call there fail where it is None."""
        self._left, self._act, self._is_failing = number, act, act is None
        self.has_failed = False

    def disarm(self):
        self._act, self._is_failing = None, False

    def pass_by(self, failure=None):
        """Come to one instant; raise where it is one to fail at."""
        if self._act is None and not self._is_failing:
            return
        if self._is_failing and failure is None:
            return
        self._left -= 1
        if self._left >= 0:
            return
        act, self._act = self._act, None
        if act is not None:
            act()
        else:
            self._is_failing, self.has_failed = False, True
            raise failure()

    def note_sync(self, database):
        """Take the log as it is for synced."""
        self.log_synced[database.parent] = log_state(database)

    def _before(self, call, failure=None):
        def wrapped(*args, **how):
            self.pass_by(failure)
            return call(*args, **how)

        return wrapped

    def _file_change(self, call):
        def wrapped(file, *args, **how):
            self.pass_by(_full_disk)
            if ".stage-" in file.name and ".cut-" not in file.name and file.exists():
                self.gone[file] = file.read_bytes()
            return call(file, *args, **how)

        return wrapped

    def _folder_sync(self, call):
        def wrapped(folder):
            self.pass_by(_full_disk)
            call(folder)
            for file in [each for each in self.gone if each.parent == folder]:
                del self.gone[file]

        return wrapped

    def _write(self, fd, data):
        try:
            self.pass_by(_full_disk)
        except OSError:
            return os.write(fd, data[: len(data) // 2])
        return os.write(fd, data)

    def _wrap_store(self, patch):
        store = sqlite_journal.SqliteStore
        insert, transaction, pragma = store.insert, store.transaction, store.pragma
        checkpoint, sync_file = upkeep.Upkeep.checkpoint, upkeep._sync_file

        def inserted(self_, rows):
            self.pass_by(lambda: JournalError("the disk is full"))
            insert(self_, rows)
            self._note_commit(self_, pragma)

        @contextmanager
        def within(self_):
            self.pass_by(_full_database)
            with transaction(self_) as sql:
                self.pass_by(_full_database)
                yield sql
                self.pass_by(_full_database)
            self._note_commit(self_, pragma)

        def asked(self_, text):
            self.pass_by(_full_database)
            answer = pragma(self_, text)
            if text.startswith("wal_checkpoint"):
                self.note_sync(Path(self_._tables.place))
            return answer

        def moved(self_):
            checkpoint(self_)
            self.note_sync(Path(self_._place))

        def synced(fd):
            self.pass_by(_full_disk)
            sync_file(fd)
            self.note_sync(Path(str(Path(f"/proc/self/fd/{fd}").readlink()).removesuffix("-wal")))

        patch.setattr(store, "insert", inserted)
        patch.setattr(store, "transaction", within)
        patch.setattr(store, "pragma", asked)
        patch.setattr(upkeep.Upkeep, "checkpoint", moved)
        patch.setattr(upkeep, "_sync_file", synced)

    def _note_commit(self, store, pragma):
        if pragma(store, "synchronous") == (2,):
            self.note_sync(Path(store._tables.place))


class _System:
    """The module `os`, some of its calls apart."""

    def __init__(self, **calls):
        vars(self).update(calls)

    def __getattr__(self, name):
        return getattr(os, name)


def _full_disk():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _full_database():
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    return error


def log_state(database):
    """Return the salts of a database's log, which change where it starts over, and its size."""
    log = f"{database}-wal"
    try:
        with open(log, "rb") as file:  # noqa: PTH123 - Path's are counted
            head = file.read(32)
        return head[16:24], os.path.getsize(log)  # noqa: PTH202
    except FileNotFoundError:
        return b"", 0


def lose_power(database, synced, gone, lots):
    """Do to a copied journal what a power cut does to all that was not synced."""
    folder = database.parent
    for name, content in gone.items():
        if not (folder / name).exists() and lots.random() < 0.5:
            (folder / name).write_bytes(content)
    for file in sorted(folder.glob("*.stage-*")):
        if ".cut-" in file.name:
            continue
        _harm(file, 0, lots)
        if file.exists() and file.suffix == ".taken" and lots.random() < 0.5:
            file.rename(file.with_suffix(""))
    salts, size = synced
    found, length = log_state(database)
    if length > 32:
        _harm(Path(f"{database}-wal"), size if salts == found else 32, lots, may_go=False)


def _harm(file, begin, lots, *, may_go=True):
    """Keep, cut off, garble or take away what a file has behind its first bytes."""
    body = bytearray(file.read_bytes())
    if begin >= len(body):
        return
    fate, at = lots.random(), lots.randint(begin, len(body))
    if fate < 0.2:
        return
    if fate < 0.4:
        del body[at:]
    elif fate < 0.5:
        body[at : at + 512] = bytes(len(body[at : at + 512]))
    elif fate < 0.75:
        body[at : at + 1] = lots.randbytes(len(body[at : at + 1]))
    elif fate < 0.88:
        body[at : at + 512] = lots.randbytes(len(body[at : at + 512]))
    else:
        del body[begin:]
        if may_go:
            file.unlink()
            return
    file.write_bytes(body)
