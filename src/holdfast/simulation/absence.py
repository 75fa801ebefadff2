"""The machine is switched off for long: orders, stops and money go on without us.

The market moves on, listen keys and the dead-man switch run out, protective orders are triggered
at the exchange, and somebody meddles now and then.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .world import World

ABSENT = 0.005
"""The share of seeds in which this happens, once."""

AWAY_S = (300.0, 2400.0)
MEDDLE_S = (20.0, 200.0)


class Absence:
    """One long absence, or none. `away_s` is how long the machine is off, about."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lots = Random(f"{world.seed}/absence")
        self._is_due = self._lots.random() < ABSENT
        self.away_s = 0.0

    @property
    def settle_s(self) -> float:
        """Return by how much longer the world may take to come to rest."""
        return self.away_s + MEDDLE_S[1] if self.away_s else 0.0

    async def run(self) -> None:
        """Switch the machine off at some moment of the storm."""
        if not self._is_due:
            return
        world = self._world
        await asyncio.sleep(round(self._lots.uniform(0.2, 1.0) * world.spec.storm_s, 3))
        self.away_s = round(self._lots.uniform(*AWAY_S), 3)
        process = world.process
        if process is not None and not process.is_frozen:  # else when it has ended by itself
            process.die("the machine was switched off")

    async def pass_time(self) -> None:
        """Be away, where the machine was switched off."""
        if not self.away_s or not self._is_due:
            return
        self._is_due = False
        world = self._world
        world.fire("machine_off")
        until = world.loop.time() + self.away_s
        world.market.is_calm = False
        while world.loop.time() < until:
            await asyncio.sleep(round(self._lots.uniform(*MEDDLE_S), 3))
            world.meddler.act()
        world.market.is_calm = world.is_calm
