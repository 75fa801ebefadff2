"""The exchange changes the terms of what it lists: ticks, sizes, bands and fees, from now on.

Digits stay as they are: what is quoted can be written. A lot stays too (see `docs/reliability.md`).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

import msgspec

from ..model.instrument import Instrument
from ..model.values import Symbol
from .adversaries import Adversary

if TYPE_CHECKING:
    from .world import World

PAUSE_S = (1.0, 9.0)
WORTH = (Decimal(150), Decimal(400), Decimal(1500))
"""What the largest order may be worth, about."""


class Contracts(Adversary):
    """Changes one term at a time, and now and then all back."""

    name = "contracts"
    share: ClassVar[float] = 0.03

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._before: dict[Symbol, Instrument] = {}

    async def run(self) -> None:
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            self.change()

    def between(self) -> None:
        if self.lots.random() < 0.5:
            self.change()

    def change(self) -> None:
        """Change one contract."""
        symbol = self.lots.choice(self.world.market.symbols)
        now = self.world.instrument(symbol)
        before = self._before.setdefault(symbol, now)
        what = self.lots.choice(tuple(self._terms(before)))
        if self.lots.random() < 0.2:
            what, terms = "as before", msgspec.structs.asdict(before)
        else:
            terms = self._terms(before)[what]
        self._list(msgspec.structs.replace(now, **terms))
        self.strike(what)

    def calm_down(self) -> None:
        """Let what is held be enough for an order again: else nothing could close or guard it."""
        for symbol, before in self._before.items():
            now = self.world.instrument(symbol)
            self._list(msgspec.structs.replace(now, min_qty=before.min_qty))

    def _list(self, made: Instrument) -> None:
        venue = self.world.bourse.venue
        venue.exchange.add_instrument(made)
        venue.tapes[made.symbol].instrument = made

    def _terms(self, before: Instrument) -> dict[str, dict[str, object]]:
        draw, price = self.lots.choice, Decimal(repr(self.world.market.prices[before.symbol]))
        most = max(before.round_qty(draw(WORTH) / price), before.min_qty)
        width = Decimal(draw(("0.002", "0.01", "0.04")))
        return {
            "tick": {"tick": before.tick * draw((2, 5, 5))},
            "least notional": {"min_notional": Decimal(draw((20, 100, 250)))},
            "least quantity": {"min_qty": before.min_qty * draw((2, 10))},
            "largest order": {"max_qty": most},
            "largest market order": {"max_market_qty": most},
            "band": {"price_up": 1 + width, "price_down": 1 - width},
            "fees": {
                "maker_fee": Decimal(draw(("-0.0001", "0", "0.0004"))),
                "taker_fee": Decimal(draw(("0.0002", "0.001"))),
            },
        }
