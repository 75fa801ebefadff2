"""An account that was traded before we came, and a phone that goes on trading it beside us.

There are positions, also of the least size, stops and orders that reduce them, resting orders, and
money in other assets. Later orders come that may only reduce, at a limit, over the whole run.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from ..model.values import ZERO, ClOrdId, NewOrder, OrderType, Side, Symbol
from .adversaries import Adversary
from .operator import STRANGER

if TYPE_CHECKING:
    from .world import World

PAUSE_S = (1.0, 8.0)
HELD = (Decimal(0), Decimal(120), Decimal(450), Decimal(1200))
"""What a symbol's position is worth, about; the first stands for the least that there is."""

OTHER_ASSETS = (("BNB", Decimal("0.31")), ("USDC", Decimal(250)), ("BTC", Decimal("0.002")))


class Heritage(Adversary):
    """What is there at the first start, and the phone."""

    name = "heritage"
    share: ClassVar[float] = 0.03

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._numbers = 0

    def begin(self) -> None:
        for symbol in self.world.market.symbols:
            if self.lots.random() < 0.7:
                self._inherit(symbol)
        for asset, amount in OTHER_ASSETS:
            if self.lots.random() < 0.5:
                self.world.bourse.venue.deposit(self.world.accounts.victim, amount, asset)
                self.strike(f"{asset} are there")

    def _inherit(self, symbol: Symbol) -> None:
        side = self.lots.choice((Side.BUY, Side.SELL))
        worth = self.lots.choice(HELD)
        qty = self._qty(symbol, worth) if worth else self.world.instrument(symbol).min_qty
        self._submit(symbol, side, qty)
        held = abs(self.world.accounts.qty(symbol))
        if held and self.lots.random() < 0.6:
            price = self._price(symbol, -side.sign * Decimal("0.01"))
            stop = OrderType.STOP_MARKET
            self._submit(
                symbol, side.opposite, held, order_type=stop, trigger_price=price, reduce_only=True
            )
        if self.lots.random() < 0.5:
            self.reduce(symbol)
        if self.lots.random() < 0.5:
            price = self._price(symbol, -side.sign * Decimal("0.003"))
            self._submit(symbol, side, self._qty(symbol, Decimal(200)), price=price)

    def reduce(self, symbol: Symbol) -> None:
        """Ask for a part of a position, at a limit, to be closed."""
        held = self.world.accounts.qty(symbol)
        if not held:
            return
        far = Decimal(self.lots.choice(("0.0004", "0.002", "0.01")))
        sign = 1 if held > ZERO else -1
        qty = abs(held) * Decimal(self.lots.choice(("0.4", "1")))
        qty = max(self.world.instrument(symbol).round_qty(qty), self.world.instrument(symbol).lot)
        side = Side.SELL if held > ZERO else Side.BUY
        self._submit(symbol, side, qty, price=self._price(symbol, sign * far), reduce_only=True)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            if not self.world.bourse.is_down:
                self.reduce(self.lots.choice(self.world.market.symbols))

    def _price(self, symbol: Symbol, move: Decimal) -> Decimal:
        price = Decimal(repr(self.world.market.prices[symbol])) * (1 + move)
        return self.world.instrument(symbol).round_price(price)

    def _qty(self, symbol: Symbol, worth: Decimal) -> Decimal:
        price = Decimal(repr(self.world.market.prices[symbol]))
        return self.world.instrument(symbol).round_qty(worth / price)

    def _submit(
        self,
        symbol: Symbol,
        side: Side,
        qty: Decimal,
        price: Decimal | None = None,
        order_type: OrderType | None = None,
        **fields: object,
    ) -> None:
        self._numbers += 1
        kind = order_type or (OrderType.MARKET if price is None else OrderType.LIMIT)
        order = NewOrder(
            cl_ord_id=ClOrdId(f"{STRANGER}h{self._numbers}"),
            account=self.world.accounts.victim,
            symbol=symbol,
            side=side,
            qty=qty,
            order_type=kind,
            price=price,
            **fields,  # type: ignore[arg-type]  # fields of the order
        )
        if qty > ZERO:
            self.world.bourse.venue.submit(order)
            self.strike(f"{kind.value.lower()}{' to reduce' if order.reduce_only else ''}")
