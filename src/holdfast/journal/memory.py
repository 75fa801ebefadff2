"""A journal that lives as long as the process: for replays, simulations and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ..model.errors import Fenced, JournalError
from ..model.events import Event
from . import upcast
from .codec import GENESIS, link, payload_of


class MemoryJournal:
    """Keeps facts in a list. `reopen` is the next life of the same record."""

    is_synchronous = True
    failure: JournalError | None = None
    sync_under_way = 0

    def __init__(self, facts: Iterable[Event] = ()) -> None:
        self.facts: list[Event] = list(facts)
        self.epoch = 1
        self.findings: list[str] = []
        self.on_failure: Callable[[JournalError], None] | None = None
        self._snapshot: list[tuple[int, bytes]] = []  # none or one; shared with later lives
        self._owner: list[int] = [1]  # the newest life's epoch, shared by all lives
        self._is_closed = False

    def reopen(self) -> MemoryJournal:
        """Take the record over, as a new process would; this journal is fenced off."""
        successor = MemoryJournal()
        successor.facts = self.facts
        successor._snapshot = self._snapshot
        successor._owner = self._owner
        self._owner[0] += 1
        successor.epoch = self._owner[0]
        return successor

    @property
    def sequence(self) -> int:
        return len(self.facts)

    @property
    def head(self) -> bytes:
        """Return the hash of the whole record; computed anew at each call, of one epoch."""
        head = GENESIS
        for number, fact in enumerate(self.facts, 1):
            kind = type(fact).__name__.encode()
            head = link(head, (number, 1, fact.ts, upcast.VERSION, kind, payload_of(fact)))
        return head

    def append(self, facts: Sequence[Event], on_commit: Callable[[], None] | None = None) -> None:
        self._check_epoch()
        self._check()
        self.facts.extend(facts)
        if on_commit is not None:
            on_commit()

    def sync(self) -> None:
        self._check()

    def when_synced(self, call: Callable[[], None]) -> None:
        self.sync()
        call()

    def replay(self, after: int = 0) -> Iterator[Event]:
        if after > self.sequence:
            raise JournalError(f"there is no fact {after} to replay from: {self.sequence} is last")
        # Facts appended meanwhile are not missed, and no copy is made.
        while after < len(self.facts):
            yield self.facts[after]
            after += 1

    def save_snapshot(self, sequence: int, payload: bytes) -> None:
        self._check_epoch()
        self._check()
        if not 0 <= sequence <= self.sequence:
            raise JournalError(f"a snapshot at {sequence} must be within 0 to {self.sequence}")
        self._snapshot[:] = [(sequence, payload)]

    def load_snapshot(self) -> tuple[int, bytes] | None:
        return self._snapshot[0] if self._snapshot else None

    def give_up(self, error: JournalError) -> None:
        self.failure = error
        if self.on_failure is not None:
            self.on_failure(error)

    def close(self) -> None:
        self._is_closed = True

    def _check_epoch(self) -> None:
        if self.epoch != self._owner[0]:
            raise Fenced(f"epoch {self.epoch} is no longer the owner, {self._owner[0]} is")

    def _check(self) -> None:
        if self._is_closed:
            raise JournalError("the journal is closed")
        if self.failure is not None:
            raise self.failure
