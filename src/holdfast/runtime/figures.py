"""A session's statistics, followed from its facts without slowing the session down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..model.errors import InputError
from ..model.events import Event
from ..model.values import SessionId
from ..ports import Journal
from ..stats import SessionFold, SessionStats
from .recovery import Recovered

UNFOLDED_MAX = 2_000
"""How many facts may wait before they are folded whether asked for or not."""


class Before(NamedTuple):
    """The fold of all that stands before a session's first fact, at rest; of nothing by default."""

    sequence: int = 0
    fold: bytes = b""


class Figures:
    """Keeps facts aside as they come and folds them when somebody asks."""

    def __init__(self, session_id: SessionId) -> None:
        self._session_id = session_id
        self._fold = SessionFold(session_id)
        self._waiting: list[Event] = []
        self._sequence = 0  # of the last fact that is folded or waits
        self.before = Before()
        """What the session began behind, where it did so in this process."""

    def recall(self, journal: Journal, recovered: Recovered, *, is_resumed: bool) -> None:
        """Fold what is on record, before anything is heard; from the snapshot, if it helps.

        Earlier sessions belong to it: what they left open may end in this one.
        """
        if recovered.figures:
            try:
                self._fold = SessionFold.wake(
                    recovered.figures, self._session_id, is_new=not is_resumed
                )
                self._sequence = recovered.from_snapshot
            except InputError:  # it counted another session
                self._fold = SessionFold(self._session_id)
        tail = recovered.take_tail() if self._sequence else None
        for fact in journal.replay(self._sequence) if tail is None else tail:
            self._fold.apply(fact)
            self._sequence += 1
        if not is_resumed:
            self.before = Before(self._sequence, self._fold.rest())

    def hear(self, facts: Sequence[Event]) -> None:
        """Take facts in."""
        self._waiting.extend(facts)
        self._sequence += len(facts)
        if len(self._waiting) > UNFOLDED_MAX:
            self._catch_up()

    def stats(self) -> SessionStats:
        """Return the figures as they stand."""
        self._catch_up()
        return self._fold.stats()

    def rest(self, sequence: int) -> bytes:
        """Return the fold of all facts up to `sequence` as bytes; none when it is at another."""
        if sequence != self._sequence:
            return b""
        self._catch_up()
        return self._fold.rest()

    def _catch_up(self) -> None:
        for fact in self._waiting:
            self._fold.apply(fact)
        self._waiting.clear()
