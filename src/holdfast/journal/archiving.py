"""Move facts that no start needs any more from a journal's table to an archive.

It works beside the journal's owner, and holds it up for no longer than one of its own commits
takes. A crash in between loses nothing and doubles nothing:

1. the archive is written, synced and read back; nobody knows of it yet;
2. one row puts it on record: its facts are there twice, and readers take either;
3. its facts leave the table, some at a time, the oldest first. A later run goes on where one was
   cut short.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from ..model.errors import ConfigError, JournalCorrupt, JournalError, JournalLocked
from . import archives, claim
from .archives import Archive, Shelf
from .location import scheme_of, sqlite_path
from .owner import FileLock, Owner
from .problems import explained
from .reading import Tables
from .schema import archives as archives_table
from .schema import facts

_log = logging.getLogger("holdfast.journal")

KEPT_FACTS = 1_000
"""The newest facts stay in the table: more than may ever be torn."""

ARCHIVE_FACTS_MAX = 500_000
"""Facts of one archive; more make another one."""

DROPPED_FACTS = 50
"""Facts that leave the table in one transaction: a fraction of a millisecond."""

LOGGED_FACTS = 5_000
"""After so many the log's pages are moved: some 3 MB, where all would take more than there is."""

PAUSE = 20
"""A transaction beside an owner is followed by a pause so many times as long."""

FREE_PAGES_MAX = 1_000
"""More free pages than this are given back to the file system, where nobody owns the journal."""


@dataclass(frozen=True, slots=True)
class Room:
    """A journal as an archiver has it. `is_alone` says that no owner can be held up."""

    tables: Tables
    shelf: Shelf
    transaction: Callable[[], AbstractContextManager[Connection]]
    is_alone: bool
    move_log: Callable[[], None]
    tidy: Callable[[], None]


def archive(
    where: str | Path,
    *,
    spare: int = 0,
    is_beside: bool = False,
    tell: Callable[[str], None] = _log.warning,
) -> Archive | None:
    """Archive facts before the snapshot, the oldest first; None where there are too few.

    Args:
        spare: so many of them stay in the table beside the newest ones, a tenth more at times.
        is_beside: never take the journal, also where it has no owner: one may come.
        tell: hears what was found damaged and set aside, where the journal was taken, and that the
            file could not be made smaller.

    Raises:
        ConfigError: journals are not archived there.
        JournalLocked: somebody else is archiving it.
        JournalError: there is no usable snapshot, or the disk is full.
        JournalCorrupt: a fact was altered or lost.
    """
    with ExitStack() as undo:
        room = _room(where, undo, tell, is_beside=is_beside)
        _drop(room, room.tables.archived())  # what a run that was cut short has left
        moved = _move(room, spare)
        room.tidy()
    return moved


def _room(
    where: str | Path, undo: ExitStack, tell: Callable[[str], None], *, is_beside: bool
) -> Room:
    match scheme_of(where):
        case "sqlite":
            path = sqlite_path(where)
            undo.enter_context(explained(str(path)))
            return _sqlite_room(path, undo, tell, is_beside=is_beside)
        case "postgresql":
            from .postgres import archiving_room  # noqa: PLC0415 - an extra

            return archiving_room(str(where), undo)
        case other:
            raise ConfigError(f"a journal at {other} is not archived: it ends with its process")


def _sqlite_room(
    path: Path, undo: ExitStack, tell: Callable[[str], None], *, is_beside: bool
) -> Room:
    from .sqlite import (  # noqa: PLC0415 - either database will do
        SqliteStore,
        owner_tables,
        sqlite_tables,
    )

    sqlite_tables(path).close()  # it must be there, and a journal
    try:
        undo.callback(FileLock(path.with_name(f"{path.name}.archiving"), Owner.here()).release)
    except JournalLocked as error:
        raise JournalLocked(f"journal {path} is being archived by another process") from error
    is_alone = not is_beside
    if is_alone:
        try:
            undo.callback(FileLock(path.with_name(f"{path.name}.lock"), Owner.here()).release)
        except JournalLocked:
            is_alone = False
    tables = owner_tables(path)  # what is not in the database yet is none of ours
    undo.callback(tables.close)
    store = SqliteStore(path, tables)
    undo.callback(store.close)
    if is_alone:
        for finding in claim.repair(path, store, tables):
            tell(finding)
    # A power cut may undo the last steps, in order; the archive itself was synced before them.
    store.pragma("synchronous = NORMAL")

    def move_log() -> None:
        store.pragma("wal_checkpoint(PASSIVE)")

    def tidy() -> None:
        if is_alone and int(store.pragma("freelist_count")[0]) > FREE_PAGES_MAX:
            with _left_for_later(path, tell):
                store.sql.exec_driver_sql("VACUUM")
        store.pragma(f"wal_checkpoint({'TRUNCATE' if is_alone else 'PASSIVE'})")

    return Room(tables, archives.Folder(path), store.transaction, is_alone, move_log, tidy)


@contextmanager
def _left_for_later(path: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell why a file was not made smaller: what was archived is archived."""
    try:
        with explained(str(path)):
            yield
    except JournalCorrupt:
        raise
    except JournalError as error:
        tell(f"room that is free in the database is not given back to the file system: {error}")


def _move(room: Room, spare: int) -> Archive | None:
    tables = room.tables
    found, problem = tables.snapshot()
    last, after = tables.last_sequence(), tables.archived()
    if found is None:
        raise JournalError(
            f"journal {tables.place} has no snapshot to archive before "
            f"({problem or 'none was made'}): start the session once, which makes one"
        )
    # The fact that the snapshot stands on stays with it.
    until = min(found[0] - 1, last - KEPT_FACTS) - spare
    if until - after <= spare // 10:
        return None
    until = min(until, after + ARCHIVE_FACTS_MAX)
    moved = archives.write(room.shelf, after + 1, until, tables.checked_rows(after, until))
    archives.check(room.shelf, moved, tables.hash_at(after))
    with room.transaction() as sql:
        sql.execute(insert(archives_table), moved._asdict())
    _drop(room, until)
    return moved


def _drop(room: Room, until: int) -> None:
    """Take archived facts out of the table, the oldest first."""
    oldest = select(facts.c.sequence).where(facts.c.sequence <= until)
    some = oldest.order_by(facts.c.sequence).limit(DROPPED_FACTS)
    logged = 0
    while True:
        began = time.monotonic()
        with room.transaction() as sql:
            dropped = sql.execute(delete(facts).where(facts.c.sequence.in_(some))).rowcount
        if not dropped:
            return
        logged += dropped
        if logged >= LOGGED_FACTS:
            room.move_log()
            logged = 0
        if not room.is_alone:
            time.sleep((time.monotonic() - began) * PAUSE)
