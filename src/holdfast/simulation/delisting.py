"""A contract that stops trading: announced, halted, resumed, settled, gone; or that leaves dust.

One symbol of three, in the midst of trading and while no process runs. Its end is told by orders
of the exchange's own or by the income list alone.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, ClassVar

import msgspec

from ..exchange import SettlementTerms
from ..model.instrument import CLOSING_ONLY, TRADING, UNLISTED
from ..model.values import NS_PER_S
from .adversaries import Adversary

if TYPE_CHECKING:
    from .world import World

PAUSE_S = (1.5, 9.0)
HALTS = ("BREAK", "SETTLING", *sorted(CLOSING_ONLY))
ENDS = ("SETTLING", "CLOSE", UNLISTED, UNLISTED)
ENDS_IN_HOURS = (0, 1, 20, 30)
"""When it is announced to end; by the usual settings nothing is opened in the last 24; 0: never."""

HOUR_NS = 3600 * NS_PER_S

ANNOUNCED = 0.3
"""How often an end is announced, or taken back, along with something else."""

LOTS = (Decimal(1), Decimal(10), Decimal(10), Decimal(100))
"""By how much the lot grows; the least quantity with it."""


class Delisting(Adversary):
    """Does one thing at a time to one contract. Once it is settled, nothing more."""

    name = "delisting"
    share: ClassVar[float] = 0.03

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.is_on = self.is_on and not world.has_live_feed  # who hears a market that stands still
        self._symbol = self.lots.choice(world.market.symbols)
        self._before = world.instrument(self._symbol)
        self._is_over = False
        self._ends = Random(f"{world.seed}/{self.name}/ends")

    async def run(self) -> None:
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            self.act()

    def between(self) -> None:
        if self.lots.random() < 0.4:
            self.act()

    def act(self) -> None:
        """Do the next thing."""
        if self._is_over or self.world.bourse.is_down:
            return
        if self._ends.random() < ANNOUNCED:
            self.announce()
        now = self.world.instrument(self._symbol)
        if not now.is_trading:
            self.lots.choice((self.resume, self.resume, self.settle))()
        else:
            self.lots.choice((self.halt, self.halt, self.resize, self.resize, self.settle))()

    def announce(self) -> None:
        """Say when it will be settled, or that it goes on."""
        hours = self._ends.choice(ENDS_IN_HOURS)
        end_ts = self.world.bourse.venue.now() + hours * HOUR_NS if hours else 0
        self._list(delivery_ts=end_ts)
        self.strike(f"to end in {hours} h" if hours else "to go on")

    def halt(self) -> None:
        status = self.lots.choice(HALTS)
        self._list(status=status)
        self.strike(f"halted, {status}")

    def resume(self) -> None:
        self._list(status=TRADING)
        self.strike("resumed")

    def resize(self) -> None:
        lot = self._before.lot * self.lots.choice(LOTS)
        self._list(lot=lot, min_qty=max(lot, self._before.min_qty))
        self.strike("another lot" if lot != self._before.lot else "its lot again")

    def settle(self) -> None:
        """End it, at a price near the last one."""
        move = Decimal(self.lots.choice(("0.99", "1", "1.01")))
        price = Decimal(repr(self.world.market.prices[self._symbol])) * move
        terms = SettlementTerms(
            self._before.round_price(price),
            Decimal(self.lots.choice(("0", "0.0005"))),
            self.lots.random() < 0.6,
        )
        status = self.lots.choice(ENDS)
        self.world.bourse.venue.settle(self._symbol, terms, status)
        self._is_over = True
        self.strike(f"settled, {'by orders' if terms.is_trade else 'by income'}, {status}")

    def calm_down(self) -> None:
        """Let what is left be traded: its stop must be had. Who was told reads the list again."""
        if not self._is_over:
            sizes = {"lot": self._before.lot, "min_qty": self._before.min_qty}
            self._list(status=TRADING, delivery_ts=0, **sizes)
        elif self.world.instrument(self._symbol).status == UNLISTED:
            # Where no journal knows it every start ends, and a person is told why.
            setup = self.world.setup
            setup.symbols = tuple(each for each in setup.symbols if each != self._symbol)

    def _list(self, **terms: object) -> None:
        now = self.world.instrument(self._symbol)
        self.world.bourse.venue.list_as(msgspec.structs.replace(now, **terms))
