"""Fees are paid in BNB while there is enough of it, and then in the margin asset again.

How much there is, and whether it is to be used, changes while the storm lasts, as a person at the
exchange's own page may change it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

from ..exchange import OrderUpdate, Output
from ..exchange.fees import BURNT
from ..model.values import AccountId
from .adversaries import Adversary

PAUSE_S = (1.0, 9.0)
AMOUNTS = (Decimal("0.00005"), Decimal("0.0004"), Decimal("0.003"), Decimal("0.5"))
"""Some are enough for a fee or two, the last for all of them."""

SWITCHED = 0.4
"""How often it is the switch that is turned, and not more BNB that is put in."""


class BurntFees(Adversary):
    """Has all accounts begin with a little BNB and with fees paid of it."""

    name = "burnt_fees"
    share: ClassVar[float] = 0.06

    def begin(self) -> None:
        venue = self.world.bourse.venue
        for account in self._accounts:
            venue.deposit(account, self.lots.choice(AMOUNTS), BURNT)
            venue.set_fee_burn(account, is_on=self.lots.random() < 0.8)
        venue.sinks.append(self._hear)

    async def run(self) -> None:
        await self.books_begun()
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            account, venue = self.lots.choice(self._accounts), self.world.bourse.venue
            if self.world.bourse.is_down or self.is_beginning:
                continue
            if self.lots.random() < SWITCHED:
                venue.set_fee_burn(account, is_on=not venue.exchange.burns_fees(account))
            else:
                venue.deposit(account, self.lots.choice(AMOUNTS), BURNT)

    @property
    def _accounts(self) -> list[AccountId]:
        return list(self.world.accounts.venue_names.values())

    def _hear(self, outputs: Sequence[Output], _: int) -> None:
        for output in outputs:
            if isinstance(output, OrderUpdate) and output.report.fee_asset == BURNT:
                self.strike("a fee was paid in BNB")
