"""An engine on the bench: a running session whose venue is played by the test, word by word."""

from __future__ import annotations

import itertools
from decimal import Decimal

import msgspec
import pytest

from holdfast.engine.engine import Engine, Outcome
from holdfast.engine.state import State
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.instrument import Bracket, Instrument
from holdfast.model.market import Trade
from holdfast.model.messages import ExecType
from holdfast.model.settings import EngineSettings, RiskLimits
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    ZERO,
    ClOrdId,
    NewOrder,
    OrderRole,
    OrderStatus,
    OrderType,
    SessionId,
    Side,
    SignalType,
    StrategyId,
    Symbol,
    TradeId,
)

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
KEY = (MAIN, BTC)
START = 1_700_000_040 * NS_PER_S
S = StrategyId("s")
LIMIT = OrderType.LIMIT

BRACKETS = (
    Bracket(
        notional_floor=ZERO,
        notional_cap=Decimal(10**9),
        max_leverage=100,
        maint_margin_ratio=Decimal("0.01"),
    ),
)


def contract(symbol=BTC, **changes):
    plain = {
        "symbol": symbol,
        "base_asset": symbol.removesuffix("USDT"),
        "tick": Decimal("0.1"),
        "lot": Decimal("0.001"),
        "min_qty": Decimal("0.001"),
        "brackets": BRACKETS,
    }
    return Instrument(**(plain | changes))


def encoded(state: State) -> bytes:
    return msgspec.msgpack.encode(state)


class Rig:
    """One account with 10,000 USDT and contracts that trade at 100.

    `facts` and `commands` are all that ever came out; `news` and `asked` what the last message
    led to.
    """

    def __init__(self, *, start=True, limits=None, facts=(), symbols=(BTC, ETH), **settings):
        limits = {"disabled": ("correlation",), **(limits or {})}  # it wants a history
        self.settings = EngineSettings(limits=RiskLimits(**limits), **settings)
        self.symbols = symbols
        self.now = START
        self.facts: list[ev.Event] = list(facts)
        self.commands: list[cmd.Command] = []
        self.news: list[ev.Event] = []
        self.asked: list[cmd.Command] = []
        self.epoch = 0
        self._trade_ids = itertools.count(1)
        self.engine = Engine(self.settings, self.facts)
        if start:
            self.start()

    @property
    def state(self):
        return self.engine.state

    def hear(self, message: msg.Message) -> Outcome:
        outcome = self.engine.handle(message, self.now)
        self.news, self.asked = outcome.facts, outcome.commands
        self.facts += outcome.facts
        self.commands += outcome.commands
        return outcome

    def restart(self, *, is_resumed=True):
        """A new process: the journal's fold, a new epoch, the venue's books still to come."""
        self.refold()
        self.begin(is_resumed=is_resumed)

    def refold(self):
        """Forget all but the journal."""
        folded = msgspec.json.decode(msgspec.json.encode(self.facts), type=list[ev.Event])
        self.engine = Engine(self.settings, folded)

    def begin(self, *, is_resumed=False):
        self.epoch += 1
        self.hear(
            msg.StartSession(
                session_id=SessionId("x"),
                portfolio_id="p",
                epoch=self.epoch,
                symbols=self.symbols,
                is_resumed=is_resumed,
            )
        )

    def start(self):
        self.begin()
        for symbol in self.symbols:
            self.hear(msg.InstrumentListed(instrument=contract(symbol), leverage=10))
            self.price(100.0, symbol)
        self.snapshot(balance="10000")

    # The market and time

    def price(self, price, symbol=BTC):
        self.hear(Trade(symbol=symbol, ts=self.now, price=float(price), qty=1.0))

    def wait(self, seconds, *, ticks=True, step=1.0):
        """Let time pass; prices stay fresh. Every tick is heard."""
        left = seconds
        while left > 0:
            self.now += int(min(step, left) * NS_PER_S)
            left -= step
            for symbol in self.symbols:
                last = self.engine.core.market.of(symbol).last
                self.price(last or 100.0, symbol)
            if ticks:
                self.hear(msg.Tick())

    def tick(self):
        return self.hear(msg.Tick())

    # Wishes

    def signal(self, kind=SignalType.BUY, **fields):
        fields = {"symbol": BTC, "strategy_id": S, **fields}
        return self.hear(SignalGenerated(signal_type=kind, **fields))

    def place(self, side=Side.BUY, qty="1", **fields):
        """Ask for an order by hand and return the id it went out under; None where it did not."""
        for name in ("price", "trigger_price", "stop_loss", "take_profit", "callback_rate"):
            if isinstance(fields.get(name), str):
                fields[name] = Decimal(fields[name])
        fields = {"symbol": BTC, **fields}
        self.hear(msg.PlaceRequest(side=side, qty=Decimal(qty), **fields))
        sent = self.submitted()
        return sent[0].cl_ord_id if sent else None

    # What the venue says

    def report(self, cl_ord_id, kind, status, **fields):
        order = self.state.orders.get(cl_ord_id)
        if order is not None:
            request = order.request
            fields = {
                "side": request.side,
                "order_type": request.order_type,
                "qty": order.qty,
                "price": order.price,
                "trigger_price": request.trigger_price,
                "reduce_only": request.reduce_only,
                "cum_qty": order.cum_qty,
                **fields,
            }
        fields = {"symbol": BTC, "side": Side.BUY, "venue_ts": self.now, **fields}
        return self.hear(
            msg.ExecutionReport(
                cl_ord_id=ClOrdId(cl_ord_id), exec_type=kind, status=status, **fields
            )
        )

    def accept(self, *cl_ord_ids):
        for cl_ord_id in cl_ord_ids:
            self.report(cl_ord_id, ExecType.NEW, OrderStatus.NEW)

    def trade(self, cl_ord_id, qty, price="100", **fields):
        """A fill; `cum_qty` and status as the venue would have them.

        `of` is the order's size, `at` its own price.
        """
        order, qty = self.state.orders.get(cl_ord_id), Decimal(qty)
        done = (order.cum_qty if order else ZERO) + qty
        is_all = order is not None and done >= order.qty
        fields = {
            "cum_qty": done,
            "last_qty": qty,
            "last_px": Decimal(price),
            "trade_id": TradeId(str(next(self._trade_ids))),
            "fee": Decimal("0.01"),
            **fields,
        }
        if "of" in fields:
            fields["qty"] = Decimal(fields.pop("of"))
        if "at" in fields:
            fields["price"] = Decimal(fields.pop("at"))
        status = OrderStatus.FILLED if is_all else OrderStatus.PARTIALLY_FILLED
        return self.report(cl_ord_id, ExecType.TRADE, fields.pop("status", status), **fields)

    def cancel(self, cl_ord_id, **fields):
        return self.report(cl_ord_id, ExecType.CANCELED, OrderStatus.CANCELED, **fields)

    def expire(self, cl_ord_id, **fields):
        return self.report(cl_ord_id, ExecType.EXPIRED, OrderStatus.EXPIRED, **fields)

    def reject(self, cl_ord_id, code=-1, reason="no"):
        return self.report(
            cl_ord_id, ExecType.REJECTED, OrderStatus.REJECTED, code=code, reason=reason
        )

    def trigger(self, cl_ord_id):
        return self.report(cl_ord_id, ExecType.TRIGGERED, OrderStatus.TRIGGERED)

    def status(self, cl_ord_id, status=OrderStatus.NEW, *, asked_ts=None, **fields):
        """The answer to a query, asked now unless it says otherwise."""
        asked = self.now if asked_ts is None else asked_ts
        return self.report(cl_ord_id, ExecType.STATUS, status, asked_ts=asked, **fields)

    def not_found(self, cl_ord_id, asked_ts=None):
        asked = self.now if asked_ts is None else asked_ts
        return self.hear(msg.OrderNotFound(symbol=BTC, cl_ord_id=cl_ord_id, asked_ts=asked))

    def refuse(self, cl_ord_id, request):
        return self.hear(
            msg.RequestRefused(
                symbol=BTC, cl_ord_id=cl_ord_id, request=request, code=-2011, reason="unknown"
            )
        )

    def unknown(self, cl_ord_id, request=msg.Request.SUBMIT):
        return self.hear(
            msg.OutcomeUnknown(symbol=BTC, cl_ord_id=cl_ord_id, request=request, reason="time-out")
        )

    def snapshot(self, *, balance=None, positions=None, orders=None, asked_ts=None, **fields):
        """The venue's books; what is not said is as ours."""
        asked = self.now if asked_ts is None else asked_ts
        if balance is None:
            balance = self.state.account(MAIN).wallet("USDT")
        if positions is None:
            positions = {k[1]: p.qty for k, p in self.state.positions.items()}
        if orders is None:
            orders = [self.row(o.cl_ord_id) for o in self.state.all_open_orders()]
        return self.hear(
            msg.VenueSnapshot(
                asked_ts=asked,
                taken_ts=fields.pop("taken_ts", asked),
                orders=tuple(orders),
                positions=tuple(
                    msg.VenuePosition(symbol=Symbol(s), qty=Decimal(q), entry_price=Decimal(100))
                    for s, q in positions.items()
                ),
                balances={"USDT": Decimal(balance)},
                **fields,
            )
        )

    def row(self, cl_ord_id, status=OrderStatus.NEW, **fields):
        """An open order as a snapshot lists it."""
        order = self.state.orders.get(cl_ord_id)
        known = {}
        if order is not None:
            known = {"side": order.side, "qty": order.qty, "price": order.price}
            known["order_type"] = order.request.order_type
            known["cum_qty"] = order.cum_qty
        fields = {"symbol": BTC, "side": Side.BUY, "venue_ts": self.now, **known, **fields}
        return msg.ExecutionReport(
            cl_ord_id=ClOrdId(cl_ord_id), exec_type=ExecType.STATUS, status=status, **fields
        )

    # Looking

    def submitted(self, commands=None) -> list[NewOrder]:
        """The orders that the last message sent out."""
        commands = self.asked if commands is None else commands
        return [c.order for c in commands if isinstance(c, cmd.SubmitOrder)]

    def canceled(self) -> list[str]:
        return [c.cl_ord_id for c in self.asked if isinstance(c, cmd.CancelOrder)]

    def queried(self) -> list[str]:
        return [c.cl_ord_id for c in self.asked if isinstance(c, cmd.QueryOrder)]

    def resyncs(self) -> int:
        return sum(isinstance(c, cmd.Resync) for c in self.asked)

    def told(self, kind: type) -> list:
        """The facts of a kind among the last message's."""
        return [fact for fact in self.news if isinstance(fact, kind)]

    def ever(self, kind: type) -> list:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def alarms(self) -> list[str]:
        return [fact.code for fact in self.ever(ev.AlarmRaised)]

    def session(self):
        """Where the session stands; asked anew each time."""
        return self.state.status

    def order(self, cl_ord_id):
        return self.state.orders[cl_ord_id]

    def qty(self, symbol=BTC):
        return self.state.position((MAIN, symbol)).qty

    def working(self, role: OrderRole):
        return [o for o in self.state.all_open_orders() if o.role is role]

    def hold(self, qty="1", side=Side.BUY, **fields):
        """Open a position by hand and let its protective orders rest; return its parent."""
        entry = self.place(side, qty, **fields)
        self.accept(entry)
        self.trade(entry, qty)
        for order in self.submitted():
            self.accept(order.cl_ord_id)
        self.now += 2 * NS_PER_S
        for symbol in self.symbols:
            self.price(self.engine.core.market.of(symbol).last, symbol)
        return self.state.parents[self.order(entry).request.parent_id]


def refused(rig, message, error, text):
    """A request that can't be carried out says why and changes nothing."""
    before = encoded(rig.state)

    with pytest.raises(error) as caught:
        rig.hear(message)

    assert text in str(caught.value)
    assert encoded(rig.state) == before


def limit(rig, side=Side.BUY, qty="2", price="99", **fields):
    cl_ord_id = rig.place(side, qty, order_type=LIMIT, price=price, **fields)
    rig.accept(cl_ord_id)
    rig.wait(2)
    return cl_ord_id
