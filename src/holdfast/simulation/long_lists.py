"""More than a page: lists of executions, orders and income that are longer than one answer.

Much happens while no process runs and goes on while the next one reads, some of it in the same
millisecond, so that pages end in the midst of one and the list grows between two of them. A page is
made short, for both sides, so that there need not be thousands of rows.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from ..exchange_server.frames import ms
from ..model.values import Side, Symbol
from ..venues.binance_futures.codec import reads
from .adversaries import Adversary

if TYPE_CHECKING:
    from .world import World

ROWS = (60, 100)
"""How long a page is. Of one millisecond there is never more: no more of it could be read."""

AT_ONCE_MAX = 20
WORTH = Decimal(150)
DEEDS = (60, 200)
"""How much is done at once: pages cost as much as long ones, so that there may not be many."""

TIMES = (1, 1, 2)
PAUSE_S = (1.0, 12.0)
GAPS_S = (0.0, 0.0, 0.001, 0.002, 0.03, 0.1)


class LongLists(Adversary):
    """Ends the process, and does a good deal while it is away."""

    name = "long_lists"
    share: ClassVar[float] = 0.03

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._rows_max = reads.ROWS_MAX

    def begin(self) -> None:
        reads.ROWS_MAX = self.lots.randint(*ROWS)

    def lift(self) -> None:
        reads.ROWS_MAX = self._rows_max

    async def run(self) -> None:
        await self.books_begun()
        for _ in range(self.lots.choice(TIMES)):
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            if self.lots.random() < 0.7:
                self.end_process("killed")
            await self._fill()

    async def _fill(self) -> None:
        """Do many things one after the other, a few of them in one millisecond."""
        symbol, since, at_once = self.lots.choice(self.world.market.symbols), 0, 0
        for _ in range(self.lots.randint(*DEEDS)):
            now = ms(self.world.venue_now())
            since, at_once = now, at_once + 1 if now == since else 0
            if not (self.world.bourse.is_down or self.is_beginning):
                self._deal(symbol) if self.lots.random() < 0.85 else self._transfer()
            gap_s = self.lots.choice(GAPS_S)
            await asyncio.sleep(gap_s if at_once < AT_ONCE_MAX else 0.002)

    def _deal(self, symbol: Symbol) -> None:
        """Trade a little, by turns this way and that."""
        self.trade(symbol, Side.SELL if self._trades % 2 else Side.BUY, WORTH)

    def _transfer(self) -> None:
        amount = Decimal(self.lots.choice((-3, -2, 2, 4)))
        self.world.bourse.venue.deposit(self.world.accounts.victim, amount)
        self.world.withdrawals.take(-amount, self.world.venue_now())
        self.strike("a transfer")
