"""A replay's record: facts are written in blocks.

Law 4 (a fact is committed before its command leaves) is about money that is out of reach after a
crash. Behind a replay there is none: one that dies is begun anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..journal import OwnedJournal
from ..model.errors import JournalError
from ..model.events import Event

BLOCK_FACTS = 2_000
"""How many facts are kept back at most."""


class BlockJournal:
    """Keeps facts back and hands them to a journal in blocks."""

    is_synchronous = True

    def __init__(self, behind: OwnedJournal) -> None:
        self.findings = behind.findings
        self.on_failure: Callable[[JournalError], None] | None = None
        self._behind = behind
        self._kept: list[Event] = []

    @property
    def epoch(self) -> int:
        return self._behind.epoch

    @property
    def failure(self) -> JournalError | None:
        return self._behind.failure

    @property
    def head(self) -> bytes:
        self._write()
        return self._behind.head

    @property
    def sequence(self) -> int:
        return self._behind.sequence + len(self._kept)

    def append(self, facts: Sequence[Event], on_commit: Callable[[], None] | None = None) -> None:
        self._kept.extend(facts)
        if len(self._kept) >= BLOCK_FACTS:
            self._write()
        if on_commit is not None:
            on_commit()

    @property
    def sync_under_way(self) -> int:
        return self._behind.sync_under_way

    def sync(self) -> None:
        self._write()
        self._behind.sync()

    def when_synced(self, call: Callable[[], None]) -> None:
        self._write()
        self._behind.when_synced(call)

    def replay(self, after: int = 0) -> Iterator[Event]:
        self._write()
        return self._behind.replay(after)

    def save_snapshot(self, sequence: int, payload: bytes) -> None:
        self._write()
        self._behind.save_snapshot(sequence, payload)

    def load_snapshot(self) -> tuple[int, bytes] | None:
        return self._behind.load_snapshot()

    def give_up(self, error: JournalError) -> None:
        self._behind.give_up(error)

    def close(self) -> None:
        try:
            self._write()
        finally:
            self._behind.close()

    def _write(self) -> None:
        kept, self._kept = self._kept, []
        if kept:
            self._behind.append(kept)
