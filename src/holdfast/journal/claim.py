"""Take an SQLite journal over: set aside what was torn, make or check the tables, move what the
former owner had not moved from its first stage, raise the epoch.

The order matters. The log is looked at before anything is written to it, and starts over
empty with the epoch, so that frames left from an earlier life are never taken for ours.
"""

from __future__ import annotations

import shutil
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec
from sqlalchemy import Connection, delete, insert, inspect, select, update

from ..model.errors import JournalCorrupt, JournalError
from ..owner_only import make_file
from . import upcast
from .archives import sync_directory
from .codec import GENESIS, Chain
from .owner import Owner
from .problems import BUSY_TIMEOUT_S, KEPT_LOCKED, WAY_OUT
from .reading import Tables
from .schema import archives, bodies, epochs, facts, meta, snapshots
from .schema import tables as schema
from .stage import Staged, take_over
from .torn import set_aside, torn_facts
from .wal import lost_frames

LOOK_EVERY_S = 0.01
"""How often a log is looked at that another program is moving."""


class ClaimedStore(Protocol):
    """The connection that is going to write."""

    sql: Connection

    def transaction(self) -> AbstractContextManager[Connection]: ...

    def pragma(self, text: str) -> tuple[int | str, ...]: ...


def repair(path: Path, store: ClaimedStore, tables: Tables) -> list[str]:
    """Leave a journal with whole tables and a whole end; say what was set aside."""
    findings = _set_torn_log_aside(path, store)
    if store.pragma("journal_mode = WAL") != ("wal",):
        raise JournalError(f"journal {path}: its file system has no shared memory, as SQLite needs")
    _make_tables(path, store)
    tables.check_version()
    findings += _set_torn_facts_aside(path, store, tables)
    return findings + _move_staged(path, store)


def next_epoch(
    path: Path, store: ClaimedStore, tables: Tables, owner: Owner, epoch_min: int = 1
) -> Chain:
    """Raise the epoch, durably: even a lost log can't make an epoch come again."""
    with store.transaction() as sql:  # a former owner that is not dead may be committing
        sequence = tables.last_sequence()
        chain = Chain(sequence, tables.hash_at(sequence), max(tables.epoch() + 1, epoch_min))
        row = epoch_row(chain.epoch, owner)
        sql.execute(update(meta).values(epoch=chain.epoch, schema_version=upcast.VERSION))
        sql.execute(insert(epochs), row)
    store.pragma("wal_checkpoint(TRUNCATE)")
    sync_directory(path.parent)
    return chain


def epoch_row(epoch: int, owner: Owner) -> dict[str, int | str | None]:
    return {
        "epoch": epoch,
        "owner": msgspec.json.encode(owner).decode(),
        "started_at": owner.started,
        "session_id": owner.session,
    }


def _set_torn_log_aside(path: Path, store: ClaimedStore) -> list[str]:
    log = path.with_name(f"{path.name}-wal")
    problem = _torn(path, log, store)
    if not problem:
        return []
    kept = log.with_name(f"{log.name}.cut-{time.time_ns()}")
    make_file(kept)
    shutil.copyfile(log, kept)
    # What the log had already passed on may now be newer than what it says itself.
    health = store.pragma("quick_check(1)")
    if health != ("ok",):
        raise JournalCorrupt(
            f"journal {path}: {problem}, and the database is damaged ({health[0]}); "
            f"the log is kept in {kept.name}; {WAY_OUT}"
        )
    return [f"{problem}: facts committed last may be lost; the log is kept in {kept.name}"]


def _torn(path: Path, log: Path, store: ClaimedStore) -> str:
    """Say what of a log is lost; nothing is by an archiver that writes on meanwhile."""
    was_there = log.exists() and log.stat().st_size > 0
    recovered = _recovered(path, store)
    while was_there:
        with store.transaction():  # nobody writes while it is looked at
            problem = lost_frames(log, recovered)
        before, recovered = recovered, _recovered(path, store)
        if not problem or recovered == before:
            return problem
    return ""


def _recovered(path: Path, store: ClaimedStore) -> int:
    """Move the log's frames, and return how many were recovered.

    Raises:
        JournalError: another program has been moving them for too long.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        is_busy, recovered, _ = store.pragma("wal_checkpoint(PASSIVE)")
        if not is_busy or int(recovered) >= 0:
            return int(recovered)
        if time.monotonic() > deadline:
            raise JournalError(f"journal {path}: {KEPT_LOCKED}")
        time.sleep(LOOK_EVERY_S)


def _make_tables(path: Path, store: ClaimedStore) -> None:
    found = set(inspect(store.sql).get_table_names())
    if found and "meta" not in found:
        raise JournalError(
            f"{path} is a database but no journal (it has the table {min(found)}): "
            "choose another path"
        )
    if found:
        schema.create_all(store.sql, tables=[archives])  # older ones have it not
        return
    with store.transaction() as sql:
        schema.create_all(sql, tables=[each for each in schema.sorted_tables if each is not bodies])
        row = {"id": 1, "name": path.stem, "schema_version": upcast.VERSION, "epoch": 0}
        sql.execute(insert(meta), row)


def _set_torn_facts_aside(path: Path, store: ClaimedStore, tables: Tables) -> list[str]:
    torn = torn_facts(tables)
    if not torn:
        return []
    first, last = torn[0][0], torn[-1][0]
    kept = path.with_name(f"{path.name}.cut-{time.time_ns()}.jsonl")
    set_aside(kept, torn)
    with store.transaction() as sql:
        sql.execute(delete(facts).where(facts.c.sequence >= first))
        sql.execute(delete(snapshots).where(snapshots.c.sequence >= first))
    which = f"fact {first} was" if first == last else f"facts {first} to {last} were"
    return [f"{which} torn at the end of the journal and cut; kept in {kept.name}"]


def _move_staged(path: Path, store: ClaimedStore) -> list[str]:
    """Take what a former owner had written first into the tables, durably, and remove it there."""
    files = take_over(path)
    if not files:
        return []
    last = select(facts.c.sequence, facts.c.hash).order_by(facts.c.sequence.desc()).limit(1)
    with store.transaction() as sql:  # a former owner that is not dead may be moving the same
        left = Staged(path, *(sql.execute(last).first() or (0, GENESIS)))
        if left.rows:
            names = ("sequence", "epoch", "ts", "version", "kind", "payload", "hash")
            sql.execute(insert(facts), [dict(zip(names, row, strict=True)) for row in left.rows])
    for file in files:
        if file not in left.torn:
            file.unlink()
    kept = [file.rename(file.with_name(f"{file.name}.cut-{time.time_ns()}")) for file in left.torn]
    return [
        f"facts at the end of the first stage were torn: those before are kept as {each.name}"
        for each in kept
    ]
