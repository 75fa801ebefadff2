"""The user ends the session, changes the settings, and starts it again.

Other limits, another leverage, other durability, other distances of stops, one strategy fewer, and
a symbol taken out while there are positions and orders in it, or put in again.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import ClassVar

from .adversaries import Adversary
from .spec import BOLDNESS

TIMES = (1, 2, 3)
GAP_S = (2.0, 12.0)
CHANGED = 0.5
"""How likely each of the settings is another than before."""


class SecondThoughts(Adversary):
    """Changes settings between two lives, and ends lives to do so."""

    name = "second_thoughts"
    share: ClassVar[float] = 0.03

    async def run(self) -> None:
        for _ in range(self.lots.choice(TIMES)):
            await asyncio.sleep(round(self.lots.uniform(*GAP_S), 3))
            if self.lots.random() < 0.5:
                self.world.stop_session(flatten=self.lots.random() < 0.3)
                await asyncio.sleep(round(self.lots.uniform(0.1, 2.0), 3))
            self.end_process("its user wants it otherwise")

    def between(self) -> None:
        lots, world = self.lots, self.world
        drawn: dict[str, tuple[object, ...]] = {
            "position_size_pct": BOLDNESS,
            "leverage": (5, 10, 20),
            "durability": ("process", "power"),
            "stop_loss_pct": (Decimal(0), Decimal("0.01"), Decimal("0.05")),
            "take_profit_pct": (Decimal(0), Decimal("0.03")),
            "use_market_orders": (True, False),
            "cancel_entries_on_pause": (True, False),
            "foreign_order_policy": ("adopt", "adopt", "cancel"),
            "mismatch_policy": ("halt", "adopt", "flatten"),
            "order_prefix": ("hf", "bot"),
            "max_positions": (1, 10),
            "orders_over_ws": (True, False),
        }
        changes = {
            name: lots.choice(values) for name, values in drawn.items() if lots.random() < CHANGED
        }
        world.setup.change(changes)
        symbols = world.market.symbols
        chosen = tuple(each for each in symbols if lots.random() < 0.6) or symbols[:1]
        if world.has_live_feed:  # its judge goes by all symbols, and one strategy's ears
            pass
        elif lots.random() < CHANGED:
            world.setup.symbols = chosen
        else:
            world.setup.strategies_left_out = lots.choice((0, 1))
        self.strike("settings are changed")
