"""A strategy that changes its mind at the worst moments: while an order is on its way, in doubt,
has filled in part, is being taken back, or has just ended.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import ClassVar
from zlib import crc32

from ..exchange_server.faults import Kind, Rule, Script
from ..model.events import OrderFilled
from ..model.market import Trade
from ..model.values import ZERO, OrderStatus, OrderType, SignalType
from ..strategies import OrderUpdate, Strategy
from .adversaries import Adversary
from .churner import UINT32_MAX, Churner

SHARE = 0.2
"""How often it changes its mind when it hears of an order."""

EARLY = 0.35
"""How often it takes a limit back that has only just left."""

CHASES = 0.3
"""How often, of so many trades as it acts on, it runs after the market."""


class Restless(Churner):
    """Takes its orders back and amends them as soon as it hears of them."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed, 0.06)

    def on_order(self, update: OrderUpdate) -> None:
        is_on_its_way = update.status is OrderStatus.PENDING_NEW and update.price is not None
        if is_on_its_way and self._lots_of(f"{update.cl_ord_id}", EARLY) is not None:
            self._take_back(update, Random(0))
            return
        lots = self._lots_of(f"{update.cl_ord_id}/{update.status}/{update.cum_qty}")
        if lots is None:
            return
        acts = (self._take_back, self._move, self._enlarge, self._shrink, self._leave)
        for act in lots.sample(acts, lots.randint(1, 2)):
            act(update, lots)

    def on_trade(self, trade: Trade) -> None:
        super().on_trade(trade)
        lots = self._lots_of(f"{trade.symbol}/{trade.ts}")
        if lots is not None and lots.random() < CHASES:
            self._chase(lots, trade)

    def _chase(self, lots: Random, trade: Trade) -> None:
        """Wish for a limit that reaches the market, with a stop on either side of that."""
        kind = lots.choice((SignalType.BUY, SignalType.SELL))
        price, sign = Decimal(repr(trade.price)), 1 if kind is SignalType.BUY else -1
        far = Decimal(lots.choice(("0.001", "-0.0005", "-0.004")))
        self.signal(
            kind,
            trade.symbol,
            quantity=Decimal(300) / price,
            order_type=OrderType.LIMIT,
            price=price * (1 + sign * Decimal("0.003")),
            stop_loss=price * (1 + sign * far),
        )

    def on_fill(self, fill: OrderFilled) -> None:
        lots = self._lots_of(f"{fill.cl_ord_id}/{fill.trade_id}")
        if lots is not None and lots.random() < 0.5:
            self.cancel(fill.cl_ord_id)
        elif lots is not None:
            self.signal(SignalType.CLOSE, fill.symbol)

    def _lots_of(self, what: str, share: float = SHARE) -> Random | None:
        drawn = crc32(f"{self._seed}/{what}".encode())
        return None if drawn > share * UINT32_MAX else Random(drawn)

    def _take_back(self, update: OrderUpdate, _lots: Random) -> None:
        self.cancel(update.cl_ord_id)

    def _move(self, update: OrderUpdate, lots: Random) -> None:
        """Move a limit away from the market; at times past its own stop."""
        far = update.side.sign * Decimal(lots.choice(("0.0004", "0.004", "0.02")))
        self.modify(update.cl_ord_id, price=(update.price or Decimal(1)) * (1 - far))

    def _enlarge(self, update: OrderUpdate, _lots: Random) -> None:
        self.modify(update.cl_ord_id, quantity=update.qty * 2)

    def _shrink(self, update: OrderUpdate, _lots: Random) -> None:
        if update.cum_qty > ZERO:
            self.modify(update.cl_ord_id, quantity=update.cum_qty)

    def _leave(self, update: OrderUpdate, _lots: Random) -> None:
        self.signal(SignalType.CLOSE, update.symbol)


class Restlessness(Adversary):
    """Has such a strategy beside the others."""

    name = "restless"
    share: ClassVar[float] = 0.06

    async def run(self) -> None:
        """Let orders be slow on their way, so that what follows them is there before."""
        rule = Rule(kind=Kind.DELAY, probability=0.25, on="POST */order", delay_ms=1_500)
        script = Script(faults=[rule], seed=self.lots.getrandbits(32))
        self.world.bourse.venue.faults.give(script, self.world.venue_now())

    def strategies(self) -> tuple[Strategy, ...]:
        self.strike("a life")
        return (Restless(f"{self.world.seed}/{self.lots.random()}"),)
