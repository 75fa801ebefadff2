"""The paper exchange's books in one SQLite file, held by one process at a time.

A commit survives the end of the process at any instant (WAL, synchronous NORMAL); after a power
cut the last commits may be missing, but never one in the middle.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ..exchange import Row
from ..exchange.books import TRADES_KEPT
from ..exchange.rows import INCOME, TRADE
from ..model.errors import ConfigError, VenueError
from ..owner_only import make_file

VERSION = 1
LOCK_WAIT_S = 2.0

_SCHEMA = """
CREATE TABLE kept (
    kind TEXT NOT NULL, key TEXT NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE appended (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, account TEXT NOT NULL, ts INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX appended_by_time ON appended (kind, account, ts);
"""
_PUT = "INSERT INTO kept VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET payload = excluded.payload"
_DELETE = "DELETE FROM kept WHERE kind = ? AND key = ?"
_APPEND = "INSERT INTO appended (kind, account, payload, ts) VALUES (?, ?, ?, ?)"
_ACCOUNTS = "SELECT DISTINCT account FROM appended WHERE kind = ?"
_LAST = (
    "SELECT id, kind, account, payload FROM appended"
    " WHERE kind = ? AND account = ? ORDER BY ts DESC, id DESC LIMIT ?"
)
_SINCE = "SELECT payload FROM appended WHERE kind = ? AND account = ? AND ts >= ? ORDER BY id"


class PaperBooks:
    """Rows that are replaced, and executions and wallet changes that are appended."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file; None keeps everything in memory.

        Raises:
            ConfigError: the file can't be used, or another process holds it; the text says why.
        """
        self._name = "in memory" if path is None else str(path)
        if path is not None:
            with suppress(OSError):  # where it can't be made, SQLite says why
                make_file(path)  # its log is kept as it is
        try:
            self._db = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=LOCK_WAIT_S,
                isolation_level=None,
                check_same_thread=False,  # garbage is collected, and closed, on any thread
            )
        except sqlite3.Error as error:
            raise ConfigError(f"paper books {self._name} can't be opened: {error}") from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._db.close()
            held = " (another process holds them)" if "locked" in str(error) else ""
            raise ConfigError(f"paper books {self._name} can't be used: {error}{held}") from error
        except ConfigError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(
            "BEGIN IMMEDIATE"
        )  # takes the lock, and fails where nothing may be written
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:
            raise ConfigError(
                f"paper books {self._name} are of version {version}, this program reads {VERSION}"
            )
        self._db.execute("COMMIT")

    def rows(self) -> Iterator[Row]:
        """Yield what was kept, and of what was appended each account's newest, oldest first."""
        yield from (Row(*each) for each in self._db.execute("SELECT * FROM kept"))
        for kind in (TRADE, INCOME):
            accounts = [row[0] for row in self._db.execute(_ACCOUNTS, (kind,))]
            last = [
                row
                for account in accounts
                for row in self._db.execute(_LAST, (kind, account, TRADES_KEPT))
            ]
            yield from (Row(*row[1:]) for row in sorted(last))

    def commit(self, rows: Sequence[Row]) -> None:
        """Keep rows, all or none.

        Raises:
            VenueError: they can't be written; the exchange must stop here.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for row in rows:
                self._write(row)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise VenueError(f"paper books {self._name} can't be written: {error}") from error

    def _write(self, row: Row) -> None:
        if row.kind in (TRADE, INCOME):
            self._db.execute(_APPEND, row)
        elif row.payload is None:
            self._db.execute(_DELETE, row[:2])
        else:
            self._db.execute(_PUT, row[:3])

    def since(self, kind: str, account: str, ts: int) -> list[bytes]:
        """Return payloads of an appended kind from `ts` on, oldest first.

        Raises:
            VenueError: they can't be read.
        """
        try:
            return [row[0] for row in self._db.execute(_SINCE, (kind, account, ts))]
        except sqlite3.Error as error:
            raise VenueError(f"paper books {self._name} can't be read: {error}") from error

    def close(self) -> None:
        self._db.close()


class MemoryBooks:
    """Books that end with the process: what was appended can be read back, the rest need not be."""

    def __init__(self) -> None:
        self._appended: dict[tuple[str, str], list[tuple[int, int, bytes]]] = {}
        self._count = 0

    def rows(self) -> Iterator[Row]:
        """Yield nothing: they are always new."""
        return iter(())

    def commit(self, rows: Sequence[Row]) -> None:
        """Keep what was appended."""
        for row in rows:
            if row.kind in (TRADE, INCOME) and row.payload is not None:
                self._count += 1
                entry = (row.ts, self._count, row.payload)
                insort(self._appended.setdefault((row.kind, row.key), []), entry)

    def since(self, kind: str, account: str, ts: int) -> list[bytes]:
        """Return payloads of an appended kind from `ts` on, oldest first."""
        kept = self._appended.get((kind, account), [])
        found = sorted(kept[bisect_left(kept, (ts,)) :], key=lambda entry: entry[1])
        return [payload for _, _, payload in found]

    def close(self) -> None:
        """Nothing to give back."""


def open_books(path: Path | None) -> PaperBooks | MemoryBooks:
    """Open the books in a file, or new ones in memory.

    Raises:
        ConfigError: the file can't be used, or another process holds it.
    """
    return MemoryBooks() if path is None else PaperBooks(path)
