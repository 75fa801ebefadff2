"""Two connections of one account's stream that tell the same, each at its own pace; and stretches
that are told once more in the midst of one.

The session replaces its connection every few seconds, where it is every 23 hours in earnest.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from typing import Any, ClassVar

from .adversaries import Adversary

LIFETIME_S = (2.5, 9.0)
PAUSE_S = (0.1, 1.5)
HELD_S = (0.1, 1.9)
"""How long one connection is held up, and the other is not."""

AGAIN = 0.06
STRETCH = (2, 40)


class Overlap(Adversary):
    """Has streams overlap, one of them held up, and repeats what was told."""

    name = "overlap"
    share: ClassVar[float] = 0.03
    lifetime_s: float | None = None
    _is_over = False

    def begin(self) -> None:
        self.world.stream_lifetime_s = round(self.lots.uniform(*LIFETIME_S), 3)
        told: defaultdict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=STRETCH[1]))
        strange: Any = self.world.road.strange
        plain = strange.frame

        def frame(text: bytes, path: str) -> list[bytes]:
            found: list[bytes] = plain(text, path)
            if self._is_over or "/private/" not in path:
                return found
            told[path].append(text)
            if self.lots.random() >= AGAIN:
                return found
            self.strike("a stretch is told again")
            return [*found, *list(told[path])[-self.lots.randint(*STRETCH) :]]

        strange.frame = frame

    async def run(self) -> None:
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            open_ones = [each for each in self.world.road.sockets if each.is_users and each.is_open]
            if open_ones:
                self.lots.choice(open_ones).hold_up(round(self.lots.uniform(*HELD_S), 3))
            if len(open_ones) > len(self.world.accounts.venue_names):
                self.strike("two connections at once")

    def calm_down(self) -> None:
        self._is_over = True
