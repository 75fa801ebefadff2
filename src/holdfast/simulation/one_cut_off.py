"""One of two accounts is cut off for a while: its connections break and are refused.

The other account goes on, and its exits with it; how many orders it has sent meanwhile is counted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from .adversaries import Adversary

if TYPE_CHECKING:
    from .world import World

CUT_OFF = 0.5
"""The share of seeds with two accounts in which this is done."""

PAUSE_S = (1.0, 17.0)
LASTS_S = (3.0, 60.0)


class OneCutOff(Adversary):
    """Cuts one of two accounts off, now and then."""

    name = "one_cut_off"
    share: ClassVar[float] = CUT_OFF

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.is_on = self.is_on and world.accounts.are_two

    async def run(self) -> None:
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            names = tuple(self.world.accounts.session_names)
            cut = self.lots.choice(names)
            self.strike("cut off")
            lasts_s, before = round(self.lots.uniform(*LASTS_S), 3), self._orders(cut)
            self.world.road.cut_off(cut, lasts_s)
            await asyncio.sleep(lasts_s)
            self.world.counts[f"{self.name}: orders of the other"] += self._orders(cut) - before

    def _orders(self, cut: str) -> int:
        return sum(n for name, n in self.world.oracles.accepted.items() if name != cut)

    def calm_down(self) -> None:
        self.world.road.cut_off_until.clear()
