"""Move facts that no start needs any more from an SQLite journal to an archive beside it.

A crash in between loses nothing and doubles nothing: the archive is written, synced and read back
first; then one transaction puts it on record and takes its facts from the table.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import delete, insert

from ..model.errors import ConfigError, JournalError
from . import archives, claim
from .archives import Archive
from .location import scheme_of, sqlite_path
from .owner import FileLock, Owner
from .problems import explained
from .reading import Tables
from .schema import archives as archives_table
from .schema import facts
from .sqlite import SqliteStore, owner_tables, sqlite_tables

KEPT_FACTS = 1_000
"""The newest facts stay in the database: more than may ever be torn."""

FREE_PAGES_MAX = 1_000
"""More free pages than this are given back to the file system."""


def archive(where: str | Path) -> Archive | None:
    """Own a journal and archive the facts before its snapshot; None where there are too few.

    Raises:
        ConfigError: it is no SQLite journal.
        JournalLocked: a process owns the journal; stop it first.
        JournalError: there is no usable snapshot, or the disk is full.
        JournalCorrupt: a fact was altered or lost.
    """
    if (scheme := scheme_of(where)) != "sqlite":
        raise ConfigError(f"a journal at {scheme} is not archived: its server has its own means")
    path = sqlite_path(where)
    sqlite_tables(path).close()  # it must be there, and a journal
    with ExitStack() as undo, explained(str(path)):
        lock = FileLock(path.with_name(f"{path.name}.lock"), Owner.here())
        undo.callback(lock.release)
        tables = owner_tables(path)
        undo.callback(tables.close)
        store = SqliteStore(path, tables)
        undo.callback(store.close)
        claim.repair(path, store, tables)
        moved = _move(path, store, tables)
        _shrink(store)
    return moved


def _move(path: Path, store: SqliteStore, tables: Tables) -> Archive | None:
    last = tables.last_sequence()
    found, problem = tables.snapshot(last)
    if found is None:
        raise JournalError(
            f"journal {path} has no snapshot to archive before ({problem or 'none was made'}): "
            "start the session once, which makes one"
        )
    after = tables.archived()
    # The fact that the snapshot stands on stays with it.
    until = min(found[0] - 1, last - KEPT_FACTS)
    if until <= after:
        return None
    moved = archives.write(path, after + 1, until, tables.checked_rows(after, until))
    archives.check(path.parent, moved, tables.hash_at(after))
    with store.transaction() as sql:
        sql.execute(insert(archives_table), moved._asdict())
        sql.execute(delete(facts).where(facts.c.sequence <= until))
    return moved


def _shrink(store: SqliteStore) -> None:
    (free,) = store.pragma("freelist_count")
    if int(free) > FREE_PAGES_MAX:
        store.sql.exec_driver_sql("VACUUM")
    store.pragma("wal_checkpoint(TRUNCATE)")
