"""Floor 3: where facts are kept. SQLite by default, PostgreSQL by URL.

A journal is named by a path, or by a URL whose scheme is looked up in `JOURNALS`:
`sqlite:///state.db`, `postgresql://user@host/database?journal=name`, `memory:`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..model.errors import ConfigError, JournalError
from .contract import OwnedJournal
from .location import scheme_of, sqlite_path
from .memory import MemoryJournal
from .owner import Owner

__all__ = ["JOURNALS", "MemoryJournal", "OwnedJournal", "Owner", "check_kept", "open_journal"]


def open_journal(
    where: str | Path,
    *,
    durability: str = "process",
    owner: Owner | None = None,
    epoch_min: int = 1,
    read_only: bool = False,
) -> OwnedJournal:
    """Open a journal, made where there is none, as its only owner or to read beside it.

    To own it raises the epoch, durably. Ask `findings` what was found damaged.

    Args:
        durability: "process" survives kill -9, "power" a power cut too. A server's always does.
        owner: what other processes are told of this one.
        epoch_min: the epoch is this at least, whatever the journal remembers of those before.
        read_only: take no lock, and change nothing.

    Raises:
        ConfigError: the place can't be used as it is.
        JournalLocked: another process owns the journal.
        JournalCorrupt: it is damaged elsewhere than at its end.
        JournalError: it is no journal, a newer version's, or its disk or server fails.
    """
    if durability not in ("process", "power"):
        raise ConfigError(f"durability must be process or power, was {durability!r}")
    own, read = JOURNALS[check_kept(where)]
    return read(where) if read_only else own(where, durability, owner, epoch_min)


def check_kept(where: str | Path) -> str:
    """Return the scheme of a place where journals are kept.

    Raises:
        ConfigError: none are kept there.
    """
    scheme = scheme_of(where)
    if scheme not in JOURNALS:
        raise ConfigError(f"no journal is kept at {scheme}: expected {', '.join(JOURNALS)}")
    return scheme


# A database's library is imported by those who use it: SQLAlchemy alone takes half a second.


def _own_memory(*_: object) -> OwnedJournal:
    return MemoryJournal()


def _read_memory(_: str | Path) -> OwnedJournal:
    raise JournalError("a journal in memory is known to its owner alone")


def _own_sqlite(
    where: str | Path, durability: str, owner: Owner | None, epoch_min: int
) -> OwnedJournal:
    from .sqlite import open_sqlite  # noqa: PLC0415

    is_synced = durability == "power"
    path = sqlite_path(where)
    return open_sqlite(path, syncs_commits=is_synced, owner=owner, epoch_min=epoch_min)


def _read_sqlite(where: str | Path) -> OwnedJournal:
    from .sqlite import read_sqlite  # noqa: PLC0415

    return read_sqlite(sqlite_path(where))


def _own_postgres(where: str | Path, _: str, owner: Owner | None, epoch_min: int) -> OwnedJournal:
    from .postgres import open_postgres  # noqa: PLC0415

    return open_postgres(str(where), owner=owner, epoch_min=epoch_min)


def _read_postgres(where: str | Path) -> OwnedJournal:
    from .postgres import read_postgres  # noqa: PLC0415

    return read_postgres(str(where))


Own = Callable[[str | Path, str, Owner | None, int], OwnedJournal]
Read = Callable[[str | Path], OwnedJournal]

JOURNALS: dict[str, tuple[Own, Read]] = {
    "sqlite": (_own_sqlite, _read_sqlite),
    "postgresql": (_own_postgres, _read_postgres),
    "memory": (_own_memory, _read_memory),
}
"""Where journals are kept, by the scheme of the URL."""
