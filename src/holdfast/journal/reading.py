"""Read a journal's tables: facts in order with the chain checked, snapshots, epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Select,
    cast,
    func,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError

from ..model.errors import ConfigError, Fenced, JournalCorrupt, JournalError
from ..model.events import Event
from . import upcast
from .archives import Archive, Shelf, read
from .codec import GENESIS, StoredRow, decode, fault
from .owner import parse_owner
from .problems import WAY_OUT, explained, is_connection_lost
from .schema import archives, epochs, facts, meta, snapshots

PAGE_FACTS = 1_000
"""Facts fetched at once. Between pages no transaction is open, so no reader holds a writer up."""

READS_TRIED = 3
"""Over how many connections one read is tried."""

T = TypeVar("T")

# A damaged text need not be UTF-8: read its bytes.
_AS_BYTES: dict[str, Callable[[ColumnElement[Any]], ColumnElement[bytes]]] = {
    "sqlite": lambda column: cast(column, LargeBinary),
    "postgresql": lambda column: func.convert_to(column, "UTF8"),
}


class Tables:
    """What one database says, and the archives beside it. `place` names it in messages.

    Args:
        shelf: where archives are.
        staged: returns the rows that follow a sequence and its hash and are not in the database
            yet; None where there can be none, or its owner has moved them.
    """

    def __init__(
        self,
        engine: Engine,
        place: str,
        shelf: Shelf,
        staged: Callable[[int, bytes], Sequence[StoredRow]] | None = None,
    ) -> None:
        self.place = place
        self._staged = staged
        self._engine = engine
        self._shelf = shelf
        as_bytes = _AS_BYTES[engine.dialect.name]
        f = facts.c
        self._facts = select(
            f.sequence, f.epoch, f.ts, f.version, as_bytes(f.kind), as_bytes(f.payload), f.hash
        )

    def close(self) -> None:
        self._engine.dispose()

    def check_version(self) -> None:
        """Raise unless this is a journal that this code can read."""
        with explained(self.place):
            exists = inspect(self._engine).has_table("meta")
        found = self._first(select(meta.c.schema_version)) if exists else None
        if found is None:
            raise JournalError(f"{self.place} is no journal: choose another one")
        version = self._whole(found[0])
        if version > upcast.VERSION:
            raise JournalError(
                f"journal {self.place} was written by a newer Holdfast (schema {version}, this "
                f"one knows {upcast.VERSION}): upgrade Holdfast"
            )

    def rows(self, after: int = 0, until: int | None = None) -> Iterator[StoredRow]:
        """Yield rows in order, unchecked; `until` is the last one.

        Raises:
            JournalCorrupt: all that were to come are missing.
        """
        looks = 0  # in a row that brought nothing
        while until is None or after < until:
            page: Iterable[StoredRow] = self._page(after, until)
            begins = next((row[0] for row in page), None)
            # Looked for at a gap only: facts may be archived while they are read.
            if begins != after + 1 and (archive := self._archive_of(after + 1)):
                page = self._archived_rows(archive, after)
            elif begins is None:
                last, staged = self._end()
                looks += 1
                if last > after and looks < READS_TRIED:
                    continue  # they have come into the table meanwhile
                if last > after:
                    raise JournalCorrupt(f"journal {self.place}: fact {after + 1} is missing")
                page = [row for row in staged if row[0] > after]
                if not page:
                    return
            for row in page:
                if until is not None and row[0] > until:
                    return
                yield row
                after, looks = row[0], 0

    def last_rows(self, count: int) -> list[StoredRow]:
        """Return the last rows, oldest first."""
        found = self.newest_rows(count)
        if len(found) < count and self.archived():
            found = list(self.rows(max(0, self.last_sequence() - count)))
        return found

    def newest_rows(self, count: int) -> list[StoredRow]:
        """Return the last rows as far as they are not archived, oldest first."""
        last, staged = self._end()
        query = self._facts.where(facts.c.sequence <= last)
        found = self._all(query.order_by(facts.c.sequence.desc()).limit(count))
        return [*reversed(found), *staged][-count:]

    def checked_rows(self, after: int = 0, until: int | None = None) -> Iterator[StoredRow]:
        """Yield rows in order, each checked against its predecessor."""
        sequence, head = after, self.hash_at(after)
        for row in self.rows(after, until):
            sequence += 1
            if problem := fault(row, sequence, head):
                raise JournalCorrupt(f"journal {self.place}: {problem}; {WAY_OUT}")
            head = row[6]
            yield row

    def replay(self, after: int = 0) -> Iterator[Event]:
        return map(decode, self.checked_rows(after))

    def hash_at(self, sequence: int) -> bytes:
        if sequence == 0:
            return GENESIS
        for _ in range(READS_TRIED):  # it may come into the table between two looks
            found = self._first(select(facts.c.hash).where(facts.c.sequence == sequence))
            if found is not None:
                return _bytes(found[0])
            if archive := self._archive_of(sequence):
                if sequence == archive.last:
                    return archive.head
                return next(self._archived_rows(archive, sequence - 1))[6]
            last, staged = self._end()
            if last < sequence:
                break
        at = next((row[6] for row in staged if row[0] == sequence), None)
        if at is None:
            raise JournalCorrupt(f"journal {self.place}: fact {sequence} is missing")
        return at

    def last_sequence(self) -> int:
        last, staged = self._end()
        return staged[-1][0] if staged else last

    def archived(self) -> int:
        """Return the sequence of the last archived fact; 0 where none is."""
        return max((each.last for each in self.archives()), default=0)

    def archives(self) -> list[Archive]:
        """Return every archive on record, oldest first."""
        if "archives" not in self._read(lambda sql: inspect(sql).get_table_names()):
            return []  # no owner of this version has opened the journal yet
        rows = self._all(select(archives).order_by(archives.c.first))
        return [
            Archive(self._whole(row[0]), self._whole(row[1]), str(row[2]), _bytes(row[3]))
            for row in rows
        ]

    def epoch(self) -> int:
        found = self._first(select(meta.c.epoch))
        return self._whole(found[0]) if found else 0

    def owner_text(self) -> str:
        """Return the owner of the newest epoch as JSON; "" when there was none."""
        found = self._first(select(epochs.c.owner).order_by(epochs.c.epoch.desc()).limit(1))
        return str(found[0]) if found else ""

    def epochs(self) -> list[tuple[int, str, int]]:
        """Return every epoch: number, owner as JSON, start (ns UTC)."""
        query = select(epochs.c.epoch, epochs.c.owner, epochs.c.started_at)
        return [(row[0], row[1], row[2]) for row in self._all(query.order_by(epochs.c.epoch))]

    def snapshot(self, last: int | None = None) -> tuple[tuple[int, bytes] | None, str]:
        """Return the newest snapshot and "", or None and why there is none.

        Who does not own the journal asks without the last fact: one looked for before may be
        behind the snapshot by now.
        """
        s = snapshots.c
        query = select(s.sequence, s.payload, s.hash).order_by(s.sequence.desc()).limit(1)
        found = self._first(query)
        if found is None:
            return None, ""
        sequence, payload, stored = found[0], found[1], found[2]
        last = self.last_sequence() if last is None else last
        if sequence > last:
            return None, f"the snapshot at {sequence} is ahead of the last fact {last}"
        is_readable = isinstance(payload, bytes)  # damage may make it anything
        if not is_readable or snapshot_hash(self.hash_at(sequence), sequence, payload) != stored:
            return None, f"the snapshot at {sequence} is damaged"
        return (sequence, payload), ""

    def fenced(self, epoch: int) -> Fenced:
        """Return the error for a writer of `epoch` that is no longer the owner."""
        whom = "a process that takes it over"
        try:
            owner, newest = parse_owner(self.owner_text()) or "another process", self.epoch()
        except (ConfigError, JournalError):  # nothing is there, or half a copy
            whom = "whoever moved its files"
        else:
            whom = f"epoch {newest}, {owner}" if newest > epoch else whom
        return Fenced(
            f"journal {self.place}: epoch {epoch} has lost it to {whom}: this process must stop"
        )

    def _end(self) -> tuple[int, Sequence[StoredRow]]:
        """Return the last sequence in the table, and the rows that are not in it yet."""
        last, head = self._last()
        if self._staged is None:
            return last, ()
        for _ in range(READS_TRIED):
            staged = self._staged(last, head)
            seen, (last, head) = last, self._last()
            if last == seen:
                break
        return last, [row for row in staged if row[0] > last]

    def _last(self) -> tuple[int, bytes]:
        query = select(facts.c.sequence, facts.c.hash).order_by(facts.c.sequence.desc()).limit(1)
        found = self._first(query)
        return (found[0], _bytes(found[1])) if found else (0, GENESIS)

    def _whole(self, found: object) -> int:
        """Return a number of the tables beside the facts; damage may make it anything."""
        if not isinstance(found, int):
            raise JournalCorrupt(f"journal {self.place}: a number is {found!r:.40}; {WAY_OUT}")
        return found

    def _archive_of(self, sequence: int) -> Archive | None:
        return next((a for a in self.archives() if a.first <= sequence <= a.last), None)

    def _archived_rows(self, archive: Archive, after: int) -> Iterator[StoredRow]:
        return read(self._shelf, archive, after)

    def _page(self, after: int, until: int | None) -> Sequence[StoredRow]:
        query = self._facts.where(facts.c.sequence > after)
        if until is not None:
            query = query.where(facts.c.sequence <= until)
        return self._all(query.order_by(facts.c.sequence).limit(PAGE_FACTS))

    def _all(self, query: Select[Any]) -> Sequence[Any]:
        return self._read(lambda connection: connection.execute(query).all())

    def _first(self, query: Select[Any]) -> Sequence[Any] | None:
        return self._read(lambda connection: connection.execute(query).first())

    def _read(self, take: Callable[[Connection], T]) -> T:
        """Read, over another connection where one breaks: to read again changes nothing."""
        with explained(self.place):
            for _ in range(READS_TRIED - 1):
                try:
                    with self._engine.connect() as connection:
                        return take(connection)
                except DBAPIError as error:
                    if not is_connection_lost(error):
                        raise
            with self._engine.connect() as connection:
                return take(connection)


def _bytes(found: object) -> bytes:
    """Return a hash; one that damage has made anything else fits nothing."""
    return found if isinstance(found, bytes) else b""


def snapshot_hash(fact_hash: bytes, sequence: int, payload: bytes) -> bytes:
    """Return the hash that ties a snapshot to the fact that it ends with."""
    return sha256(b"%b%d|%b" % (fact_hash, sequence, payload)).digest()
