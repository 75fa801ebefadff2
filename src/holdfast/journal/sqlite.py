"""The journal in an SQLite file: the default.

A commit is one prepared statement on the driver's own connection; what is not hot goes through
SQLAlchemy. `durability` "process" commits to a first stage of plain files (see `stage`), and a
thread commits that to the database and syncs it within 50 ms; "power" syncs every commit, many
appends at a time, on a thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, delete, insert, select
from sqlalchemy.pool import NullPool

from ..model.errors import ConfigError, JournalError
from ..owner_only import make_file
from . import claim
from .archives import Folder
from .codec import Row, StoredRow
from .commit import Committer, GroupCommit, StagedCommit
from .delivery import Delivery
from .owner import FileLock, Owner
from .problems import BUSY_TIMEOUT_S, explain, explained
from .reading import Tables, snapshot_hash
from .schema import meta, snapshots
from .stage import Stage, Staged, as_stored
from .stored import Backing, ReadJournal, StoredJournal
from .upkeep import Upkeep

# The epoch is looked at by the statement that inserts: who lost the lease inserts nothing.
_INSERT = "INSERT INTO facts SELECT ?, ?, ?, ?, ?, ?, ? FROM meta WHERE id = 1 AND epoch = ?"


class SqliteStore:
    """The one connection that writes. It syncs every commit until told otherwise."""

    def __init__(self, path: Path, tables: Tables) -> None:
        self.epoch = 0  # none yet: nothing can be inserted
        self.commits = self.inserted = self.snapshot_bytes = 0
        self.is_log_long = False
        self.sql = _engine(path).connect()
        driver = self.sql.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._driver = driver
        self._cursor = driver.cursor()
        self._tables = tables

    def insert(self, rows: Sequence[Row]) -> None:
        try:
            if len(rows) == 1:
                self._cursor.execute(_INSERT, (*rows[0], self.epoch))
                inserted = self._cursor.rowcount
            else:
                inserted = self._insert_many(rows)
        except sqlite3.IntegrityError as error:  # an owner to come has written what we staged
            raise self._tables.fenced(self.epoch) from error
        except sqlite3.Error as error:
            raise _unwritten(error, self._tables.place) from error
        if inserted != len(rows):
            raise self._tables.fenced(self.epoch)
        self.commits += 1
        self.inserted += inserted
        if self.is_log_long:
            self._end_log()

    def keep_snapshot(self, sequence: int, payload: bytes) -> None:
        digest = snapshot_hash(self._tables.hash_at(sequence), sequence, payload)
        row = {"sequence": sequence, "payload": payload, "hash": digest}
        with explained(self._tables.place), self.transaction() as sql:
            if sql.scalar(select(meta.c.epoch)) != self.epoch:
                raise self._tables.fenced(self.epoch)
            sql.execute(delete(snapshots))
            sql.execute(insert(snapshots), row)
        self.commits += 1
        self.snapshot_bytes += len(payload)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self._cursor.execute("BEGIN IMMEDIATE")
        try:
            yield self.sql
            self._cursor.execute("COMMIT")
        except BaseException:
            if self._driver.in_transaction:  # some errors roll back by themselves
                self._cursor.execute("ROLLBACK")
            raise

    def pragma(self, text: str) -> tuple[int | str, ...]:
        """Return the first row of a pragma's answer; empty where it gives none."""
        return self._cursor.execute(f"PRAGMA {text}").fetchone() or ()

    def close(self) -> None:
        self.sql.close()

    def _end_log(self) -> None:
        """Move the log's last pages; the next commit then starts the log over.

        Upkeep moves them too, but never the last ones of a writer that does not pause.
        """
        self.is_log_long = False
        try:
            self.pragma("wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            raise _unwritten(error, self._tables.place) from error

    def _insert_many(self, rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        with self.transaction():
            self._cursor.executemany(_INSERT, [(*row, self.epoch) for row in rows])
            return self._cursor.rowcount


def open_sqlite(
    path: Path, *, syncs_commits: bool = False, owner: Owner | None = None, epoch_min: int = 1
) -> StoredJournal:
    """Own the journal in a file, made where there is none."""
    _check_directory(path)
    owner = owner or Owner.here()
    delivery = Delivery()
    with ExitStack() as undo, explained(str(path)):
        undo.callback(FileLock(path.with_name(f"{path.name}.lock"), owner).release)
        with suppress(OSError):  # where it can't be made, SQLite says why
            make_file(path)  # its log is kept as it is
        tables = owner_tables(path)
        undo.callback(tables.close)
        store = SqliteStore(path, tables)
        undo.callback(store.close)
        findings = claim.repair(path, store, tables)
        chain = claim.next_epoch(path, store, tables, owner, epoch_min)
        store.epoch = chain.epoch
        store.pragma(f"synchronous = {'FULL' if syncs_commits else 'NORMAL'}")
        upkeep = Upkeep(path, store, delivery, syncs=not syncs_commits)
        undo.callback(upkeep.close)
        committer: Committer
        if syncs_commits:
            committer = GroupCommit(store, chain, delivery)
        else:
            stage = Stage(path.absolute(), chain.epoch, lambda: tables.fenced(chain.epoch))
            committer = StagedCommit(store, chain, delivery, stage)
            upkeep.fill = committer.move
        close = partial(upkeep.behind, undo.pop_all().close)
        if isinstance(committer, GroupCommit):
            close = partial(committer.behind, close)
    backing = Backing(
        delivery, findings, upkeep.wait_synced, close, upkeep.when_synced, upkeep.sync_under_way
    )
    return StoredJournal(tables, chain, committer, backing)


def read_sqlite(path: Path) -> ReadJournal:
    """Read the journal in a file."""
    return ReadJournal(sqlite_tables(path))


def sqlite_tables(path: Path) -> Tables:
    _check_directory(path)
    if not is_there(path):
        raise JournalError(f"there is no journal {path}")

    def staged(sequence: int, head: bytes) -> list[StoredRow]:
        with explained(str(path)):
            return [as_stored(row) for row in Staged(path, sequence, head).rows]

    tables = Tables(_engine(path, read_only=True), str(path), Folder(path), staged)
    tables.check_version()
    return tables


def owner_tables(path: Path) -> Tables:
    """Return what the database alone says: its owner sees to the first stage."""
    return Tables(_engine(path, read_only=True), str(path), Folder(path))


def is_there(path: Path) -> bool:
    """Tell whether a journal's file is there.

    Raises:
        ConfigError: its directory is closed to this user.
    """
    try:
        return path.exists()
    except OSError as error:
        raise ConfigError(f"journal {path} can't be reached: {error.strerror}") from error


def _check_directory(path: Path) -> None:
    try:
        exists = path.parent.is_dir()
    except OSError as error:
        raise ConfigError(
            f"journal {path}: its directory can't be reached: {error.strerror}"
        ) from error
    if not exists:
        raise ConfigError(f"journal {path}: there is no directory {path.parent}")


def _engine(path: Path, *, read_only: bool = False) -> Engine:
    address = f"file:{quote(str(path.absolute()))}" + ("?mode=ro" if read_only else "")

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address,
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,  # transactions are begun by us alone
            check_same_thread=False,  # opened on one thread, used on another, never on two
        )
        try:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:  # a damaged file may make SQLite complain in no valid UTF-8
            connection.close()
            raise
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def _unwritten(error: sqlite3.Error, place: str) -> JournalError:
    found = explain(error, place)
    return found if isinstance(found, JournalError) else JournalError(str(found))
