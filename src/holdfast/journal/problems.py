"""What a database's errors mean to the operator: a text that names the place and the way out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError

from ..model.errors import ConfigError, JournalCorrupt, JournalError, TradingError

BUSY_TIMEOUT_S = 2.0
"""How long a statement waits for another program to let go of an SQLite file."""

LEAVING = ("57P", "08")
"""SQLSTATE classes by which a server ends a connection: shutdown, crash, broken protocol."""

READ_ONLY = "25006"
"""SQLSTATE of a replica that is no server yet."""

NO_PRIVILEGE = "42501"
"""SQLSTATE of what the server's role may not do."""

_GRANTS = (
    "its role needs CREATE on the database, or a schema of the journal's name that it owns; to "
    "read, USAGE and SELECT there"
)
WAY_OUT = (
    "move the journal away (of a file: its -wal, -shm and .stage- files too, which would spoil "
    "another), then restore a backup or start a new one"
)
"""What to do about a damaged journal. SQLite plays a log that was left into whatever it finds."""

_DAMAGED = f"pages of the database are damaged: {WAY_OUT}"

KEPT_LOCKED = f"another program has kept the database locked for {BUSY_TIMEOUT_S:g} s: close it"

# The beginning of SQLite's name of the error -> class and text.
_SQLITE: dict[str, tuple[type[TradingError], str]] = {
    "SQLITE_FULL": (JournalError, "the disk is full: free some space, then start again"),
    "SQLITE_BUSY": (JournalError, KEPT_LOCKED),
    "SQLITE_LOCKED": (JournalError, "another connection has locked a table: close it"),
    "SQLITE_READONLY": (
        ConfigError,
        "the file or its directory is read-only: grant write access, or choose another path",
    ),
    "SQLITE_CANTOPEN": (
        ConfigError,
        "the file can't be opened: its directory must exist and be writable",
    ),
    "SQLITE_NOTADB": (
        JournalError,
        "the file is no SQLite database: choose another path, or move the file away",
    ),
    "SQLITE_CORRUPT": (
        JournalCorrupt,
        _DAMAGED,
    ),
    "SQLITE_IOERR": (JournalError, "the disk failed to read or write: check it, then start again"),
}


def explain(error: BaseException, place: str) -> TradingError:
    """Return the error to raise for what a database driver raised."""
    name: str = getattr(error, "sqlite_errorname", "")
    if getattr(error, "sqlstate", None) == NO_PRIVILEGE:
        return JournalError(f"journal {place}: {one_line(error)}: {_GRANTS}")
    for beginning, (kind, text) in _SQLITE.items():
        if name.startswith(beginning):
            return kind(f"journal {place}: {text} ({error})")
    return JournalError(f"journal {place}: {one_line(error)}")


def is_connection_lost(error: DBAPIError) -> bool:
    """Tell whether a server's connection broke, so that the outcome of the statement is unknown.

    The server may be leaving, or have left without a word, though the socket still stands.
    """
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError) or hasattr(error.orig, "sqlite_errorname"):
        return False
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return not state or state.startswith(LEAVING)


def is_read_only(error: DBAPIError) -> bool:
    """Tell whether a server took nothing since it is a replica, perhaps for a moment more."""
    return getattr(error.orig, "sqlstate", None) == READ_ONLY


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Raise what databases raise, and files beside them, as errors of ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, place) from error
    except DBAPIError as error:
        raise explain(error.orig or error, place) from error
    except UnicodeDecodeError as error:  # SQLite quotes a damaged text in its own complaint
        raise JournalCorrupt(f"journal {place}: {_DAMAGED} ({error})") from error
    except OSError as error:  # of a first stage's file, a lock's, a copy's
        named = f"{error.filename}: " if error.filename else ""
        raise JournalError(f"journal {place}: {named}{error.strerror or error}") from error


def one_line(error: BaseException) -> str:
    """Write a driver's text, which may have several lines, as one."""
    return " ".join(str(error).split()) or type(error).__name__
