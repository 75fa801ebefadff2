"""A person at the exchange's own page, or another program, who touches what is ours.

They cancel and amend our orders, trade our symbols, guard and close our positions, move money and
change the leverage, all without a word to the session but what the exchange tells of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from ..exchange import OrderKey, VenueOrder
from ..model.ids import parse_cl_ord_id
from ..model.values import ZERO, ClOrdId, NewOrder, OrderRole, OrderType, Side, Symbol
from .operator import STRANGER

if TYPE_CHECKING:
    from .world import World

MEDDLED = 0.15
"""The share of seeds in which somebody meddles."""

PAUSE_S = (0.4, 5.0)
LEVERAGES = (5, 10, 20)


def has_meddler(seed: str) -> bool:
    """Tell whether a seed is one of these."""
    return Random(f"{seed}/meddler").random() < MEDDLED


class Meddler:
    """Does something now and then at the exchange itself. `amended` are symbols of our orders."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lots = Random(f"{world.seed}/meddling")
        self._numbers = 0
        self.amended: set[Symbol] = set()

    async def run(self) -> None:
        """Meddle until cancelled."""
        while True:
            await asyncio.sleep(round(self._lots.uniform(*PAUSE_S), 3))
            self.act()

    def act(self) -> None:
        """Do one thing, where it can be done."""
        act = self._lots.choice(_ACTS)
        symbol = self._lots.choice(self._world.market.symbols)
        if not self._world.bourse.is_down and act(self, symbol):
            self._world.log(f"somebody else: {act.__name__} {symbol}")
            self._world.fired["meddling"] += 1
            self._world.count(f"somebody else: {act.__name__}")

    def _ours(self, *roles: OrderRole) -> VenueOrder | None:
        """Choose one of our open orders; None where there is none of these roles."""
        found = [
            order
            for order in self._world.bourse.exchange.open_orders(self._world.accounts.victim)
            if (owner := parse_cl_ord_id(order.cl_ord_id)) is not None and owner.role in roles
        ]
        return self._lots.choice(found) if found else None

    def _cancel(self, order: VenueOrder | None) -> bool:
        if order is None:
            return False
        key = OrderKey(self._world.accounts.victim, order.symbol, order.cl_ord_id)
        self._world.bourse.venue.cancel(key, is_conditional=bool(order.algo_id))
        return True

    def cancel_entry(self, _: Symbol) -> bool:
        return self._cancel(self._ours(OrderRole.ENTRY))

    def cancel_exit(self, _: Symbol) -> bool:
        return self._cancel(self._ours(OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT, OrderRole.EXIT))

    def cancel_all(self, symbol: Symbol) -> bool:
        for is_conditional in (False, True):
            self._world.bourse.venue.cancel_all(
                self._world.accounts.victim, symbol, is_conditional=is_conditional
            )
        return True

    def amend(self, _: Symbol) -> bool:
        """Change size and price of one of our resting limit orders."""
        order = self._ours(OrderRole.ENTRY)
        if order is None or order.price is None or order.algo_id:
            return False
        instrument = self._world.instrument(order.symbol)
        qty = instrument.round_qty(order.qty * Decimal(self._lots.choice(("0.5", "1", "2"))))
        move = Decimal(self._lots.choice(("-0.002", "0", "0.001")))
        self.amended.add(order.symbol)
        price = instrument.round_price(order.price * (1 + move))
        self._world.bourse.venue.replace(order, qty, price)
        return True

    def trade(self, symbol: Symbol) -> bool:
        """Buy or sell at the market."""
        price = Decimal(repr(self._world.market.prices[symbol]))
        qty = Decimal(self._lots.choice((150, 600))) / price
        return self._submit(symbol, self._lots.choice((Side.BUY, Side.SELL)), qty)

    def close(self, symbol: Symbol) -> bool:
        """Close a position, or half of it."""
        held = self._world.accounts.qty(symbol)
        side = Side.SELL if held > ZERO else Side.BUY
        part = Decimal(self._lots.choice(("0.5", "1")))
        return bool(held) and self._submit(symbol, side, abs(held) * part, reduce_only=True)

    def guard(self, symbol: Symbol) -> bool:
        """Put a stop under a position."""
        held = self._world.accounts.qty(symbol)
        sign = 1 if held > ZERO else -1
        price = Decimal(repr(self._world.market.prices[symbol])) * (1 - sign * Decimal("0.004"))
        return bool(held) and self._submit(
            symbol,
            Side.SELL if held > ZERO else Side.BUY,
            abs(held),
            order_type=OrderType.STOP_MARKET,
            trigger_price=self._world.instrument(symbol).round_price(price),
            reduce_only=True,
        )

    def _submit(self, symbol: Symbol, side: Side, qty: Decimal, **fields: object) -> bool:
        self._numbers += 1
        order = NewOrder(
            cl_ord_id=ClOrdId(f"{STRANGER}m{self._numbers}"),
            account=self._world.accounts.victim,
            symbol=symbol,
            side=side,
            qty=self._world.instrument(symbol).round_qty(qty),
            **fields,  # type: ignore[arg-type]  # fields of the order
        )
        if order.qty <= ZERO:
            return False
        self._world.bourse.venue.submit(order)
        return True

    def transfer(self, _: Symbol) -> bool:
        """Move money in or out."""
        amount = Decimal(self._lots.choice((-40, -15, 25)))
        self._world.bourse.venue.deposit(self._world.accounts.victim, amount)
        self._world.withdrawals.take(-amount, self._world.venue_now())
        return True

    def leverage(self, symbol: Symbol) -> bool:
        """Change what a symbol's margin is reckoned with."""
        return not self._world.bourse.venue.set_leverage(
            self._world.accounts.victim, symbol, self._lots.choice(LEVERAGES)
        )


Act = Callable[[Meddler, Symbol], bool]
_ACTS: tuple[Act, ...] = (
    *(Meddler.cancel_entry, Meddler.cancel_exit, Meddler.cancel_exit, Meddler.cancel_all),
    *(Meddler.amend, Meddler.amend, Meddler.trade, Meddler.trade, Meddler.close, Meddler.close),
    *(Meddler.guard, Meddler.transfer, Meddler.leverage),
)
