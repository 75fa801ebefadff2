"""Where the session's journal is: SQLite files on its disk, or a database of its own on a server.

Each can be locked by another program, and tells when something was committed. A file can lose what
was not synced; a server can drop its clients, whose commit may have been made or not.
"""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from pathlib import Path
from random import Random
from typing import Any, Protocol

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from ..journal.stage import TAKEN, stage_files

LOCK_WAIT_S = 0.2
"""How long the other program waits for its lock."""

OURS = "holdfast harness"
"""What the harness calls its own connections: who drops clients goes on watching."""

CLIENTS = (
    f"FROM pg_stat_activity WHERE datname = current_database() AND application_name <> '{OURS}'"
)
LOCKS = {"EXCLUSIVE": "ACCESS EXCLUSIVE", "IMMEDIATE": "SHARE ROW EXCLUSIVE"}


class Database(Protocol):
    """What a bout does to its journal's database. `unavailable` are the faults it can't have."""

    url: str
    unavailable: tuple[str, ...]

    def committed(self) -> object:
        """Return something that is another once more was committed."""

    def lock(self, how: str) -> bool:
        """Begin a transaction, IMMEDIATE or EXCLUSIVE; tell whether there was something to lock."""

    def unlock(self) -> None:
        """Let go."""

    def drop_clients(self) -> int:
        """End every connection; return how many there were."""

    def lose_unsynced(self, lots: Random) -> int:
        """Lose what a process that died had not synced; return how many bytes."""

    def close(self, *, is_kept: bool) -> None:
        """Give back what is not to be kept."""


class SqliteDatabase:
    """Files on the session's disk."""

    unavailable: tuple[str, ...] = ("database_cut",)

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path
        self._locker: sqlite3.Connection | None = None

    def committed(self) -> object:
        """Return how much lies in each file of the first stage."""
        sizes: dict[str, int] = {}
        for path in stage_files(self._path) if self._path.parent.exists() else ():
            with contextlib.suppress(FileNotFoundError):  # the database has all of it
                sizes[path.name] = path.stat().st_size
        return sizes

    def lock(self, how: str) -> bool:
        if not self._path.exists():
            return False
        made = sqlite3.connect(self._path, isolation_level=None, timeout=LOCK_WAIT_S)
        try:
            made.execute(f"BEGIN {how}")
        except sqlite3.Error:
            made.close()
            return False
        self._locker = made
        return True

    def unlock(self) -> None:
        if self._locker is not None:
            self._locker.close()
            self._locker = None

    def drop_clients(self) -> int:
        return 0

    def lose_unsynced(self, lots: Random) -> int:
        """Cut the end of the first stage's file, or all of it.

        Facts are committed to that file, which nobody syncs, and moved to the database, which is
        synced: so this is what a power cut may take.
        """
        fresh = [each for each in stage_files(self._path) if not each.name.endswith(TAKEN)]
        if not fresh:
            return 0
        size = fresh[-1].stat().st_size
        kept = lots.choice((0, lots.randint(0, size)))
        with fresh[-1].open("r+b") as file:
            file.truncate(kept)
        return size - kept

    def close(self, *, is_kept: bool) -> None:
        self.unlock()


class PostgresDatabase:
    """A database of its own on a server that runs.

    Args:
        server: URL of any database there, of a user who may make others.
    """

    unavailable: tuple[str, ...] = ("disk_full", "power_cut")

    def __init__(self, server: str) -> None:
        address = sql.make_url(server).set(drivername="postgresql+psycopg")
        self._name = f"holdfast_{uuid.uuid4().hex}"
        self._server = sql.create_engine(address, isolation_level="AUTOCOMMIT")
        self._tell(self._server, f"CREATE DATABASE {self._name}")
        ours = address.set(database=self._name)
        self.url = ours.set(drivername="postgresql").render_as_string(hide_password=False)
        self._engine = sql.create_engine(
            ours,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "application_name": OURS,
                "options": f"-c lock_timeout={LOCK_WAIT_S * 1000:.0f}",
            },
        )
        self._locker: sql.Connection | None = None

    @staticmethod
    def _tell(engine: sql.Engine, words: str) -> Any:  # noqa: ANN401 - one value of a database
        with engine.connect() as connection:
            found = connection.exec_driver_sql(words)
            return found.scalar() if found.returns_rows else None

    def committed(self) -> object:
        """Return how far the server's log has come."""
        return self._tell(self._engine, "SELECT pg_current_wal_insert_lsn()::text")

    def lock(self, how: str) -> bool:
        made = self._engine.connect()
        try:
            made.exec_driver_sql("BEGIN")
            made.exec_driver_sql(f"LOCK TABLE holdfast.facts IN {LOCKS[how]} MODE")
        except SQLAlchemyError:
            made.invalidate()
            made.close()
            return False
        self._locker = made
        return True

    def unlock(self) -> None:
        if self._locker is not None:
            self._locker.invalidate()  # the transaction ends with its connection
            self._locker.close()
            self._locker = None

    def drop_clients(self) -> int:
        return int(self._tell(self._engine, f"SELECT count(pg_terminate_backend(pid)) {CLIENTS}"))

    def lose_unsynced(self, lots: Random) -> int:
        return 0

    def close(self, *, is_kept: bool) -> None:
        self.unlock()
        self._engine.dispose()
        if not is_kept:
            self._tell(self._server, f"DROP DATABASE {self._name} WITH (FORCE)")
        self._server.dispose()
