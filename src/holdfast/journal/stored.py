"""A journal in a database: the chain in front, a committer and a store behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..model.errors import JournalCorrupt, JournalError
from ..model.events import Event
from .codec import GENESIS, Chain, decode
from .commit import Committer
from .delivery import Delivery
from .reading import Tables


@dataclass(frozen=True, slots=True)
class Backing:
    """What stands behind a journal: how it is synced and closed, and what opening it found.

    `sync` takes what a first stage has along. One that syncs beside the loop has `when_synced`,
    and numbers what is under way of it.
    """

    delivery: Delivery
    findings: list[str]
    sync: Callable[[], None]
    close: Callable[[], None]
    when_synced: Callable[[Callable[[], None]], None] | None = None
    sync_under_way: Callable[[], int] = int


class StoredJournal:
    """Records facts in a database, as its owner."""

    def __init__(
        self, tables: Tables, chain: Chain, committer: Committer, backing: Backing
    ) -> None:
        self.findings = backing.findings
        self._tables = tables
        self._chain = chain
        self._committer = committer
        self._delivery = backing.delivery
        self._sync = backing.sync
        self._when_synced = backing.when_synced
        self._sync_under_way = backing.sync_under_way
        self._close = backing.close
        self._is_closed = False

    @property
    def epoch(self) -> int:
        return self._chain.epoch

    @property
    def is_synchronous(self) -> bool:
        return self._committer.is_synchronous

    @property
    def sequence(self) -> int:
        return self._chain.sequence

    @property
    def head(self) -> bytes:
        return self._chain.head

    @property
    def failure(self) -> JournalError | None:
        return self._delivery.failure

    @property
    def sync_under_way(self) -> int:
        return self._sync_under_way()

    @property
    def on_failure(self) -> Callable[[JournalError], None] | None:
        return self._delivery.listener

    @on_failure.setter
    def on_failure(self, call: Callable[[JournalError], None] | None) -> None:
        self._delivery.listener = call

    def append(self, facts: Sequence[Event], on_commit: Callable[[], None] | None = None) -> None:
        if self._is_closed or self._delivery.failure is not None:
            self._check()
        self._committer.rows(self._chain.rows(facts), on_commit)

    def sync(self) -> None:
        self._check()
        self._sync_all()

    def _sync_all(self) -> None:
        if not self._committer.is_synchronous:
            self._committer.flush()
        try:
            self._sync()
        except JournalError as error:
            self._delivery.fail(error, is_told=True)
            raise

    def when_synced(self, call: Callable[[], None]) -> None:
        self._check()
        if not self._committer.is_synchronous:  # a commit is a sync
            self._committer.rows((), call)
        elif self._when_synced is not None:
            self._when_synced(call)
        else:
            self._sync_all()
            call()

    def replay(self, after: int = 0) -> Iterator[Event]:
        if after > self.sequence:
            raise JournalError(f"there is no fact {after} to replay from: {self.sequence} is last")
        if self.failure is None and not self._is_closed:
            self._committer.flush()
        yield from self._tables.replay(after)

    def save_snapshot(self, sequence: int, payload: bytes) -> None:
        self._check()
        if not 0 <= sequence <= self.sequence:
            raise JournalError(f"a snapshot at {sequence} must be within 0 to {self.sequence}")
        self._committer.snapshot(sequence, payload)

    def load_snapshot(self) -> tuple[int, bytes] | None:
        self._committer.flush()
        found, problem = self._tables.snapshot(self.sequence)
        if problem:
            self.findings.append(f"{problem}: ignored, the fold starts at the first fact")
        return found

    def give_up(self, error: JournalError) -> None:
        self._delivery.fail(error)

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self.failure is None:
                self._sync_all()  # by itself a database does at its end only if nobody reads it
        finally:
            try:
                self._committer.close()
            finally:
                self._close()

    def _check(self) -> None:
        self._delivery.check()
        if self._is_closed:
            raise JournalError(f"journal {self._tables.place} is closed")


class ReadJournal:
    """Reads a journal beside its owner, or after it. Takes no lock and changes nothing."""

    is_synchronous = True
    failure = None
    sync_under_way = 0

    def __init__(self, tables: Tables) -> None:
        self.findings: list[str] = []
        self.on_failure: Callable[[JournalError], None] | None = None
        self._tables = tables
        self._seen = 0, GENESIS  # the last fact that was read, and its hash

    @property
    def epoch(self) -> int:
        """Return the newest owner's epoch."""
        return self._tables.epoch()

    @property
    def sequence(self) -> int:
        return self._tables.last_sequence()

    @property
    def head(self) -> bytes:
        return self._tables.hash_at(self.sequence)

    def append(self, facts: Sequence[Event], on_commit: Callable[[], None] | None = None) -> None:
        raise self._refusal()

    def sync(self) -> None:
        """Nothing was written."""

    def when_synced(self, call: Callable[[], None]) -> None:
        call()

    def replay(self, after: int = 0) -> Iterator[Event]:
        head = self._tables.hash_at(after)
        if after and after == self._seen[0] and head != self._seen[1]:
            raise JournalCorrupt(
                f"journal {self._tables.place}: fact {after} is not the one that was read before: "
                "another journal is in its place"
            )
        self._seen = after, head
        for row in self._tables.checked_rows(after):
            self._seen = row[0], row[6]
            yield decode(row)

    def save_snapshot(self, sequence: int, payload: bytes) -> None:
        raise self._refusal()

    def load_snapshot(self) -> tuple[int, bytes] | None:
        found, problem = self._tables.snapshot()
        if problem:
            self.findings.append(f"{problem}: ignored, the fold starts at the first fact")
        return found

    def give_up(self, error: JournalError) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        self._tables.close()

    def _refusal(self) -> JournalError:
        return JournalError(f"journal {self._tables.place} was opened for reading only")
