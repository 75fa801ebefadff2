"""A venue with conditional orders, as a service of their own, for an engine on the bench.

A conditional order waits, is triggering for a moment, and is then an ordinary order under another
number. Requests are carried out when they arrive, if they do; what is told of that comes in any
order, twice, or not at all, and is read when the books are.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from holdfast.engine.engine import Engine
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.margin import book_fill
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    MAIN,
    NS_PER_MS,
    NS_PER_S,
    ZERO,
    ClOrdId,
    NewOrder,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    TradeId,
)
from tests.engine.rig import BTC, START, Rig, contract

READ_LAG_NS = 2 * NS_PER_S
FIRST = Decimal(10_000)
TICK = Decimal("0.1")
S = OrderStatus
TAKE_PROFITS = (OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT)
TRAILING = OrderType.TRAILING_STOP_MARKET
REQUESTS: dict[type, msg.Request] = {
    cmd.SubmitOrder: msg.Request.SUBMIT,
    cmd.CancelOrder: msg.Request.CANCEL,
    cmd.ReplaceOrder: msg.Request.REPLACE,
}
ENDS = {S.CANCELED: ExecType.CANCELED, S.EXPIRED: ExecType.EXPIRED, S.REJECTED: ExecType.REJECTED}


@dataclass(slots=True, eq=False)
class VenueOrder:
    """An order as the venue has it; `rows` is how it was listed, and since when."""

    asked: NewOrder
    number: str
    qty: Decimal
    status: OrderStatus = S.NEW
    cum_qty: Decimal = ZERO
    is_waiting: bool = False
    is_triggering: bool = False
    best: Decimal | None = None  # of a trailing stop, since it was placed
    rows: list[tuple[int, msg.ExecutionReport]] = field(default_factory=list)

    @property
    def is_open(self):
        return self.status.is_open

    @property
    def leaves_qty(self):
        return self.qty - self.cum_qty if self.is_open else ZERO

    def is_hit(self, price):
        """Tell whether a price triggers it, and let a trailing stop follow."""
        falls = (self.asked.side is Side.SELL) != (self.asked.order_type in TAKE_PROFITS)
        level = self.asked.trigger_price
        if self.asked.order_type is TRAILING:
            best = price if self.best is None else self.best
            self.best = max(best, price) if falls else min(best, price)
            off = (self.asked.callback_rate or ZERO) / 100 * self.asked.side.opposite.sign
            level = self.best * (1 - off) if self.best is not None else None
        return price <= level if falls else price >= level

    def listed(self, until):
        """Return how it was listed at a time; None before it was."""
        return next((row for ts, row in reversed(self.rows) if ts <= until), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What goes wrong: shares of the requests, of what happens, and how far answers trail."""

    faults: float = 0.0  # of requests that are refused, lost or not answered
    dropped: float = 0.0  # of what happens that the stream does not tell
    repeated: float = 0.0
    unnamed: float = 0.0  # of what a conditional order's child fills: under a name of its own
    lag_s: float = 0.0  # the most that an answer trails
    slow_s: float = 0.0  # the most that a request, or what is told, takes


CALM = Weather()


class GuardVenue:
    """One account, one symbol, and the session that trades there.

    Args:
        lots: draws all that is left to chance.
        weather: until it is calm.
    """

    def __init__(self, lots, weather):
        self.lots, self.weather = lots, weather
        limits = {
            "disabled": ("correlation", "volatility", "daily_loss", "duplicate", "margin"),
            "position_size_pct": Decimal(5),
            "max_executions": 1_000,
            "max_messages": 5_000,
        }
        self.rig = Rig(
            start=False,
            limits=limits,
            symbols=(BTC,),
            stop_loss_pct=ZERO,
            take_profit_pct=ZERO,
            use_market_orders=lots.random() < 0.7,
        )
        self.instrument = contract(BTC, lot=TICK, min_qty=TICK)
        self.now, self.price = START, Decimal(100)
        self.qty, self.entry_price, self.wallet = ZERO, ZERO, FIRST
        self.books = [(START, ZERO, ZERO, FIRST)]
        self.orders: dict[ClOrdId, VenueOrder] = {}
        self.taken: set[ClOrdId] = set()  # every order that was ever there
        self.trades: list[tuple[int, msg.ExecutionReport]] = []
        self.on_sent = lambda _: None
        self.is_shared = False  # somebody else has traded here
        self.has_forgotten = False  # an order that was here is unknown by now
        self.life, self.is_down, self.kept = 0, False, None
        self._names = itertools.count(1)
        self._due, self._seq = [], itertools.count()
        self._wanted, self._is_reading = None, False
        self._begin()

    # Time

    def after(self, seconds, deed, *arguments):
        due = self.now + round(seconds * 1000) * NS_PER_MS
        heapq.heappush(self._due, (due, next(self._seq), deed, arguments))

    def run_until(self, end):
        while self._due and self._due[0][0] <= end:
            due, _, deed, arguments = heapq.heappop(self._due)
            self.now = max(self.now, due)
            deed(*arguments)
        self.now = max(self.now, end)

    def soon(self):
        """Return how long something takes on its way."""
        slow = self.lots.random() * self.weather.slow_s
        return self.lots.choice((0.005, 0.02, 0.1, slow))

    # Lives of the session

    def _begin(self):
        self.life, self.is_down = self.life + 1, False
        self._wanted, self._is_reading = None, False
        rig = self.rig
        rig.now = self.now
        facts = msgspec.json.decode(msgspec.json.encode(rig.facts), type=list[ev.Event])
        rig.engine = Engine(rig.settings, facts, read_lag_ns=READ_LAG_NS)
        rig.begin(is_resumed=self.life > 1)
        self.carry_out()
        rig.price(self.price)
        self.hear(self.life, msg.InstrumentListed(instrument=self.instrument, leverage=10))
        self.after(1, self._tick, self.life)
        self.after(self.lots.uniform(3, 10), self._audit, self.life)

    def die(self, down_s):
        """Kill the session, and start it again."""
        if not self.is_down:
            self.is_down, self.kept = True, None
            self.after(down_s, self._begin)

    def die_in_the_act(self, down_s, kept):
        """Kill it at its next decision: a share of those facts is kept, and nothing is sent."""
        self.kept = (down_s, kept)

    def _tick(self, life):
        if life == self.life and not self.is_down:
            self.rig.now = self.now
            self.rig.price(self.price)
            self.hear(life, msg.Tick())
            self.after(1, self._tick, life)

    def _audit(self, life):
        if life == self.life and not self.is_down:
            self.hear(life, msg.AuditDue(account=MAIN, reason="audit"))
            self.after(10, self._audit, life)

    def hear(self, life, message):
        if life != self.life or self.is_down:
            return
        self.rig.now = self.now
        self.rig.hear(message)
        if self.kept is not None and self.rig.news:
            down_s, kept = self.kept
            lost = len(self.rig.news) - round(kept * len(self.rig.news))
            del self.rig.facts[len(self.rig.facts) - lost :]
            self.rig.asked = []
            self.die(down_s)
        else:
            self.carry_out()

    # What the session asks for

    def carry_out(self):
        commands, self.rig.asked = self.rig.asked, []
        for command in commands:
            self.on_sent(command)
            match command:
                case cmd.SubmitOrder():
                    self._leave(command, self._arrive_submit)
                case cmd.CancelOrder():
                    self._leave(command, self._arrive_cancel)
                case cmd.ReplaceOrder():
                    self._leave(command, self._arrive_replace)
                case cmd.QueryOrder():
                    if self.lots.random() >= self.weather.faults:
                        self.after(self.soon(), self._answer_query, self.life, command, self.now)
                case cmd.Resync():
                    self._want(command.trades_since)
                case cmd.SetTimer():
                    wait_s = max(command.due_ts - self.now, 0) / NS_PER_S
                    fired = msg.TimerFired(parent_id=command.parent_id)
                    self.after(wait_s, self.hear, self.life, fired)
                case cmd.Notify():
                    pass

    def _leave(self, command, arrive):
        """Let a request go its way: there, lost, there and not answered, or refused on the way."""
        fate = "done"
        if self.lots.random() < self.weather.faults:
            fate = self.lots.choice(("lost", "deaf", "deaf", "refused", "unsent", "odd"))
        if fate in {"lost", "deaf"}:
            wait_s = self.lots.choice((0.1, 1, 3, None))
            if wait_s is not None:  # else nobody ever says a word
                self.after(wait_s, self.hear, self.life, _unknown(command))
        if fate in {"done", "deaf"}:
            self.after(self.soon(), arrive, self.life, command, fate == "done")
        elif fate == "odd":
            code = -4999 if isinstance(command, cmd.SubmitOrder) else None
            self.after(self.soon(), self.hear, self.life, _unknown(command, code))
        elif fate != "lost":
            code = self.lots.choice((-4045, -2010, -2015)) if fate == "refused" else None
            self.after(self.soon(), self.hear, self.life, self._refusal(command, code))

    def _arrive_submit(self, life, command, is_heard):
        asked = command.order
        order = VenueOrder(asked, f"n{next(self._names)}", asked.qty)
        order.is_waiting = asked.order_type.is_conditional
        code = self._fault(command, order)
        if code is not None:
            if is_heard:
                self.after(self.soon(), self.hear, life, self._refusal(command, code))
            return
        report = self._take(order)
        if is_heard:
            self.after(self.soon(), self.hear, life, report)
        if not order.is_waiting:
            self._execute(order)

    def place(self, asked):
        """Take a conditional order of somebody else's."""
        self.is_shared = True
        order = VenueOrder(asked, f"n{next(self._names)}", asked.qty, is_waiting=True)
        if not order.is_hit(self.price):
            self._take(order)

    def _take(self, order):
        self.orders[order.asked.cl_ord_id] = order
        self.taken.add(order.asked.cl_ord_id)
        return self.say(order, ExecType.NEW)

    def _fault(self, command, order):
        """Say by its code why an order is not taken; None where it is."""
        asked = command.order
        if self.now > command.ts + command.recv_window_ns:
            return -1021
        if not self.instrument.can_be_closed:
            return -4140
        if not (asked.reduce_only or self.instrument.is_trading):
            return -4140
        if not asked.close_position and not self.instrument.takes(asked.qty):
            return -1111
        if order.is_waiting:
            if asked.order_type is not TRAILING and order.is_hit(self.price):
                return -2021
            twins = (o for o in self.orders.values() if o.is_waiting and o.asked.close_position)
            kinds = {(o.asked.side, o.asked.order_type) for o in twins}
            is_second = asked.close_position and (asked.side, asked.order_type) in kinds
            return -4130 if is_second else None
        return -2022 if asked.reduce_only and not self.room(order) else None

    def room(self, order):
        """Return how much of an order can execute: a reduce-only one ends with the position."""
        if order.asked.reduce_only or order.asked.close_position:
            return min(order.leaves_qty, max(-self.qty * order.asked.side.sign, ZERO))
        return order.leaves_qty

    def _open(self, command):
        """Return the open order that a request in time is about; None where there is none."""
        order = self.orders.get(command.cl_ord_id)
        is_late = self.now > command.ts + command.recv_window_ns
        return None if order is None or not order.is_open or is_late else order

    def _arrive_cancel(self, life, command, is_heard):
        order = self._open(command)
        is_other = order is None or order.is_waiting != command.is_conditional
        if order is None or is_other or order.is_triggering:
            if is_heard:
                self.after(self.soon(), self.hear, life, self._refusal(command, -2011))
            return
        self.end(order, S.CANCELED)
        if is_heard:
            self.after(self.soon(), self.hear, life, order.rows[-1][1])

    def _arrive_replace(self, life, command, is_heard):
        order = self._open(command)
        if order is None or command.qty <= order.cum_qty:
            if is_heard:
                self.after(self.soon(), self.hear, life, self._refusal(command, -2013))
            return
        self.now += NS_PER_MS
        order.asked = msgspec.structs.replace(order.asked, price=command.price)
        order.qty = command.qty
        report = self.say(order, ExecType.REPLACED)
        if is_heard:
            self.after(self.soon(), self.hear, life, report)
        self._execute(order)

    def _answer_query(self, life, command, asked_ts):
        order, until = self.orders.get(command.cl_ord_id), self._then()
        row = None if order is None else order.listed(until)
        if order is None or row is None:
            absent = msg.OrderNotFound(symbol=BTC, cl_ord_id=command.cl_ord_id, asked_ts=asked_ts)
            self.after(self.soon(), self.hear, life, absent)
            return
        is_child = order.asked.order_type.is_conditional and not row.order_type.is_conditional
        status = S.TRIGGERED if is_child and row.status is S.NEW else row.status
        found = {"exec_type": ExecType.STATUS, "status": status, "asked_ts": asked_ts}
        self.after(self.soon(), self.hear, life, msgspec.structs.replace(row, **found))

    def _refusal(self, command, code):
        if not isinstance(command, cmd.SubmitOrder):
            return msg.RequestRefused(
                symbol=BTC,
                cl_ord_id=command.cl_ord_id,
                request=REQUESTS[type(command)],
                code=code,
                reason="no",
            )
        asked = command.order
        return msg.ExecutionReport(
            symbol=BTC,
            cl_ord_id=asked.cl_ord_id,
            exec_type=ExecType.REJECTED,
            status=S.REJECTED,
            side=asked.side,
            venue_ts=self.now,
            order_type=asked.order_type,
            qty=asked.qty,
            price=asked.price,
            trigger_price=asked.trigger_price,
            reduce_only=asked.reduce_only,
            code=code,
            reason="no",
        )

    # What happens to orders

    def say(self, order, kind, **fields):
        """List an order as it is now, and tell of it."""
        asked = order.asked
        is_algo = order.is_waiting or kind is ExecType.TRIGGERED
        report = msg.ExecutionReport(
            symbol=BTC,
            cl_ord_id=asked.cl_ord_id,
            exec_type=kind,
            status=order.status,
            side=asked.side,
            venue_ts=self.now // NS_PER_MS * NS_PER_MS,
            venue_order_id=order.number if is_algo else f"c{order.number}",
            order_type=asked.order_type if is_algo else _becomes(asked.order_type),
            qty=ZERO if is_algo and asked.close_position else order.qty,
            price=asked.price,
            trigger_price=asked.trigger_price if is_algo else None,
            reduce_only=asked.reduce_only or asked.close_position,
            close_position=asked.close_position and is_algo,
            cum_qty=order.cum_qty,
            **fields,
        )
        order.rows.append((self.now, report))
        self._tell(report)
        return report

    def _tell(self, report):
        asked = self.orders[report.cl_ord_id].asked if report.cl_ord_id in self.orders else None
        is_childs = asked is not None and asked.order_type.is_conditional
        is_fill = is_childs and report.exec_type is ExecType.TRADE
        if is_fill and self.lots.random() < self.weather.unnamed:
            name = ClOrdId(f"web_{report.venue_order_id}")
            report = msgspec.structs.replace(report, cl_ord_id=name)
        if self.lots.random() >= self.weather.dropped:
            self.after(self.soon(), self.hear, self.life, report)
            if self.lots.random() < self.weather.repeated:
                self.after(self.soon(), self.hear, self.life, report)

    def end(self, order, status, reason=""):
        order.status, order.is_triggering = status, False
        self.say(order, ENDS[status], reason=reason)
        if not order.is_waiting and status is not S.REJECTED:
            self._finish(order)
        order.is_waiting = False

    def _execute(self, order):
        """Fill an order that is in the book: at once, in parts, or when the price comes."""
        if not order.is_open:
            return
        limit, sign = order.asked.price, order.asked.side.sign
        if limit is not None and (self.price - limit) * sign > ZERO:
            if order.asked.time_in_force is TimeInForce.IOC:
                self.end(order, S.EXPIRED, "no taker at its price")
            return
        room = self.room(order)
        if not room:
            self.end(order, S.EXPIRED, "nothing to reduce")
            return
        lot = self.instrument.lot
        part = room if self.lots.random() < 0.7 else max(room / 2 // lot * lot, min(lot, room))
        self.fill(order, part)
        if order.is_open and self.lots.random() < 0.1 and order.asked.price is None:
            self.end(order, S.EXPIRED, "no taker in bounds")
        elif order.is_open:
            self.after(self.lots.choice((0, 0, 0.05, 0.5)), self._execute, order)

    def fill(self, order, part):
        order.cum_qty += part
        order.status = S.FILLED if order.cum_qty == order.qty else S.PARTIALLY_FILLED
        fields = self._book(part * order.asked.side.sign)
        report = self.say(order, ExecType.TRADE, **fields)
        self.trades.append((self.now, report))
        self._finish(order)

    def _finish(self, order):
        """Say of a conditional order that it is over, as its own service does."""
        if order.asked.order_type.is_conditional and not order.is_open:
            is_whole = order.status is S.FILLED
            self._tell(
                msgspec.structs.replace(
                    order.rows[-1][1],
                    exec_type=ExecType.STATUS if is_whole else ExecType.TRIGGERED,
                    status=S.FILLED if is_whole else S.TRIGGERED,
                    order_type=order.asked.order_type,
                    venue_order_id=order.number,
                    last_qty=ZERO,
                    trade_id=TradeId(""),
                    fee=ZERO,
                    realized_pnl=None,
                    reason="",
                )
            )

    def _book(self, signed):
        """Move position and wallet by an execution; return what is told of it."""
        self.now += NS_PER_MS
        booked = book_fill(self.qty, self.entry_price, signed, self.price)
        fee = abs(signed) / 100
        self.qty, self.entry_price = booked.qty, booked.entry_price
        self.wallet += booked.realized - fee
        self.books.append((self.now, self.qty, self.entry_price, self.wallet))
        if not self.qty:
            for order in self.waiting():
                if order.asked.close_position:  # it hangs on the position
                    self.after(0, self._expire_if_waiting, order)
        return {
            "last_qty": abs(signed),
            "last_px": self.price,
            "trade_id": TradeId(str(next(self._names))),
            "fee": fee,
            "realized_pnl": booked.realized,
        }

    def _expire_if_waiting(self, order):
        if order.is_waiting and not order.is_triggering:
            self.end(order, S.EXPIRED, "the position is gone")

    def forget(self, order):
        self.has_forgotten = True
        del self.orders[order.asked.cl_ord_id]
        order.status, order.is_waiting = S.EXPIRED, False

    def waiting(self):
        return [o for o in self.orders.values() if o.is_waiting and not o.is_triggering]

    def move(self, price):
        """Let the price be another, and all that this sets off begin."""
        if not self.instrument.can_be_closed:
            return
        self.price = price
        self.rig.now = self.now
        self.rig.price(price)
        for order in self.waiting():
            if order.is_hit(price):
                order.is_triggering = True
                self.after(self.lots.choice((0, 0.01, 0.2)), self._fire, order)
        for order in list(self.orders.values()):
            if order.is_open and not order.is_waiting and order.asked.price is not None:
                self._execute(order)

    def _fire(self, order):
        if not order.is_waiting:
            return
        order.is_waiting = order.is_triggering = False
        held = max(-self.qty * order.asked.side.sign, ZERO)
        if order.asked.close_position:
            order.qty = held
        order.status = S.TRIGGERED
        is_reduce = order.asked.reduce_only or order.asked.close_position
        if is_reduce and not held and self.lots.random() < 0.5:
            self.end(order, self.lots.choice((S.REJECTED, S.EXPIRED)), "nothing to reduce")
            return
        self.say(order, ExecType.TRIGGERED)
        order.status = S.NEW
        self.say(order, ExecType.NEW)
        self.after(self.lots.choice((0, 0, 0.1)), self._execute, order)

    def strangers_trade(self, signed, name, status=S.FILLED):
        """Move the position by an order that is not ours."""
        self.is_shared = True
        fields = self._book(signed)
        report = msg.ExecutionReport(
            symbol=BTC,
            cl_ord_id=ClOrdId(name),
            exec_type=ExecType.TRADE,
            status=status,
            side=Side.BUY if signed > ZERO else Side.SELL,
            venue_ts=self.now,
            venue_order_id=f"x{next(self._names)}",
            qty=abs(signed),
            cum_qty=abs(signed),
            **fields,
        )
        self.trades.append((self.now, report))
        self._tell(report)

    # What is read of the books

    def _want(self, since):
        self._wanted = since if self._wanted is None else min(self._wanted, since)
        self._read_if_free()

    def _read_if_free(self):
        if not self._is_reading and self._wanted is not None:
            self._is_reading, since, self._wanted = True, self._wanted, None
            self.after(0.01, self._read_books, self.life, {"asked_ts": self.now}, since)

    def _then(self):
        return self.now - round(self.lots.random() * self.weather.lag_s * 1000) * NS_PER_MS

    def _books_then(self):
        until = self._then()
        return next((b for b in reversed(self.books) if b[0] <= until), self.books[0])

    def _read_books(self, life, read, since):
        read["positions"], read["balances"] = self._books_then(), self._books_then()
        self.after(0.01 + self.lots.random() / 10, self._read_orders, life, read, since)

    def _read_orders(self, life, read, since):
        until = self._then()
        rows = (order.listed(until) for order in self.orders.values())
        read["orders"] = tuple(
            msgspec.structs.replace(row, exec_type=ExecType.STATUS)
            for row in rows
            if row and row.status.is_open
        )
        self.after(0.01 + self.lots.random() / 10, self._read_trades, life, read, since)

    def _read_trades(self, life, read, since):
        until = self._then()
        trades = tuple(t for ts, t in self.trades if ts <= until and t.venue_ts >= since)
        _, qty, price, _ = read["positions"]
        position = msg.VenuePosition(symbol=BTC, qty=qty, entry_price=price)
        snapshot = msg.VenueSnapshot(
            asked_ts=read["asked_ts"],
            sure_ts=read["asked_ts"],
            taken_ts=self.now,
            orders=read["orders"],
            positions=(position,) if qty else (),
            balances={"USDT": read["balances"][3]},
            trades=trades,
            trades_since=since,
        )
        self.after(self.soon(), self._answer, life, snapshot)

    def _answer(self, life, snapshot):
        self.hear(life, snapshot)
        self.after(READ_LAG_NS / NS_PER_S, self._read_next, life)

    def _read_next(self, life):
        if life == self.life:
            self._is_reading = False
            self._read_if_free()


def _becomes(kind):
    if kind in {OrderType.STOP, OrderType.TAKE_PROFIT}:
        return OrderType.LIMIT
    return OrderType.MARKET if kind.is_conditional else kind


def _unknown(command, code=None):
    is_submit = isinstance(command, cmd.SubmitOrder)
    return msg.OutcomeUnknown(
        symbol=BTC,
        cl_ord_id=command.order.cl_ord_id if is_submit else command.cl_ord_id,
        request=REQUESTS[type(command)],
        reason="time-out",
        code=code,
    )
