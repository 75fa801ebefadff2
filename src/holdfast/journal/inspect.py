"""Look into a journal from outside: is it whole, what happened last. Works beside its owner."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..model.errors import ConfigError, JournalCorrupt
from ..model.events import Event
from .codec import GENESIS, StoredRow, decode, fault
from .location import scheme_of, sqlite_path
from .owner import Owner, parse_owner
from .postgres import postgres_tables
from .reading import Tables
from .sqlite import sqlite_tables

FOLLOW_EVERY_S = 0.2
"""How often `tail` looks for more."""


class Record(msgspec.Struct, frozen=True):
    """A fact and its place in the journal."""

    sequence: int
    epoch: int
    ts: int
    fact: Event

    @property
    def kind(self) -> str:
        return type(self.fact).__name__


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """How whole a journal is. Sequences and times are of the good facts; 0 where there are none."""

    facts: int
    first_sequence: int
    last_sequence: int
    first_ts: int
    last_ts: int
    epochs: int
    broken_at: int | None  # the first fact that is altered, missing or unreadable
    problem: str  # "" when all is well

    @property
    def is_ok(self) -> bool:
        return not self.problem


def open_tables(where: str | Path) -> Tables:
    """Open a journal to read its tables; close them.

    Raises:
        ConfigError: journals are not kept there.
        JournalError: there is none, or this version can't read it.
    """
    match scheme_of(where):
        case "sqlite":
            return sqlite_tables(sqlite_path(where))
        case "postgresql":
            return postgres_tables(str(where))
        case other:
            raise ConfigError(f"a journal at {other} can't be looked into from outside")


def last_owner(where: str | Path) -> Owner | None:
    """Return the last process that owned a journal; None where there was none.

    Raises:
        ConfigError: journals are not kept there.
        JournalError: it can't be read now.
    """
    tables = open_tables(where)
    try:
        return parse_owner(tables.owner_text())
    finally:
        tables.close()


def verify(where: str | Path) -> VerifyReport:
    """Check every fact's hash and shape, the epochs and the snapshot.

    Raises:
        JournalError: it can't be read now, which says nothing of how whole it is.
    """
    tables = open_tables(where)
    try:
        return _verify(tables)
    finally:
        tables.close()


def tail(
    where: str | Path, count: int = 10, *, follow: bool = False, stop: threading.Event | None = None
) -> Iterator[Record]:
    """Yield the last facts, oldest first; then, to `follow`, new ones until `stop` is set."""
    stop = stop or threading.Event()
    tables = open_tables(where)
    try:
        sequence = 0
        for row in tables.last_rows(count) if count else ():
            yield _record(row)
            sequence = row[0]
        sequence = sequence or tables.last_sequence()
        while follow and not stop.is_set():
            for row in tables.checked_rows(sequence):
                yield _record(row)
                sequence = row[0]
            stop.wait(FOLLOW_EVERY_S)
    finally:
        tables.close()


def _record(row: StoredRow) -> Record:
    return Record(row[0], row[1], row[2], decode(row))


class _Tally:
    """What has been seen of the good facts."""

    def __init__(self) -> None:
        self.sequence = 0
        self.head = GENESIS
        self.first_ts = self.last_ts = 0
        self.epoch = 0

    def problem_of(self, row: StoredRow) -> str:
        if problem := fault(row, self.sequence + 1, self.head):
            return problem
        if row[1] < self.epoch:
            return f"fact {row[0]} is of epoch {row[1]}, behind one of epoch {self.epoch}"
        decode(row)
        return ""

    def add(self, row: StoredRow) -> None:
        self.sequence, self.epoch, self.last_ts, *_, self.head = row
        self.first_ts = self.first_ts or self.last_ts

    def report(self, epochs: int, broken_at: int | None, problem: str) -> VerifyReport:
        return VerifyReport(
            facts=self.sequence,
            first_sequence=min(1, self.sequence),
            last_sequence=self.sequence,
            first_ts=self.first_ts,
            last_ts=self.last_ts,
            epochs=epochs,
            broken_at=broken_at,
            problem=problem,
        )


def _verify(tables: Tables) -> VerifyReport:
    seen = _Tally()
    try:
        for row in tables.rows():
            if problem := seen.problem_of(row):
                return seen.report(0, seen.sequence + 1, problem)
            seen.add(row)
    except JournalCorrupt as error:  # a page or a payload
        return seen.report(0, seen.sequence + 1, str(error))
    return _verify_around(tables, seen)


def _verify_around(tables: Tables, seen: _Tally) -> VerifyReport:
    """Check what stands beside the facts."""
    try:
        _, problem = tables.snapshot()
    except JournalCorrupt as error:
        return seen.report(0, None, str(error))
    epochs, differs = _epochs(tables, seen.epoch)
    if differs:  # another owner may have come between the two questions
        epochs, differs = _epochs(tables, seen.epoch)
    return seen.report(epochs, None, differs or problem)


def _epochs(tables: Tables, seen: int) -> tuple[int, str]:
    """Return how many epochs there are, and how they differ from the newest, and from a fact's."""
    recorded = [epoch for epoch, _, _ in tables.epochs()]
    newest = tables.epoch()
    if recorded and (newest != recorded[-1] or seen > newest):
        return len(
            recorded
        ), f"the newest epoch is {newest}, but {max(recorded[-1], seen)} is recorded"
    return len(recorded), ""
