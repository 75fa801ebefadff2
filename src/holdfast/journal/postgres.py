"""The journal in a PostgreSQL schema: one schema a journal, named in the URL (`?journal=name`).

A thread commits many appends at a time. An advisory lock, held by the connection that writes,
makes its process the owner; the statement that inserts checks the epoch under a row lock, so
that a process that lost the lock without noticing inserts nothing. It looks for the fact before,
too: a replica that took the server's place may lack what was confirmed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from ..model.errors import ConfigError, JournalCorrupt, JournalError, JournalLocked
from . import upcast
from .archiving import Room
from .bodies import ServerShelf
from .claim import epoch_row
from .codec import GENESIS, Chain, Row
from .commit import GroupCommit
from .delivery import Delivery
from .forked import keep_from_children, leave_socket
from .owner import Owner, locked_by
from .problems import explain, explained, is_connection_lost, is_read_only, one_line
from .reading import Tables, snapshot_hash
from .schema import epochs, facts, meta, snapshots
from .schema import tables as schema
from .server import engine_of, lock_key, parse, place_of, tables_of
from .stored import Backing, ReadJournal, StoredJournal
from .torn import torn_facts

LOCK_WAIT_S = 2.0
"""How long a new owner waits: the server may not have noticed yet that the last one died."""

RECONNECT_S = 10.0
"""How long after its first loss a connection may take to come back and carry the commit."""

RETRY_EVERY_S = 0.1

RETRY_EVERY_S_MAX = 1.6
"""Losses in a row double the pause up to this: a server that restarts drops more than one."""

_HOLDERS = (
    "FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted "
    "AND classid = :high AND objid = :low "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_IS_LOCKED = text(f"SELECT count(*) {_HOLDERS}")
_DROP = text(f"SELECT pg_terminate_backend(pid) {_HOLDERS} AND pid = ANY(CAST(:pids AS int[]))")
_HAS_SCHEMA = text("SELECT to_regnamespace(:name) IS NOT NULL")
_IS_MADE = text("SELECT to_regclass(:table)")
_INSERT = text(
    "WITH lease AS (SELECT 1 FROM meta WHERE id = 1 AND epoch = :epoch "
    "AND (CAST(:last AS bigint) = 0 OR EXISTS (SELECT 1 FROM facts "
    "WHERE sequence = CAST(:last AS bigint) AND hash = CAST(:head AS bytea))) FOR SHARE) "
    "INSERT INTO facts (sequence, epoch, ts, version, kind, payload, hash) "
    "SELECT f.* FROM lease, unnest(CAST(:c0 AS bigint[]), CAST(:c1 AS bigint[]), "
    "CAST(:c2 AS bigint[]), CAST(:c3 AS bigint[]), CAST(:c4 AS text[]), CAST(:c5 AS text[]), "
    "CAST(:c6 AS bytea[])) AS f"
)


class PostgresStore:
    """The connection that writes, and holds the lock; made anew, within limits, when lost."""

    sql: Connection

    def __init__(self, engine: Engine, tables: Tables, name: str) -> None:
        self.epoch = 0
        self.last = 0  # the last fact that the server has confirmed, and its hash
        self.head = GENESIS
        self._engine = engine
        self._tables = tables
        self._key = lock_key(f"holdfast {name}")
        self._backends: list[int] = []  # of our connections that may have the lock, lost ones too
        self._connect()
        keep_from_children(self, leave_socket)

    def _connect(self) -> None:
        self.sql = self._engine.connect()
        self._backends.append(self.sql.scalar(select(func.pg_backend_pid())) or 0)

    def lock(self) -> bool:
        """Try to become the owner."""
        return bool(self.sql.scalar(select(func.pg_try_advisory_lock(self._key))))

    def lock_archives(self, name: str) -> bool:
        """Try to be the only one that archives."""
        key = lock_key(f"holdfast archives {name}")
        return bool(self.sql.scalar(select(func.pg_try_advisory_lock(key))))

    def insert(self, rows: Sequence[Row]) -> None:
        self._surely(lambda: self._insert(rows), lambda: self._has(rows[-1]))
        self.last, self.head = rows[-1][0], rows[-1][6]

    def keep_snapshot(self, sequence: int, payload: bytes) -> None:
        self._surely(lambda: self._keep_snapshot(sequence, payload), lambda: False)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.sql.exec_driver_sql("BEGIN")
        try:
            yield self.sql
            self.sql.exec_driver_sql("COMMIT")
        except BaseException:
            if not self.sql.invalidated:
                self.sql.exec_driver_sql("ROLLBACK")
            raise

    def close(self) -> None:
        self.sql.close()
        self._engine.dispose()

    def _surely(self, act: Callable[[], None], is_done: Callable[[], bool]) -> None:
        """Act, over new connections where one is lost and did not get it done.

        How often is bounded by time, not by number: connections that are dropped one after the
        other within a moment are one outage.
        """
        lost: _ConnectionLost | None = None
        deadline = math.inf
        pause_s = RETRY_EVERY_S
        while True:
            try:
                with self._found_out():
                    # The lost one's backend is gone, or the lock would not be ours: what it did
                    # is settled.
                    if lost is None or not is_done():
                        act()
                    return
            except _ConnectionLost as error:
                if lost is None:
                    deadline = time.monotonic() + RECONNECT_S
                else:
                    time.sleep(pause_s)
                    pause_s = min(2 * pause_s, RETRY_EVERY_S_MAX)
                lost = error
                self._reconnect(error, deadline)

    def _insert(self, rows: Sequence[Row]) -> None:
        columns = {f"c{i}": list(values) for i, values in enumerate(zip(*rows, strict=True))}
        stands_on = {"epoch": self.epoch, "last": self.last, "head": self.head}
        inserted = self.sql.execute(_INSERT, {**stands_on, **columns}).rowcount
        if inserted != len(rows):
            raise self._refusal()

    def _refusal(self) -> JournalError:
        """Say why the server takes nothing: it has another owner, or less than it had."""
        newest = self._tables.epoch()
        if newest > self.epoch:
            return self._tables.fenced(self.epoch)
        what = f"does not have fact {self.last} any more"
        if newest < self.epoch:
            what = f"has gone back to epoch {newest} behind {self.epoch}"
        return JournalError(
            f"journal {self._tables.place}: facts up to {self.last} were confirmed, and the server "
            f"{what}: did it give way to a replica that lags? start again: the venue's books decide"
        )

    def _has(self, row: Row) -> bool:
        return self.sql.scalar(select(facts.c.hash).where(facts.c.sequence == row[0])) == row[6]

    def _keep_snapshot(self, sequence: int, payload: bytes) -> None:
        try:
            head = self._tables.hash_at(sequence)
        except JournalCorrupt as error:  # the server has lost what it had confirmed
            raise self._refusal() from error
        row = {
            "sequence": sequence,
            "payload": payload,
            "hash": snapshot_hash(head, sequence, payload),
        }
        with self.transaction() as sql:
            sql.execute(delete(snapshots))
            sql.execute(insert(snapshots), row)

    @contextmanager
    def _found_out(self) -> Iterator[None]:
        """Tell a lost connection, or one to a replica, from an answer."""
        try:
            yield
        except DBAPIError as error:
            if is_connection_lost(error) or is_read_only(error):
                raise _ConnectionLost(one_line(error.orig or error)) from error
            raise explain(error.orig or error, self._tables.place) from error
        except JournalError as error:  # a read on the way has put it into our words already
            cause = error.__cause__
            if isinstance(cause, DBAPIError) and is_connection_lost(cause):
                raise _ConnectionLost(one_line(cause.orig or cause)) from error
            raise

    def _reconnect(self, lost: _ConnectionLost, deadline: float) -> None:
        """Be the owner over a new connection.

        Raises:
            Fenced: another process became the owner.
            JournalError: the server did not come back in time, or not with what it had.
        """
        while time.monotonic() < deadline:
            try:
                if self._lock_anew():
                    return
            except DBAPIError:  # still away
                pass
            time.sleep(RETRY_EVERY_S)
        raise JournalError(
            f"journal {self._tables.place}: the connection was lost ({lost}) and did not come "
            f"back within {RECONNECT_S:g} s: see to the server, then start again"
        ) from lost

    def _lock_anew(self) -> bool:
        if not self.sql.closed:
            self.sql.invalidate()
        self.sql.close()
        self._connect()
        is_ours = self.lock()
        if self.sql.scalar(select(meta.c.epoch)) != self.epoch:
            raise self._refusal()
        if is_ours:
            self._backends = self._backends[-1:]
        else:
            self._drop_lost()
        return is_ours

    def _drop_lost(self) -> None:
        """End the backend of a connection that we have lost, where it still has the lock.

        The server itself may take longer to notice than there is time to come back.
        """
        self.sql.execute(_DROP, {**_halves(self._key), "pids": self._backends})


class _ConnectionLost(Exception):
    """Whether the statement was carried out is unknown."""


def open_postgres(url: str, *, owner: Owner | None = None, epoch_min: int = 1) -> StoredJournal:
    """Own a journal on a server, made where there is none. Every commit is synced there."""
    address, name = parse(url)
    owner = owner or Owner.here()
    delivery = Delivery()
    with ExitStack() as undo, explained(place_of(address, name)):
        tables = tables_of(address, name)
        undo.callback(tables.close)
        store = PostgresStore(engine_of(address, name), tables, name)
        undo.callback(store.close)
        _own(store, tables)
        _make_tables(store, name)
        tables.check_version()
        if torn := torn_facts(tables):
            # A server commits whole or not at all: this is damage, and none of ours to cut.
            raise JournalCorrupt(f"journal {tables.place}: fact {torn[0][0]} is damaged")
        chain = _next_epoch(store, tables, owner, epoch_min)
        store.epoch, store.last, store.head = chain.epoch, chain.sequence, chain.head
        committer = GroupCommit(store, chain, delivery)
        close = partial(committer.behind, undo.pop_all().close)
    return StoredJournal(tables, chain, committer, Backing(delivery, [], committer.flush, close))


def read_postgres(url: str) -> ReadJournal:
    """Read a journal on a server."""
    return ReadJournal(postgres_tables(url))


class Looked(NamedTuple):
    """What is seen of a journal from outside; `owner` is "" where nobody has it."""

    is_made: bool
    owner: str


def look_at_postgres(url: str) -> Looked:
    """Look at a journal on a server, and at its lock, without touching either.

    Raises:
        JournalError: the server does not answer; ConfigError: the URL can't be used.
    """
    address, name = parse(url)
    key = lock_key(f"holdfast {name}")
    engine, tables = engine_of(address, name), tables_of(address, name)
    try:
        with explained(tables.place), engine.connect() as sql:
            held = sql.scalar(_IS_LOCKED, _halves(key))
            is_made = sql.scalar(_IS_MADE, {"table": f"{name}.meta"}) is not None
        owner = tables.owner_text() if held and is_made else ""
        return Looked(is_made, owner or ("another process" if held else ""))
    finally:
        tables.close()
        engine.dispose()


def _halves(key: int) -> dict[str, int]:
    """Return a lock's number as the server lists it."""
    return {"high": (key % 2**64) >> 32, "low": key % 2**32}


def postgres_tables(url: str) -> Tables:
    address, name = parse(url)
    tables = tables_of(address, name)
    try:
        tables.check_version()
    except BaseException:
        tables.close()
        raise
    return tables


def archiving_room(url: str, undo: ExitStack) -> Room:
    """Open a journal to archive it; what is opened is given back by `undo`.

    Raises:
        JournalLocked: somebody else is archiving it.
    """
    address, name = parse(url)
    undo.enter_context(explained(place_of(address, name)))
    tables = postgres_tables(url)
    undo.callback(tables.close)
    store = PostgresStore(engine_of(address, name), tables, name)
    undo.callback(store.close)
    if not store.lock_archives(name):
        raise JournalLocked(f"journal {tables.place} is being archived by somebody else")
    shelf = ServerShelf(engine_of(address, name), tables.place)
    return Room(tables, shelf, store.transaction, is_alone=True, move_log=_nothing, tidy=_nothing)


def _nothing() -> None:
    """The server sees to its own log and room."""


def _own(store: PostgresStore, tables: Tables) -> None:
    deadline = time.monotonic() + LOCK_WAIT_S
    while not store.lock():
        if time.monotonic() > deadline:
            raise _locked(tables)
        time.sleep(RETRY_EVERY_S)


def _locked(tables: Tables) -> JournalLocked:
    try:
        return locked_by(tables.place, tables.owner_text())
    except JournalError:  # its owner has not yet made the tables
        return locked_by(tables.place, "")


def _make_tables(store: PostgresStore, name: str) -> None:
    with store.transaction() as sql:
        # Where it exists, IF NOT EXISTS asks for the right to make one all the same.
        if not sql.scalar(_HAS_SCHEMA, {"name": name}):
            sql.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{name}"'))
        schema.create_all(sql)
        if sql.scalar(select(meta.c.id)) is None:
            _check_letters(sql, name)
            row = {"id": 1, "name": name, "schema_version": upcast.VERSION, "epoch": 0}
            sql.execute(insert(meta), row)


def _check_letters(sql: Connection, name: str) -> None:
    """Refuse a new journal where a fact could not be kept for a letter in it."""
    encoding = sql.scalar(text("SHOW server_encoding"))
    if encoding not in ("UTF8", "SQL_ASCII"):
        raise ConfigError(
            f"journal {place_of(sql.engine.url, name)}: the database's encoding is {encoding}, "
            "which lacks letters that contracts and texts have: make one with ENCODING 'UTF8'"
        )


def _next_epoch(store: PostgresStore, tables: Tables, owner: Owner, epoch_min: int) -> Chain:
    with store.transaction() as sql:
        # Waits for an insert of the last owner's that is under way; later ones find no lease.
        next_one = func.greatest(meta.c.epoch + 1, epoch_min)
        values = {"epoch": next_one, "schema_version": upcast.VERSION}
        epoch = sql.scalar(update(meta).values(values).returning(meta.c.epoch))
        assert epoch is not None
        sql.execute(insert(epochs), epoch_row(epoch, owner))
    sequence = tables.last_sequence()
    return Chain(sequence, tables.hash_at(sequence), epoch)
