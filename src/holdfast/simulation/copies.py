"""Questions are answered by several copies of the exchange's books, some of which trail.

One answer is fresh, the next is of a second ago, and the one behind it is fresh again: what was
seen is not seen any more, and positions are of another moment than balances or executions. No copy
trails by more than the adapter reckons with.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import ClassVar

from ..exchange_server.faults import Kind, Rule, Script
from ..model.values import Side
from .adversaries import Adversary
from .stale import LAG_S_MAX

PAUSE_S = (0.5, 4.0)
LASTS_S = (5.0, 40.0)
DEAF = 0.5
"""How often nothing is heard over the stream besides, so that all is learned from such answers."""

SLICES_S = (0.6, 3.5)
WORTH = Decimal(150)
LAG_MS = (200, int(LAG_S_MAX * 1000))
PLACES = (
    *("GET /fapi/v3/positionRisk", "GET /fapi/v3/account", "GET /fapi/v1/userTrades"),
    *("GET /fapi/v1/income", "GET /fapi/v1/openOrders", "GET /fapi/v1/openAlgoOrders"),
    *("GET /fapi/v1/order", "GET /fapi/v1/algoOrder", "GET /fapi/v1/allOrders"),
)


class Copies(Adversary):
    """Orders copies that trail, for a while, now and then."""

    name = "copies"
    share: ClassVar[float] = 0.03

    async def run(self) -> None:
        await self.books_begun()
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            lasts_s = round(self.lots.uniform(*LASTS_S), 3)
            rules = [
                Rule(
                    kind=Kind.READ_LAG,
                    probability=round(self.lots.uniform(0.2, 0.7), 2),
                    on=place,
                    until_s=lasts_s,
                    delay_ms=self.lots.randint(*LAG_MS),
                )
                for place in PLACES
                for _ in range(self.lots.choice((0, 1, 2)))
            ]
            if self.lots.random() < DEAF:
                rules.append(Rule(kind=Kind.DROP_FRAME, on="*_UPDATE*", until_s=lasts_s))
            script = Script(faults=rules, seed=self.lots.getrandbits(32))
            self.world.bourse.venue.faults.give(script, self.world.venue_now())
            await self._slice(self.world.loop.time() + lasts_s)

    async def _slice(self, until: float) -> None:
        """Trade in one size, as a program does that hides how much it wants."""
        symbol = self.lots.choice(self.world.market.symbols)
        side = self.lots.choice((Side.BUY, Side.SELL))
        while self.world.loop.time() < until:
            await asyncio.sleep(round(self.lots.uniform(*SLICES_S), 3))
            self.trade(symbol, side, WORTH)

    def count(self) -> None:
        """Count what trailed, under our own name."""
        world = self.world
        for row in world.bourse.venue.faults.account_for():
            if row["kind"] == Kind.READ_LAG.value and row["on"] in PLACES:
                world.fired[self.name] += int(str(row["fired"]))
