"""Whoever else is against us, in a share of the seeds each, by lots of their own.

Rule 1: an adversary draws nothing from what others draw from: a seed that has none of them is
        played as it was before there were any.
Rule 2: what it does is counted under its name, as faults are.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, ClassVar

from ..model.values import ClOrdId, NewOrder, OrderType, Side, Symbol
from .operator import STRANGER

if TYPE_CHECKING:
    from ..strategies import Strategy
    from .world import World


class Adversary:
    """One of them, in one run. What it does not need to do at a moment, it leaves out."""

    name: ClassVar[str]
    share: ClassVar[float]

    def __init__(self, world: World) -> None:
        self.world = world
        self.lots = Random(f"{world.seed}/{self.name}")
        self._trades = 0
        self.is_on = Random(f"{world.seed}/{self.name}/coin").random() < self.share

    def begin(self) -> None:
        """Do something before the first process starts."""

    def between(self) -> None:
        """Do something while no process runs."""

    async def run(self) -> None:
        """Do something while the storm lasts."""

    async def books_begun(self) -> None:
        """Wait until the accounts have books: the moment in which they are begun is not covered."""
        names = self.world.accounts.venue_names
        while len(self.world.oracles.opened_ts) < len(names):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.25)

    @property
    def is_beginning(self) -> bool:
        """Tell whether a session begins its books anew, since its journal was lost."""
        live, names = self.world.live, self.world.accounts.venue_names
        return live is not None and not all(live.engine.state.account(n).opened_ts for n in names)

    def strategies(self) -> tuple[Strategy, ...]:
        """Return strategies of its own for a new life."""
        return ()

    def calm_down(self) -> None:
        """Put back what must be as it was before all can come to rest."""

    def count(self) -> None:
        """Count what was counted elsewhere, before the exchange's faults are lifted."""

    def lift(self) -> None:
        """Undo what would outlive the world."""

    def strike(self, what: str) -> None:
        """Count a deed, and tell of it."""
        self.world.fired[self.name] += 1
        self.world.count(f"{self.name}: {what}")
        self.world.log(f"{self.name}: {what}")

    def trade(self, symbol: Symbol, side: Side, worth: Decimal) -> None:
        """Buy or sell a little at the market, as somebody else on the account."""
        world = self.world
        if world.bourse.is_down or self.is_beginning:
            return
        self._trades += 1
        instrument = world.instrument(symbol)
        qty = instrument.round_qty(worth / Decimal(repr(world.market.prices[symbol])))
        order = NewOrder(
            cl_ord_id=ClOrdId(f"{STRANGER}{self.name[0]}{self._trades}"),
            account=world.accounts.victim,
            symbol=symbol,
            side=side,
            qty=max(qty, instrument.lot),
            order_type=OrderType.MARKET,
        )
        world.bourse.venue.submit(order)
        self.strike("a trade")

    def end_process(self, reason: str) -> None:
        """End the process that runs, unless it is frozen: then another may have taken over."""
        process = self.world.process
        if process is not None and not process.is_dead and not process.is_frozen:
            process.die(reason)
