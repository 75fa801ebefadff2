"""A session's statistics, followed from its facts without slowing the session down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..model.events import Event
from ..model.values import SessionId
from ..stats import SessionFold, SessionStats

UNFOLDED_MAX = 2_000
"""How many facts may wait before they are folded whether asked for or not."""


class Figures:
    """Keeps facts aside as they come and folds them when somebody asks."""

    def __init__(self, session_id: SessionId) -> None:
        self._fold = SessionFold(session_id)
        self._waiting: list[Event] = []

    def recall(self, earlier: Iterable[Event]) -> None:
        """Fold what is on record, before anything is heard.

        Earlier sessions belong to it: what they left open may end in this one.
        """
        for fact in earlier:
            self._fold.apply(fact)

    def hear(self, facts: Sequence[Event]) -> None:
        """Take facts in."""
        self._waiting.extend(facts)
        if len(self._waiting) > UNFOLDED_MAX:
            self._catch_up()

    def stats(self) -> SessionStats:
        """Return the figures as they stand."""
        self._catch_up()
        return self._fold.stats()

    def _catch_up(self) -> None:
        for fact in self._waiting:
            self._fold.apply(fact)
        self._waiting.clear()
