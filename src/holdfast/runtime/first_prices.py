"""Wait for a market's first words, so that a session starts with prices at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .live import LiveSession

LOOKS = 100
LOOK_S = 0.02
"""How long a start waits for the market to speak: two seconds in all."""


async def hear_prices(live: LiveSession, is_running: Callable[[], bool]) -> None:
    """Wait a little until every symbol has a price; a session that ends is not waited for."""
    market, begun = live.engine.core.market, live.now()  # history's prices are older
    for _ in range(LOOKS):
        if all(market.of(s).last_ts > begun for s in live.plan.symbols) or not is_running():
            return
        await asyncio.sleep(LOOK_S)
