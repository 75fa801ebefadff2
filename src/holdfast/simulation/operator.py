"""A hostile operator: orders by hand at random moments, through what a person would use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from ..engine.order import Order
from ..model import messages as msg
from ..model.errors import TradingError
from ..model.values import MAIN, ClOrdId, NewOrder, OrderRole, OrderType, Side, Symbol

if TYPE_CHECKING:
    from .world import World

STRANGER = "manual-"
"""How the names of orders begin that somebody else places."""

PAUSE_S = (1.0, 12.0)
HURRY_S = (0.05, 0.8)


class Operator:
    """Does something now and then. What is refused is refused."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lots = Random(f"{world.seed}/operator")
        self._numbers = 0
        self._account = MAIN  # of the request at hand
        self.hurries_until = 0.0

    async def run(self) -> None:
        while True:
            is_hurried = self._world.loop.time() < self.hurries_until
            pause = HURRY_S if is_hurried else PAUSE_S
            await asyncio.sleep(round(self._lots.uniform(*pause), 3))
            self._act(self._lots.choice(_RUSH if is_hurried else _ACTS))

    def _act(self, act: Act) -> None:
        world = self._world
        process, live = world.process, world.live
        if process is None or process.is_dead or process.is_frozen or live is None:
            return
        symbol, account = self._lots.choice(world.market.symbols), world.accounts.choose()

        async def attempt() -> None:
            self._account = account
            try:
                await act(self, symbol)
            except TradingError as error:
                world.count(f"refused: {type(error).__name__}")

        world.loop.create_task(attempt(), context=process.context)

    async def place(self, symbol: Symbol) -> None:
        lots, live = self._lots, self._world.live
        assert live is not None
        instrument = self._world.instrument(symbol)
        price = Decimal(repr(self._world.market.prices[symbol]))
        side = lots.choice((Side.BUY, Side.SELL))
        kind = lots.choice((OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET))
        far = Decimal(lots.choice(("0.0003", "0.001", "0.01")))
        near = instrument.round_price(price * (1 - side.sign * far))
        reduces = lots.random() < 0.2
        stop = near * (1 - side.sign * Decimal("0.008")) if lots.random() < 0.4 else None
        self._world.live.shell.ask(  # type: ignore[union-attr]
            msg.PlaceRequest(
                symbol=symbol,
                side=side,
                qty=instrument.round_qty(Decimal(lots.choice((150, 800))) / price),
                order_type=kind,
                price=near if kind is OrderType.LIMIT else None,
                reduce_only=reduces,
                stop_loss=None if reduces or stop is None else instrument.round_price(stop),
                account=self._account,
            )
        )
        self._world.count("by hand: place")

    def _entry(self) -> Order | None:
        live = self._world.live
        assert live is not None
        orders = [o for o in live.engine.state.all_open_orders() if o.role is OrderRole.ENTRY]
        return self._lots.choice(orders) if orders else None

    async def cancel(self, symbol: Symbol) -> None:
        order = self._entry()
        if order is not None:
            self._ask(msg.CancelRequest(cl_ord_id=order.cl_ord_id), "cancel")

    async def modify(self, symbol: Symbol) -> None:
        order = self._entry()
        if order is None or order.price is None:
            return
        instrument = self._world.instrument(order.request.symbol)
        move = Decimal(self._lots.choice(("-0.002", "0", "0.002")))
        qty = instrument.round_qty(order.qty * Decimal(self._lots.choice(("0.5", "1", "2"))))
        price = instrument.round_price(order.price * (1 + move))
        request = msg.ModifyRequest(cl_ord_id=order.cl_ord_id, qty=qty, price=price)
        self._ask(request, "modify")

    async def crowd(self, symbol: Symbol) -> None:
        """Ask for as much as the limit lets through, and once more."""
        world, live = self._world, self._world.live
        assert live is not None
        instrument = self._world.instrument(symbol)
        price = Decimal(repr(world.market.prices[symbol]))
        account = world.accounts.venue_names[self._account]
        own = world.bourse.exchange.margin(account, instrument.margin_asset)
        limit = world.setup.config.position_size_pct * own.balance
        qty = instrument.round_qty(limit * Decimal(self._lots.choice(("0.45", "0.9"))) / price)
        side = self._lots.choice((Side.BUY, Side.SELL))
        is_limit = self._lots.random() < 0.5
        far = Decimal(self._lots.choice(("0.0004", "0.004")))
        near = instrument.round_price(price * (1 - side.sign * far))
        request = msg.PlaceRequest(
            symbol=symbol,
            side=side,
            qty=qty,
            order_type=OrderType.LIMIT if is_limit else OrderType.MARKET,
            price=near if is_limit else None,
            account=self._account,
        )
        self._ask(request, "crowd")

    async def enlarge(self, symbol: Symbol) -> None:
        """Amend an entry to twice its size."""
        order = self._entry()
        if order is None or order.price is None:
            return
        request = msg.ModifyRequest(cl_ord_id=order.cl_ord_id, qty=order.qty * 2, price=order.price)
        self._ask(request, "enlarge")

    async def close(self, symbol: Symbol) -> None:
        self._ask(msg.CloseRequest(symbol=symbol, account=self._account), "close")

    async def adjust(self, symbol: Symbol) -> None:
        price = Decimal(repr(self._world.market.prices[symbol]))
        target = self._world.instrument(symbol).round_qty(Decimal(500) / price)
        sign = self._lots.choice((-1, 0, 1))
        qty = target * sign
        request = msg.AdjustRequest(symbol=symbol, target_qty=qty, account=self._account)
        self._ask(request, "adjust")

    async def resume(self, symbol: Symbol) -> None:
        self._ask(msg.ResumeSession(reason="operator"), "resume")

    async def stranger(self, symbol: Symbol) -> None:
        """Another program trades on the same account."""
        if not self._world.has_strangers:
            return
        self._numbers += 1
        price = Decimal(repr(self._world.market.prices[symbol]))
        instrument = self._world.instrument(symbol)
        side = self._lots.choice((Side.BUY, Side.SELL))
        order = NewOrder(
            cl_ord_id=ClOrdId(f"{STRANGER}{self._numbers}"),
            account=self._world.accounts.victim,
            symbol=symbol,
            side=side,
            qty=instrument.round_qty(Decimal(150) / price),
            order_type=OrderType.LIMIT,
            price=instrument.round_price(price * (1 - side.sign * Decimal("0.001"))),
        )
        if self._world.bourse.is_down:
            return
        self._world.bourse.venue.submit(order)
        self._world.fired["stranger"] += 1

    def _ask(self, message: msg.Message, name: str) -> None:
        live = self._world.live
        assert live is not None
        live.shell.ask(message)
        self._world.count(f"by hand: {name}")


Act = Callable[[Operator, Symbol], Awaitable[None]]
_ACTS: tuple[Act, ...] = (
    *(Operator.place,) * 4,
    *(Operator.cancel, Operator.modify, Operator.modify),
    *(Operator.close, Operator.adjust, Operator.resume, Operator.stranger, Operator.crowd),
)
_RUSH: tuple[Act, ...] = (
    *(Operator.crowd,) * 4,
    *(Operator.enlarge,) * 3,
    *(Operator.cancel, Operator.modify),
)
