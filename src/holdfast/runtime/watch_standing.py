"""How long a thing has been off at each look, and whether it still is the same difference.

Rule 1: what is seen twice in a row, off by the same amount, and stays, is an alarm; so is what is
        off at many looks in a row, by another amount each time.
Rule 2: a side that comes to where the other one was had only fallen behind: what was seen until
        then is explained, and counts no more.
Rule 3: whatever explains it, what is off at each of very many looks is an alarm.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from .watch_sights import Sight

SIGHTINGS_MIN = 2
CHANGING_MAX = 5
"""How often in a row a thing may be off by another gap each time before that is an alarm too."""

EXPLAINED_MAX = 30
EXPLAINED_PATIENCES = 6
"""How often in a row, and for how many times as long, it may be off and be explained each time:
who trades a lot at each look makes any difference of a lot look explained."""

TRAILING_S = 5.0
"""How far the venue's lists may trail the journal."""


class _Ahead(NamedTuple):
    """What the venue had at a look, where the journal has not been since."""

    there: str
    since: float
    look: int


class Standing(msgspec.Struct):
    """A sight that was there at the last look that could see it.

    `passed` is where the journal has been of late, and until when; `ahead` begins with the oldest
    that nothing has explained.
    """

    sight: Sight
    first: float
    last: float = 0.0
    sightings: int = 0
    looks: int = 0
    is_alarm: bool = False
    is_unseen: bool = False  # a look since then could not see it
    ahead: list[_Ahead] = []
    passed: dict[str, float] = {}

    def pass_by(self, here: str, now: float) -> None:
        """Hear where the journal is now."""
        if self.passed:
            self.passed[next(reversed(self.passed))] = now
        self._be_at(here, now)
        reached = next((n for n, each in enumerate(self.ahead) if each.there == here), None)
        if reached is not None and self.sight.here:
            del self.ahead[: reached + 1]
            self.sightings = 0

    def see(self, sight: Sight, now: float, patience_s: float) -> None:
        """Count what another look has seen of the same thing.

        After it could not be seen for as long as it may stay, it is new: unless it is off by the
        same amount, where it has one.
        """
        is_same = sight.gap == self.sight.gap
        is_stale = self.is_unseen and now - self.last >= patience_s
        if self._is_trailing(sight, now) or (is_stale and not (is_same and sight.gap)):
            self.ahead.clear()
            self.sightings = 0
        self.looks += 1
        self.sightings = self.sightings + 1 if is_same else 1
        if not self.ahead or self.ahead[-1].there != sight.there:
            self.ahead.append(_Ahead(sight.there, now, self.looks))
        self.passed = {here: ts for here, ts in self.passed.items() if ts > now - TRAILING_S}
        self._be_at(sight.here, now)
        self.sight, self.last, self.is_unseen = sight, now, False

    def _be_at(self, here: str, now: float) -> None:
        self.passed.pop(here, None)
        self.passed[here] = now  # the newest is the last

    def _is_trailing(self, sight: Sight, now: float) -> bool:
        """Tell whether the venue is where the journal was since the last look, or a moment ago."""
        was_there = self.passed.get(sight.there) if sight.here else None
        return was_there is not None and was_there > min(self.last, now - TRAILING_S)

    def stays(self, now: float, patience_s: float) -> bool:
        """Tell whether it has been there so often, and for so long, that it is an alarm."""
        oldest = self.ahead[0]
        in_a_row = self.looks - oldest.look + 1
        is_seen = self.sightings >= SIGHTINGS_MIN or in_a_row >= CHANGING_MAX
        if is_seen and now - oldest.since >= patience_s:
            return True
        is_endless = now - self.first >= EXPLAINED_PATIENCES * patience_s
        return self.looks >= EXPLAINED_MAX and is_endless
