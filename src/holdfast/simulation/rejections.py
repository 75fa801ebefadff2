"""The exchange refuses for a while what it takes at other times: stops, or closes at the market.

So it does where too many stops wait, where a price band is left, or where a rule of its own is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from ..exchange import Output
from ..exchange.answers import rejected
from ..exchange.refusals import Refusal
from ..model.values import NewOrder, OrderType
from .adversaries import Adversary

GAP_S = (1.0, 10.0)
LASTS_S = (3.0, 40.0)
STOPS = Refusal(-4045, "Reach max stop order limit.")
CLOSES = Refusal(
    -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."
)


class Rejections(Adversary):
    """Has the exchange refuse stops, closes, or both."""

    name = "rejections"
    share: ClassVar[float] = 0.05
    _refuses: tuple[str, ...] = ()

    async def run(self) -> None:
        venue: Any = self.world.bourse.venue
        plain = venue.submit

        def submit(order: NewOrder, *args: object) -> Sequence[Output]:
            refusal = self._refusal_of(order)
            if refusal is None:
                found: Sequence[Output] = plain(order, *args)
                return found
            self.strike("a stop" if refusal is STOPS else "a close")
            return [rejected(order, refusal, venue.now())]

        venue.submit = submit
        while True:
            await asyncio.sleep(round(self.lots.uniform(*GAP_S), 3))
            self._refuses = self.lots.choice((("stops",), ("closes",), ("stops", "closes")))
            await asyncio.sleep(round(self.lots.uniform(*LASTS_S), 3))
            self._refuses = ()

    def calm_down(self) -> None:
        self._refuses = ()

    def _refusal_of(self, order: NewOrder) -> Refusal | None:
        if order.order_type.is_conditional:
            return STOPS if "stops" in self._refuses else None
        is_close = order.reduce_only and order.order_type is OrderType.MARKET
        return CLOSES if is_close and "closes" in self._refuses else None
