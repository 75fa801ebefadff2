"""A venue that holds orders, takes amendments and cancels of them, and tells of it as it likes.

Requests arrive at once, late or never, and are refused or carried out; what came of them is
answered, told by the stream, both or neither, in any order and more than once; questions are
answered as things were up to a read lag before. Now and then the process begins anew.
"""

from __future__ import annotations

import heapq
import itertools
from decimal import Decimal

import msgspec

from holdfast.model import commands as cmd
from holdfast.model import messages as msg
from holdfast.model.margin import book_fill
from holdfast.model.messages import ExecType, Request
from holdfast.model.values import (
    MAIN,
    NS_PER_MS,
    NS_PER_S,
    ZERO,
    OrderStatus,
    OrderType,
    TradeId,
)
from tests.engine.rig import BTC, Rig

OFF_MS = 450
"""How far the venue's clock may be off ours: less than what is reckoned with."""

READ_LAG_NS = 2 * NS_PER_S
MEASURED_NS = 50 * NS_PER_MS
LOT = Decimal("0.1")
REFUSALS = {
    Request.SUBMIT: (-1008, -4400),
    Request.CANCEL: (-1008, -1015),
    Request.REPLACE: (-4028, -5026, -5024, -1008),
}


class Ask:
    """A request on its way: what came of it at the venue, and what was told of it here."""

    def __init__(self, command, epoch):
        self.command, self.epoch = command, epoch
        is_new = isinstance(command, cmd.SubmitOrder)
        self.name = command.order.cl_ord_id if is_new else command.cl_ord_id
        self.until = command.ts + command.recv_window_ns
        self.fate = self.told = ""


class Held:
    """An order as the venue has it; `rows` are what a question showed of it since when."""

    def __init__(self, order, number):
        self.order, self.number = order, number
        self.qty, self.price = order.qty, order.price
        self.cum, self.status, self.rows = ZERO, OrderStatus.NEW, []

    @property
    def left(self):
        return self.qty - self.cum if self.status.is_open else ZERO


class AmendingVenue:
    """One account and one session that trades on it.

    Args:
        lots: draws all that is left to chance.
        lag_s: the most that an answer to a question trails, seconds.
        dropped: the share of what the stream does not tell.
        trouble: the share of requests that are lost, late, refused or not answered.
        crashes: whether the process begins anew now and then.
        cuts: whether the journal is shorter each time, as a power cut leaves it.
    """

    def __init__(self, lots, *, lag_s, dropped, trouble, crashes=False, cuts=False):
        self.lots = lots
        self.lag_s, self.dropped, self.trouble = lag_s, dropped, trouble
        self.crashes, self.cuts = crashes or cuts, cuts
        self.has_lost = False  # what is not known any more is neither judged nor reserved for
        self.rig = Rig(
            limits={"disabled": ("correlation", "max_positions"), "max_daily_loss_pct": Decimal(1)},
            stop_loss_pct=ZERO,
            take_profit_pct=ZERO,
        )
        self.rig.engine.core.read_lag_ns = READ_LAG_NS
        self.now = self.rig.now
        self.ahead = self.measured = lots.choice((0, lots.randint(-OFF_MS, OFF_MS))) * NS_PER_MS
        self.held = {}
        self.asks = []
        self.qty, self.entry_price, self.wallet = ZERO, ZERO, Decimal(10_000)
        self._books = [(0, ZERO, ZERO, self.wallet)]
        self._trades = []
        self._numbers = itertools.count(1)
        self._due, self._order = [], itertools.count()
        self._wanted, self._is_reading = None, False
        self.rig.asked = []

    # What the engine asks for

    def _carry_out(self):
        for command in self.rig.asked:
            match command:
                case cmd.SubmitOrder() | cmd.CancelOrder() | cmd.ReplaceOrder():
                    self._send(command)
                case cmd.QueryOrder():
                    self._after(self._soon(), self._query, command, self.now, self.rig.epoch)
                case cmd.Resync():
                    self._want(command.trades_since)
                case cmd.SetTimer():
                    delay_s = max(command.due_ts - self.now, 0) / NS_PER_S
                    fired = msg.TimerFired(parent_id=command.parent_id)
                    self._after(delay_s + 0.001, self._hear_in, self.rig.epoch, fired)
                case _:
                    pass

    def _send(self, command):
        ask = Ask(command, self.rig.epoch)
        self.asks.append(ask)
        late = self._late()
        way = self.lots.choice(("lost", "unknown", "silent")) if self._is_trouble() else "answered"
        if way in ("lost", "unknown") and self.lots.random() < 0.8:
            self._after(self._up_to(3), self._unknown, ask)
        if way == "lost":
            return  # nobody but the venue knows that it will never be there
        self._after(late, self._arrive, ask, way == "answered")

    def _arrive(self, ask, is_answered):
        if self.now + self.ahead > ask.until:
            self._refuse(ask, -1021, is_answered=is_answered)
            return
        if self._is_trouble() and self.lots.random() < 0.3:
            self._refuse(ask, self.lots.choice(REFUSALS[_request(ask)]), is_answered=is_answered)
            return
        match ask.command:
            case cmd.SubmitOrder():
                self._place(ask, is_answered=is_answered)
            case cmd.CancelOrder():
                self._cancel(ask, is_answered=is_answered)
            case _:
                self._replace(ask, is_answered=is_answered)
        assert ask.fate == "refused" or ask.told != "refused", ask.name
        self.judge_reserve()

    def _place(self, ask, *, is_answered):
        order = ask.command.order
        if order.reduce_only and not self._room(order.side):
            self._refuse(ask, -2022, is_answered=is_answered)
            return
        held = Held(order, str(next(self._numbers)))
        self.held[order.cl_ord_id] = held
        ask.fate = "done"
        self._say(held, ExecType.NEW, ack=is_answered and ask)
        if order.order_type is OrderType.MARKET:
            self.fill(held, held.left)
            if held.left:
                self._end(held, OrderStatus.EXPIRED)
        elif order.price is not None and self.lots.random() < 0.1:
            self.fill(held, self._part(held))  # it crosses

    def _cancel(self, ask, *, is_answered):
        held = self.held.get(ask.name)
        if held is None or not held.status.is_open:
            self._refuse(ask, -2011, is_answered=is_answered)
            return
        ask.fate = "done"
        self._end(held, OrderStatus.CANCELED, ack=is_answered and ask)

    def _replace(self, ask, *, is_answered):
        held, asked = self.held.get(ask.name), ask.command
        if held is None or not held.status.is_open:
            self._refuse(ask, -2013, is_answered=is_answered)
            return
        ask.fate = "done"
        if (held.qty, held.price) == (asked.qty, asked.price):
            if is_answered:
                report = self._report(held, ExecType.REPLACED, qty=asked.qty, price=asked.price)
                changes = {"venue_ts": 0, "cum_qty": ZERO, "status": OrderStatus.NEW}
                self._answer(ask, msgspec.structs.replace(report, **changes))
            return
        if asked.qty <= held.cum:
            ask.fate = "ended"
            self._end(held, OrderStatus.CANCELED, ack=is_answered and ask)
            return
        held.qty, held.price = asked.qty, asked.price
        self._say(held, ExecType.REPLACED, ack=is_answered and ask)
        if self.lots.random() < 0.2:
            self.fill(held, self._part(held))

    def _refuse(self, ask, code, *, is_answered):
        ask.fate = "refused"
        if not is_answered:
            return
        if isinstance(ask.command, cmd.SubmitOrder):
            order = ask.command.order
            report = msg.ExecutionReport(
                symbol=BTC,
                cl_ord_id=ask.name,
                exec_type=ExecType.REJECTED,
                status=OrderStatus.REJECTED,
                side=order.side,
                venue_ts=self.now,
                order_type=order.order_type,
                qty=order.qty,
                price=order.price,
                reduce_only=order.reduce_only,
                code=code,
                reason="no",
            )
            self._answer(ask, report)
            return
        fields = {"symbol": BTC, "cl_ord_id": ask.name, "request": _request(ask)}
        self._answer(ask, msg.RequestRefused(code=code, reason="no", **fields))

    def _unknown(self, ask):
        fields = {"symbol": BTC, "cl_ord_id": ask.name, "request": _request(ask)}
        self._hear_in(ask.epoch, msg.OutcomeUnknown(reason="time-out", **fields))

    def _answer(self, ask, message):
        self._after(self._soon(), self._hear_in, ask.epoch, message)

    # What happens at the venue

    def fill(self, held, qty):
        if held.order.reduce_only:
            qty = min(qty, self._room(held.order.side))
        if qty <= ZERO:
            return
        price, signed = held.price or Decimal(100), qty * held.order.side.sign
        booked = book_fill(self.qty, self.entry_price, signed, price)
        self.qty, self.entry_price = booked.qty, booked.entry_price
        self.wallet += booked.realized
        self._books.append((self.now, self.qty, self.entry_price, self.wallet))
        held.cum += qty
        is_all = held.cum == held.qty
        held.status = OrderStatus.FILLED if is_all else OrderStatus.PARTIALLY_FILLED
        fields = {
            "last_qty": qty,
            "last_px": price,
            "trade_id": TradeId(str(next(self._numbers))),
            "realized_pnl": booked.realized,
        }
        self._say(held, ExecType.TRADE, **fields)
        self._trades.append((self.now, self._report(held, ExecType.TRADE, **fields)))

    def step_clock(self):
        """Let the venue's clock run ahead of ours, which is set right by it later."""
        self.ahead = self.lots.randint(self.ahead // NS_PER_MS, OFF_MS) * NS_PER_MS
        self._after(self._up_to(20), self._measure)

    def _measure(self):
        self.measured = self.ahead

    def _end(self, held, status, *, ack=None):
        held.status = status
        kind = ExecType.CANCELED if status is OrderStatus.CANCELED else ExecType.EXPIRED
        self._say(held, kind, ack=ack)

    def _room(self, side):
        return max(-self.qty * side.sign, ZERO)

    def _part(self, held):
        part = LOT * self.lots.randint(1, 1 + int(held.left / LOT))
        return held.left if self.lots.random() < 0.4 else min(part, held.left)

    # What is told

    def _say(self, held, kind, *, ack=None, **fields):
        """Let the stream tell of a change, and answer who asked for it."""
        report = self._report(held, kind, **fields)
        row = self._report(held, ExecType.STATUS)
        held.rows.append((self.now, row))
        if self.lots.random() >= self.dropped:
            for _ in range(2 if self.lots.random() < 0.1 else 1):
                self._after(self._soon(), self._hear_in, self.rig.epoch, report)
        if ack:
            self._answer(ack, report)

    def _report(self, held, kind, **fields):
        fields = {"qty": held.qty, "price": held.price, **fields}
        return msg.ExecutionReport(
            symbol=BTC,
            cl_ord_id=held.order.cl_ord_id,
            exec_type=kind,
            status=held.status,
            side=held.order.side,
            venue_ts=self._stamp(),
            venue_order_id=held.number,
            order_type=held.order.order_type,
            trigger_price=held.order.trigger_price,
            reduce_only=held.order.reduce_only,
            cum_qty=held.cum,
            **fields,
        )

    def _stamp(self):
        return (self.now + self.ahead) // NS_PER_MS * NS_PER_MS

    def _query(self, command, asked_ts, epoch):
        if self._is_trouble():
            return
        then = self._then()
        held = self.held.get(command.cl_ord_id)
        row = held and _as_of(held.rows, then)
        if row is None:
            fields = {"symbol": BTC, "cl_ord_id": command.cl_ord_id}
            answer = msg.OrderNotFound(asked_ts=asked_ts, **fields)
        else:
            answer = msgspec.structs.replace(row, asked_ts=asked_ts)
        self._after(self._soon(), self._hear_in, epoch, answer)

    def _then(self):
        return self.now - round(self._up_to(self.lag_s) * NS_PER_S)

    # The books

    def _want(self, since):
        self._wanted = since if self._wanted is None else min(self._wanted, since)
        self._read_if_free()

    def _read_if_free(self):
        if not self._is_reading and self._wanted is not None:
            self._is_reading, since, self._wanted = True, self._wanted, None
            self._after(0.01, self._read_orders, {"asked_ts": self.now}, since, self.rig.epoch)

    def _read_orders(self, read, since, epoch):
        then = self._then()
        rows = [_as_of(held.rows, then) for held in self.held.values()]
        read["orders"] = tuple(row for row in rows if row is not None and row.status.is_open)
        self._after(0.01 + self._up_to(0.1), self._read_books, read, since, epoch)

    def _read_books(self, read, since, epoch):
        read["positions"], read["balances"] = self._book_then(), self._book_then()
        self._after(0.01 + self._up_to(0.1), self._read_trades, read, since, epoch)

    def _book_then(self):
        then = self._then()
        return [book for book in self._books if book[0] <= then][-1]

    def _read_trades(self, read, since, epoch):
        then = self._then()
        read["trades"] = tuple(
            _listed(row) for ts, row in self._trades if ts <= then and row.venue_ts >= since
        )
        self._after(0.01 + self._up_to(0.1), self._told, read, since, epoch)

    def _told(self, read, since, epoch):
        _, qty, price, _ = read["positions"]
        position = msg.VenuePosition(symbol=BTC, qty=qty, entry_price=price)
        snapshot = msg.VenueSnapshot(
            asked_ts=read["asked_ts"],
            sure_ts=read["asked_ts"] + self.measured - MEASURED_NS,
            taken_ts=max(self.now, self.now + self.measured + MEASURED_NS),
            orders=read["orders"],
            positions=(position,) if qty else (),
            balances={"USDT": read["balances"][3]},
            trades=read["trades"],
            trades_since=since,
        )
        self._hear_in(epoch, snapshot)
        self._after(READ_LAG_NS / NS_PER_S, self._read_next, epoch)

    def _read_next(self, epoch):
        if epoch == self.rig.epoch:
            self._is_reading = False
            self._read_if_free()

    # Time

    def _hear(self, message):
        self.rig.now = self.now
        self.rig.hear(message)
        self._carry_out()

    def judge_reserve(self):
        """Hold what is reserved against what could come; who knows the session does so."""

    def _hear_in(self, epoch, message):
        if epoch == self.rig.epoch:
            self._hear(message)

    def _until(self, end):
        while self._due[0][0] <= end:
            self.now, _, deed, arguments = heapq.heappop(self._due)
            deed(*arguments)
        self.now = end

    def _tick(self):
        self.rig.price(100)
        self._hear(msg.Tick())
        self._after(1, self._tick)

    def _audit(self):
        self._hear(msg.AuditDue(account=MAIN, reason="audit"))
        self._after(10, self._audit)

    def _after(self, seconds, deed, *arguments):
        due = self.now + round(seconds * 1000) * NS_PER_MS
        heapq.heappush(self._due, (due, next(self._order), deed, arguments))

    def _soon(self):
        return self.lots.choice((0.005, 0.02, 0.1, self._up_to(1.5)))

    def _late(self):
        if self._is_trouble():
            return self.lots.choice(
                (self._up_to(6), 4.5 + self._up_to(1))
            )  # around its window's end
        return self.lots.choice((0.005, 0.05, 0.3))

    def _is_trouble(self):
        return self.lots.random() < self.trouble

    def _up_to(self, seconds):
        return self.lots.random() * seconds


def _request(ask):
    match ask.command:
        case cmd.SubmitOrder():
            return Request.SUBMIT
        case cmd.CancelOrder():
            return Request.CANCEL
        case _:
            return Request.REPLACE


def _listed(report):
    """Return an execution as a list of them has it: with nothing of its order."""
    return msgspec.structs.replace(
        report,
        qty=ZERO,
        price=None,
        cum_qty=ZERO,
        reduce_only=False,
        status=OrderStatus.PARTIALLY_FILLED,
        order_type=OrderType.MARKET,
    )


def _as_of(rows, ts):
    return next((row for since, row in reversed(rows) if since <= ts), None)
