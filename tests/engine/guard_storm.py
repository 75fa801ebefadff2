"""What strategies, hands, strangers, the market and a machine do to stops, one after the other."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from holdfast.model import messages as msg
from holdfast.model.errors import InputError, SessionStateError, UnknownOrderError
from holdfast.model.order_wish import OrderWish
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    MAIN,
    ZERO,
    ClOrdId,
    NewOrder,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    SignalType,
    StrategyId,
)
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.guard_venue import TICK
from tests.engine.rig import BTC

KEY = (MAIN, BTC)
STRATEGIES = (StrategyId("a"), StrategyId("b"))
LOWEST = Decimal(60)
REFUSED = (InputError, SessionStateError, UnknownOrderError)
PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


class Storm:
    """One thing at a time, drawn from what these doers do."""

    def __init__(self, venue, doers):
        self.venue, self.lots = venue, venue.lots
        self.deeds = [deed for name in doers for deed in DOERS[name]]

    def act(self):
        if not self.venue.is_down:
            self.lots.choice(self.deeds)(self)

    def calm(self):
        """Lift what keeps the session, or the contract, from coming to rest."""
        venue, state = self.venue, self.venue.rig.state
        if state.status is Status.PAUSED:
            self.hear(msg.ResumeSession())
        if state.is_killed:
            self.hear(msg.ReleaseKillSwitch(operator="x"))
        if not venue.instrument.is_trading:
            self.relist(status="TRADING")

    def hear(self, message):
        try:
            self.venue.hear(self.venue.life, message)
        except REFUSED:
            self.venue.rig.asked = []

    def amount(self, most=20):
        lot = self.venue.instrument.lot
        return Decimal(self.lots.randint(1, most)) * TICK // lot * lot or lot

    def off(self, most=40):
        """Return how far a price is to be off the present one."""
        return self.venue.price * Decimal(self.lots.randint(3, most)) / 1000 // TICK * TICK

    def exits(self, side, entry):
        more = {}
        if self.lots.random() < 0.8:
            more["stop_loss"] = entry - side.sign * self.off()
        if self.lots.random() < 0.5:
            more["take_profit"] = entry + side.sign * self.off()
        return more

    # Strategies

    def signal(self):
        kind = self.lots.choice((SignalType.BUY, SignalType.SELL))
        side = Side.BUY if kind is SignalType.BUY else Side.SELL
        more = {"quantity": self.amount(), "strategy_id": self.lots.choice(STRATEGIES)}
        entry = self.venue.price
        if self.lots.random() < 0.3:
            entry -= side.sign * self.off(10)
            more |= {"price": entry, "order_type": OrderType.LIMIT}
        if self.lots.random() < 0.15:
            more["algo"] = f"iceberg:show={TICK}" if "price" in more else "twap:over=6s,slices=3"
        self._wish(kind, **more, **self.exits(side, entry))

    def close(self):
        qty = self.amount() if self.lots.random() < 0.4 else None
        self._wish(SignalType.CLOSE, quantity=qty, strategy_id=self.lots.choice(STRATEGIES))

    def _wish(self, kind, **fields):
        self.hear(SignalGenerated(symbol=BTC, signal_type=kind, **fields))

    def take_back(self):
        found = [o for o in self.venue.rig.state.all_open_orders() if o.role is OrderRole.ENTRY]
        if found:
            order = self.lots.choice(found)
            own = {"strategy_id": order.request.strategy_id, "cl_ord_id": order.cl_ord_id}
            self.hear(OrderWish(is_cancel=True, **own))

    def amend(self):
        """A strategy wishes a resting entry of its own to be another size, at another price."""
        found = self.venue.rig.state.all_open_orders()
        found = [o for o in found if o.role is OrderRole.ENTRY and o.price is not None]
        if found:
            order = self.lots.choice(found)
            own = {"strategy_id": order.request.strategy_id, "cl_ord_id": order.cl_ord_id}
            price = self.venue.price - order.side.sign * self.off(10)
            self.hear(OrderWish(qty=self.amount(), price=price, **own))

    def fail(self):
        self.hear(msg.StrategyFailed(strategy_id=STRATEGIES[1], reason="x"))

    # Hands

    def place(self):
        side = self.lots.choice(tuple(Side))
        entry, more = self.venue.price, {}
        if self.lots.random() < 0.3:
            entry += side.sign * self.off(10)
            more = {"order_type": OrderType.STOP_MARKET, "trigger_price": entry}
        more |= self.exits(side, entry)
        self.hear(msg.PlaceRequest(symbol=BTC, side=side, qty=self.amount(), **more))

    def place_exit(self):
        side = self.lots.choice(tuple(Side))
        ahead = self.venue.price + side.sign * self.off()
        more = self.lots.choice(
            (
                {},
                {"order_type": OrderType.LIMIT, "price": ahead},
                {"order_type": OrderType.STOP_MARKET, "trigger_price": ahead},
                {"order_type": OrderType.TRAILING_STOP_MARKET, "callback_rate": Decimal(1)},
            )
        )
        self.hear(
            msg.PlaceRequest(symbol=BTC, side=side, qty=self.amount(), reduce_only=True, **more)
        )

    def adjust(self):
        target = self.amount() * self.lots.choice((0, 1, -1))
        self.hear(msg.AdjustRequest(symbol=BTC, target_qty=target))

    def close_all(self):
        self.hear(msg.CloseRequest(symbol=BTC))

    def cancel(self):
        found = self.venue.rig.state.all_open_orders()
        if found:
            self.hear(msg.CancelRequest(cl_ord_id=self.lots.choice(found).cl_ord_id))

    def pause(self):
        self.hear(self.lots.choice((msg.PauseSession(reason="x"), msg.ResumeSession())))

    def kill(self):
        if self.venue.rig.state.is_killed:
            self.hear(msg.ReleaseKillSwitch(operator="x"))
        else:
            self.hear(msg.EngageKillSwitch(reason="x", flatten=self.lots.random() < 0.5))

    # The market, strangers and the venue

    def jump(self):
        step = self.lots.choice((-1, 1)) * self.off(30)
        self.venue.move(max(self.venue.price + step, LOWEST))

    def stranger_trades(self):
        self._trade(self.amount(10) * self.lots.choice((1, -1)))

    def stranger_closes(self):
        self._trade(-self.venue.qty)

    def _trade(self, signed, name="manual"):
        if signed:
            self.venue.strangers_trade(signed, f"{name}-{self.lots.randint(1, 10**9)}")

    def stranger_cancels(self):
        found = [o for o in self.venue.orders.values() if o.is_open and not o.is_triggering]
        if found:
            status = self.lots.choice((OrderStatus.CANCELED, OrderStatus.EXPIRED))
            self.venue.end(self.lots.choice(found), status, "by hand")

    def stranger_guards(self):
        """Somebody has the venue's own page close the position, or a part of it, at a price."""
        qty = self.venue.qty
        side = Side.SELL if qty > ZERO else Side.BUY
        asked = NewOrder(
            cl_ord_id=ClOrdId(f"web-{self.lots.randint(1, 10**9)}"),
            symbol=BTC,
            side=side,
            qty=abs(qty),
            order_type=OrderType.TAKE_PROFIT_MARKET,
            trigger_price=self.venue.price - side.sign * self.off(),
            reduce_only=True,
            close_position=self.lots.random() < 0.5,
        )
        if qty:
            self.venue.place(asked)

    def forget(self):
        """Lose an order of which nothing has filled, and all memory of it."""
        found = [o for o in self.venue.waiting() if o.asked.role in PROTECTIVE]
        if found:
            self.venue.forget(self.lots.choice(found))

    def liquidate(self):
        for order in list(self.venue.orders.values()):
            if order.is_open and not order.is_triggering and self.lots.random() < 0.8:
                self.venue.end(order, OrderStatus.EXPIRED, "the account was liquidated")
        self._trade(-self.venue.qty, "autoclose")

    def deleverage(self):
        lot = self.venue.instrument.lot
        part = self.venue.qty / 2 // lot * lot
        if part:
            self.venue.strangers_trade(-part, "adl_autoclose")

    def grow_lot(self):
        lot = self.lots.choice((TICK, TICK, 3 * TICK, Decimal(1)))
        self.relist(lot=lot, min_qty=lot)

    def halt(self):
        self.relist(status=self.lots.choice(("TRADING", "TRADING", "BREAK", "PRE_SETTLE")))

    def relist(self, **changes):
        self.venue.instrument = replace(self.venue.instrument, **changes)
        self.hear(msg.InstrumentListed(instrument=self.venue.instrument, leverage=10))

    # The machine

    def crash(self):
        down_s = self.lots.choice((0.01, 1, 8, 20))
        if self.lots.random() < 0.3:
            self.venue.die(down_s)
        else:
            self.venue.die_in_the_act(down_s, self.lots.random())


DOERS = {
    "strategies": (Storm.signal,) * 5 + (Storm.close, Storm.take_back, Storm.amend),
    "market": (Storm.jump,) * 5,
    "crashes": (Storm.crash,),
    "failures": (Storm.fail,),
    "guards": (Storm.stranger_guards,),
    "halts": (Storm.halt,),
    "hands": (
        Storm.place,
        Storm.place,
        Storm.place_exit,
        Storm.adjust,
        Storm.close_all,
        Storm.cancel,
    ),
    "kills": (Storm.kill,),
    "lots": (Storm.grow_lot,),
    "oblivion": (Storm.forget,),
    "pauses": (Storm.pause,),
    "strangers": (Storm.stranger_trades, Storm.stranger_closes, Storm.stranger_cancels),
    "venue": (Storm.liquidate, Storm.deleverage),
}
