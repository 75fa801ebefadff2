"""A person who uses every kind of order that there is, and lets none be.

Orders that wait for a trigger, that follow the price, that fill at once or not at all, that end at
a time; reduce-only ones that are amended; stops and targets of others that are taken back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar

import msgspec

from ..engine.order import Order
from ..model import messages as msg
from ..model.instrument import Instrument
from ..model.signal import SignalGenerated
from ..model.values import MAIN, NS_PER_S, ZERO, OrderType, Side, SignalType, TimeInForce
from .accounts import SECOND
from .adversaries import Adversary

PAUSE_S = (0.5, 4.0)
SIZES = (150, 400, 900)
"""Notional of an order, in USDT."""

FAR = ("-0.002", "0.0003", "0.001", "0.004")
"""How far prices lie from the market; below 0 on its other side."""

LASTS_S = 620
"""How long a GTD order stays: the venue takes none that ends within 600 s."""

KINDS = (
    OrderType.LIMIT,
    OrderType.LIMIT,
    OrderType.STOP_MARKET,
    OrderType.STOP,
    OrderType.TAKE_PROFIT_MARKET,
    OrderType.TAKE_PROFIT,
    OrderType.TRAILING_STOP_MARKET,
)
_UPWARDS = (OrderType.STOP_MARKET, OrderType.STOP)
"""What a buy of this kind waits for; a sell, and the other kinds, for the opposite."""

_TIMES = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTX, TimeInForce.GTD)


class OddOrders(Adversary):
    """Places, amends and cancels by hand what nobody else of a run does."""

    name = "odd_orders"
    share: ClassVar[float] = 0.03

    async def run(self) -> None:
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            acts = (*(self._place,) * 3, self._amend, self._cancel, self._close_part)
            self.lots.choice(acts)()

    def _place(self) -> None:
        world, lots = self.world, self.lots
        symbol = lots.choice(world.market.symbols)
        side, kind = lots.choice((Side.BUY, Side.SELL)), lots.choice(KINDS)
        instrument, price = world.instrument(symbol), Decimal(repr(world.market.prices[symbol]))
        request = msg.PlaceRequest(
            symbol=symbol,
            side=side,
            qty=instrument.round_qty(Decimal(lots.choice(SIZES)) / price),
            order_type=kind,
            reduce_only=lots.random() < 0.4,
            account=lots.choice((MAIN, SECOND)) if world.accounts.are_two else MAIN,
        )
        request = msgspec.structs.replace(request, **self._prices(kind, side, price, instrument))
        if not request.reduce_only and lots.random() < 0.5:
            request = _guarded(request, price, instrument)
        self._ask(request, kind.value)

    def _prices(
        self, kind: OrderType, side: Side, price: Decimal, instrument: Instrument
    ) -> dict[str, object]:
        """Draw what an order of a kind must name."""
        lots = self.lots
        if kind is OrderType.TRAILING_STOP_MARKET:
            return {"callback_rate": Decimal(lots.choice(("0.1", "0.3", "1")))}
        far = Decimal(lots.choice(FAR))
        if kind is OrderType.LIMIT:
            time_in_force = lots.choice(_TIMES)
            ends = self.world.venue_now() + LASTS_S * NS_PER_S
            is_gtd = time_in_force is TimeInForce.GTD
            return {
                "price": instrument.round_price(price * (1 - side.sign * far)),
                "time_in_force": time_in_force,
                "expire_ts": ends // NS_PER_S * NS_PER_S if is_gtd else None,
            }
        sign = side.sign if kind in _UPWARDS else -side.sign
        trigger = instrument.round_price(price * (1 + sign * far))
        return {"trigger_price": trigger, "price": trigger if kind.has_limit_price else None}

    def _amend(self) -> None:
        order = self._any(lambda each: each.price is not None)
        if order is None:
            return
        instrument = self.world.instrument(order.request.symbol)
        share = Decimal(self.lots.choice(("0.5", "1", "1.5")))
        move = Decimal(self.lots.choice(("-0.001", "0.0005", "0.001")))
        request = msg.ModifyRequest(
            cl_ord_id=order.cl_ord_id,
            qty=instrument.round_qty(order.qty * share),
            price=instrument.round_price((order.price or ZERO) * (1 + move)),
        )
        self._ask(request, "amend")

    def _cancel(self) -> None:
        order = self._any(lambda _: True)
        if order is not None:
            self._ask(msg.CancelRequest(cl_ord_id=order.cl_ord_id), f"cancel {order.role.name}")

    def _close_part(self) -> None:
        """Have a strategy close a part of what it holds."""
        live = self.world.live
        parents = [] if live is None else live.engine.state.parents.values()
        holders = [each for each in parents if each.open_qty]
        if not holders:
            return
        parent = self.lots.choice(holders)
        share = Decimal(self.lots.choice(("0.2", "0.5", "1.1")))
        wish = SignalGenerated(
            signal_type=SignalType.CLOSE,
            symbol=parent.start.symbol,
            strategy_id=parent.strategy_id,
            account=parent.start.account,
            quantity=parent.open_qty * share,
        )
        self._ask(wish, "close a part")

    def _any(self, is_meant: Callable[[Order], bool]) -> Order | None:
        live = self.world.live
        orders = [] if live is None else live.engine.state.all_open_orders()
        found = [each for each in orders if is_meant(each)]
        return self.lots.choice(found) if found else None

    def _ask(self, request: msg.Message, what: str) -> None:
        self.world.ask(request)
        self.strike(what)


def _guarded(request: msg.PlaceRequest, price: Decimal, instrument: Instrument) -> msg.PlaceRequest:
    """Give an order a stop and a target around the price that it waits for."""
    entry = request.price or request.trigger_price or price
    near = Decimal("0.006") * request.side.sign
    return msgspec.structs.replace(
        request,
        stop_loss=instrument.round_price(entry * (1 - near)),
        take_profit=instrument.round_price(entry * (1 + near)),
    )
