"""Wait for a market's first words, so that a session starts with prices at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..engine.market import SymbolMarket
from .live import LiveSession

LOOKS = 100
LOOK_S = 0.02
"""How long a start waits for the market to speak: two seconds in all."""


async def hear_prices(live: LiveSession, is_running: Callable[[], bool]) -> None:
    """Wait a little until every symbol has a price to trade at; none for a session that ends."""
    market, begun = live.engine.core.market, live.now()  # history's prices are older
    for _ in range(LOOKS):
        heard = all(is_traded(market.of(each), begun) for each in live.plan.symbols)
        if heard or not is_running():
            return
        await asyncio.sleep(LOOK_S)


def is_traded(market: SymbolMarket, since: int) -> bool:
    """Tell whether more than a mark price was heard: on paper nothing is offered at that."""
    if max(market.traded_ts, market.quoted_ts) > since:
        return True
    return market.last_ts > max(since, market.marked_ts)
