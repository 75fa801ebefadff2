"""A market that runs from one side's stops to the other's, all the time.

Stops and targets are triggered within seconds of their placing, while they are being moved, while
what they close is still being opened, and while nobody hears of it. Some of what is triggered comes
in two parts.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from ..exchange_server.faults import Kind, Rule, Script
from .adversaries import Adversary

PAUSE_S = (0.05, 2.5)
MOVES = (0.0015, 0.004, 0.008, 0.022)
"""Of a price: what lies beyond the stops, and the targets, of the strategies that are played."""

IN_PARTS = 0.3


class Whipsaw(Adversary):
    """Moves a symbol's price, and back again, and on."""

    name = "whipsaw"
    share: ClassVar[float] = 0.06

    def begin(self) -> None:
        world = self.world
        if self.lots.random() < 0.5:
            rule = Rule(kind=Kind.PARTIAL_FILL, probability=IN_PARTS, part=0.4)
            script = Script(faults=[rule], seed=self.lots.getrandbits(32))
            world.bourse.venue.faults.give(script, world.venue_now())

    async def run(self) -> None:
        market, sign = self.world.market, 1
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            sign = -sign if self.lots.random() < 0.8 else sign
            market.step(self.lots.choice(market.symbols), sign * self.lots.choice(MOVES))
            self.world.judges.limits.losses.look()
            self.strike("the price runs to the stops")
