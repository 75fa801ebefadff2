"""The exchange is under maintenance for long, and what was there is not there afterwards.

No request is carried out, streams are open and silent. Meanwhile orders expire, the price moves,
and money is taken out until there is hardly any to tie up, or the account is set to hedge mode.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from ..exchange_server.faults import Kind, Rule, Script
from ..model.values import ZERO, OrderStatus
from .adversaries import Adversary

if TYPE_CHECKING:
    from .world import World

LASTS_S = (20.0, 400.0)
KEPT = (Decimal("0.02"), Decimal("0.2"))
"""How much of what could be taken out is left there."""

OUT = (Kind.SERVICE_UNAVAILABLE, Kind.INTERNAL_ERROR, Kind.UNKNOWN_NOT_EXECUTED)


class HardTimes(Adversary):
    """One maintenance, at any moment."""

    name = "hard_times"
    share: ClassVar[float] = 0.03

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._begin_s = round(self.lots.uniform(0.1, 1.0) * world.spec.storm_s, 3)
        self._lasts_s = round(self.lots.uniform(*LASTS_S), 3)
        if self.is_on:
            world.ends_s = max(world.ends_s, self._begin_s + self._lasts_s)

    async def run(self) -> None:
        lots, world = self.lots, self.world
        begin_s, lasts_s = self._begin_s, self._lasts_s
        await asyncio.sleep(begin_s)
        if lots.random() < 0.7:
            self._shut(lots.choice(OUT), lasts_s)
        while world.loop.time() < begin_s + lasts_s:
            await asyncio.sleep(round(lots.uniform(1.0, 30.0), 3))
            if not world.bourse.is_down:
                lots.choice((self._expire, self._withdraw, self._gap, self._hedge))()

    def _shut(self, kind: Kind, lasts_s: float) -> None:
        rules = [
            Rule(kind=kind, on="*", until_s=lasts_s),
            Rule(kind=Kind.SILENT_STREAM, on="*_UPDATE*", until_s=lasts_s, count=1),
        ]
        seed = self.lots.getrandbits(32)
        self.world.bourse.venue.faults.give(Script(faults=rules, seed=seed), self.world.venue_now())
        self.strike("shut")

    def _expire(self) -> None:
        """End open orders, as at a delisting or a purge."""
        bourse = self.world.bourse
        books, now = bourse.exchange._books, bourse.venue.now()  # noqa: SLF001 - as `deleverage`
        for order in bourse.exchange.open_orders(self.world.accounts.victim):
            if self.lots.random() < 0.5:
                books.end(order, OrderStatus.EXPIRED, now)
                self.strike("an order expires")
        bourse.venue._settle(books.flush(), now)  # noqa: SLF001 - as every change of the core is

    def _withdraw(self) -> None:
        free = self.world.bourse.exchange.margin(self.world.accounts.victim).available
        taken = (free * (1 - self.lots.choice(KEPT))).quantize(Decimal("0.01"))
        if taken > ZERO:
            self.world.bourse.venue.deposit(self.world.accounts.victim, -taken)
            self.world.withdrawals.take(taken, self.world.venue_now())
            self.strike("money is taken out")

    def _gap(self) -> None:
        symbol = self.lots.choice(self.world.market.symbols)
        self.world.market.step(symbol, self.lots.uniform(-0.05, 0.05))
        self.strike("the price jumps")

    def _hedge(self) -> None:
        is_hedged = self.lots.random() < 0.6
        refusal = self.world.bourse.venue.set_position_mode(
            self.world.accounts.victim, is_hedged=is_hedged
        )
        if refusal is None:
            self.strike("hedge mode" if is_hedged else "one-way mode")

    def calm_down(self) -> None:
        self.world.bourse.venue.set_position_mode(self.world.accounts.victim, is_hedged=False)
