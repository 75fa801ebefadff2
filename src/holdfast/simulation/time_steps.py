"""Our machine's clock is stepped, again and again, by up to nearly two seconds: from one edge of
what fences reckon with to the other, in the midst of orders. The exchange refuses what is stamped
outside of its window (-1021).

Its own clock is right meanwhile: both together would be further apart than is promised. Where
nothing is under way, and nothing that is held up can come to be, ours runs ahead by seconds for a
moment, and is set right again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from ..model.values import OrderStatus
from .adversaries import Adversary

if TYPE_CHECKING:
    from .world import World

OFF_MS = 950
PAUSE_S = (0.1, 5.0)
AHEAD = 0.3
AHEAD_MS, AHEAD_S = (1_500, 5_000), (0.5, 8.0)
SLOW = frozenset({"delay", "fog", "cut_early", "freeze", "zombie"})
"""What holds requests up: what left while our clock ran ahead has no fence that holds."""

OTHERS = frozenset({"exchange_clock", "clock_skew", "clock_jump"})


class TimeSteps(Adversary):
    """Steps the clock."""

    name = "time_steps"
    share: ClassVar[float] = 0.04

    def __init__(self, world: World) -> None:
        super().__init__(world)
        kinds = {fault.kind for fault in world.plan}
        self.is_on = self.is_on and not kinds & OTHERS
        self._may_run_ahead = not kinds & SLOW

    async def run(self) -> None:
        await self.books_begun()
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            if self._may_run_ahead and self.lots.random() < AHEAD and not self._is_under_way:
                self.world.skew_ns = self.lots.randint(*AHEAD_MS) * 1_000_000
                self.strike("it runs ahead")
                await asyncio.sleep(round(self.lots.uniform(*AHEAD_S), 3))
                self.world.skew_ns = 0
                continue
            edge = self.lots.choice((-OFF_MS, OFF_MS, self.lots.randint(-OFF_MS, OFF_MS)))
            self.world.skew_ns = edge * 1_000_000
            self.strike("a step")

    @property
    def _is_under_way(self) -> bool:
        """Tell whether an order is on its way, or in doubt."""
        live = self.world.live
        orders = () if live is None else live.engine.state.all_open_orders()
        return any(o.is_in_doubt or o.status is OrderStatus.PENDING_NEW for o in orders)
