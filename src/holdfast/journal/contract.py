"""What a journal promises beyond the port: to say what it found damaged, and when it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..model.errors import JournalError
from ..ports import Journal


class OwnedJournal(Journal, Protocol):
    """A journal as `open_journal` gives it.

    `findings` says what was found damaged and set aside, a sentence each: tell a person.
    `failure` is set once nothing can be recorded any more. `on_failure` is called with it, on
    the loop's thread, where it was not an `append` that raised it.
    """

    findings: list[str]
    on_failure: Callable[[JournalError], None] | None

    @property
    def failure(self) -> JournalError | None: ...

    @property
    def sync_under_way(self) -> int:
        """Return the number of the sync that a disk or its thread is at; 0 for none.

        Syncs that are one with their commit have none: who waits for those is known.
        """

    def give_up(self, error: JournalError) -> None:
        """Fail: what hangs is not waited for any more, and nothing later is recorded."""

    @property
    def head(self) -> bytes:
        """Return the last fact's hash: equal for equal histories."""
