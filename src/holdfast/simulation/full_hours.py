"""The storm lies around a full hour, mostly midnight, with which a trading day begins.

Whatever holds anything pays its funding then, or gets it, as it falls due at the exchange; it is on
the way while the day's first equity is taken.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, ClassVar

from ..model.values import NS_PER_S
from .adversaries import Adversary

if TYPE_CHECKING:
    from .spec import Spec

START_S = 1_790_000_000
"""When all other runs begin, s UTC: between two full hours."""

HOURS_S = (1_790_002_800, 1_790_035_200, 1_790_035_200)
"""A full hour behind that, and twice midnight."""

FUNDED_MS = (0, 3_000)
"""How long behind the hour funding is booked."""

RATES = (-20, 20)
"""Of funding, in ten-thousandths."""

TIGHT = 0.6
LOSSES = (Decimal("0.0005"), Decimal("0.002"), Decimal("0.006"))
"""How often little may be lost in a day, and how little: what one day denies the next allows."""


class FullHours(Adversary):
    """Has everybody pay funding when the hour is full."""

    name = "full_hours"
    share: ClassVar[float] = 0.06

    def begin(self) -> None:
        if self.lots.random() < TIGHT:
            self.world.setup.change({"max_daily_loss_pct": self.lots.choice(LOSSES)})

    async def run(self) -> None:
        left_s = _hour_of(self.world.spec) - self.world.venue_now() / NS_PER_S
        await asyncio.sleep(left_s + self.lots.randint(*FUNDED_MS) / 1000)
        while self.world.bourse.is_down:  # noqa: ASYNC110 - it pays when it is there again
            await asyncio.sleep(0.25)
        for symbol in self.world.market.symbols:
            self.world.market.fund(symbol, self.lots.randint(*RATES) / 10_000)
            self.strike("funding at the full hour")


def start_ns(spec: Spec) -> int:
    """Return when a run begins: before a full hour where it is to lie around one."""
    is_on = Random(f"{spec.seed}/{FullHours.name}/coin").random() < FullHours.share
    if not spec.has_others or not is_on:
        return START_S * NS_PER_S
    before_s = Random(f"{spec.seed}/{FullHours.name}/start").uniform(1.0, spec.storm_s)
    return round((_hour_of(spec) - before_s) * 1000) * (NS_PER_S // 1000)


def _hour_of(spec: Spec) -> int:
    return Random(f"{spec.seed}/{FullHours.name}/hour").choice(HOURS_S)
