"""Dead man's switches: a symbol's orders are cancelled unless somebody speaks in time. Pure."""

from __future__ import annotations

from ..exchange import Row
from ..model.values import AccountId, Symbol
from . import kept

Place = tuple[AccountId, Symbol]


class Countdowns:
    """One for each account and symbol; times are nanoseconds."""

    def __init__(self) -> None:
        self._due: dict[Place, int] = {}

    def __len__(self) -> int:
        return len(self._due)

    def restore(self, countdown: kept.KeptCountdown) -> None:
        """Take back one of before a restart."""
        self._due[countdown.account, countdown.symbol] = countdown.due

    def run(self, place: Place, due: int | None) -> list[Row]:
        """Let it run until then, or no more; returns what storage is to keep of that."""
        had = self._due.pop(place, None)
        if due is not None:
            self._due[place] = due
        return [kept.countdown_row(*place, due)] if due != had else []

    def over(self, now: int) -> list[Place]:
        """Return those that have run out and were not lifted."""
        return [place for place, due in self._due.items() if due <= now]
