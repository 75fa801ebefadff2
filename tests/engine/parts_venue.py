"""A venue that takes its time: requests arrive late, never or unheard of, and its words in no order.

Nothing is told as it happens. `under_way` is what was asked and has not arrived, `due` what was said
and has not been heard. An order may arrive until its window is over; by then it has, or is lost.
"""

from __future__ import annotations

import itertools
from decimal import Decimal

from holdfast.model import commands as cmd
from holdfast.model import messages as msg
from holdfast.model.margin import book_fill
from holdfast.model.messages import ExecType
from holdfast.model.values import (
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
from tests.engine.rig import BTC, START, contract

FIRST = Decimal(10_000)
FINAL = (-2010, -2019, -4000)
PASSING = (None, -1003, -1008, -1015)
WINDOW_NS = 5 * NS_PER_S
QUESTION_NS = 10 * NS_PER_S
STEP = Decimal("0.1")
CONDITIONAL = (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)


class Resting:
    """One order as the venue has it."""

    def __init__(self, order, number):
        self.order = order
        self.venue_order_id = str(number)
        self.qty, self.price = order.qty, order.price
        self.filled = ZERO
        self.status = OrderStatus.NEW
        self.code, self.reason = None, ""

    @property
    def name(self):
        return self.order.cl_ord_id

    @property
    def is_open(self):
        return self.status.is_open

    @property
    def left(self):
        return self.qty - self.filled if self.is_open else ZERO

    @property
    def is_waiting(self):
        return self.order.order_type in CONDITIONAL and self.status is OrderStatus.NEW


class Asked:
    """A request under way, until when it may arrive, and whether it will."""

    def __init__(self, command, until, *, arrives=True, is_answered=True, asked_ts=0):
        self.command = command
        self.until = until
        self.arrives = arrives
        self.is_answered = is_answered
        self.asked_ts = asked_ts


class PartsVenue:
    """One account that trades one contract.

    Args:
        lots: draws all that is left to chance.
        rough: how often something goes wrong, of 1.
        dropped: the share of what it says that is never heard.
    """

    def __init__(self, lots, *, rough, dropped):
        self.lots = lots
        self.rough = rough
        self.dropped = dropped
        self.most_at_market = lots.choice((Decimal(3), Decimal(3), Decimal(1)))
        self.contract = self.plain_contract()
        self.price = Decimal(100)
        self.refuses = ()  # orders of these roles
        self.at, self.off_ns = START, 0  # its time, and by how much ours is off
        self.qty, self.entry_price, self.wallet = ZERO, ZERO, FIRST
        self.orders, self.refused = {}, {}
        self.under_way, self.due, self.trades = [], [], []
        self._numbers = itertools.count(1)

    # What is asked of it

    def ask(self, command):
        """Take a request on its way."""
        match command:
            case cmd.SubmitOrder():
                self._submit(command)
            case cmd.CancelOrder() | cmd.ReplaceOrder():
                self._send(command)
            case _:
                arrives = not self._goes_wrong(0.3)
                until = self.at + QUESTION_NS
                self.under_way.append(Asked(command, until, arrives=arrives, asked_ts=self.ours()))

    def _submit(self, command):
        if self._goes_wrong(0.06):
            self._refuse(command.order, None, "it never left")
        else:
            self._send(command)

    def _send(self, command):
        until = self.at + WINDOW_NS
        if not self._goes_wrong(0.25):
            self.under_way.append(Asked(command, until))
            return
        arrives = self.lots.random() < 0.5
        self.under_way.append(Asked(command, until, arrives=arrives, is_answered=False))
        if self.lots.random() < 0.7:
            self._say(self._unknown(command))

    def _unknown(self, command):
        kind = type(command).__name__.removesuffix("Order").upper()
        name = getattr(command, "order", command).cl_ord_id
        return msg.OutcomeUnknown(
            symbol=BTC, cl_ord_id=name, request=msg.Request(kind), reason="time-out"
        )

    def arrive(self, number=None):
        """Let one of the requests under way arrive, or be lost."""
        number = self.lots.randrange(len(self.under_way)) if number is None else number
        asked = self.under_way.pop(number)
        if not asked.arrives:
            return
        match asked.command:
            case cmd.SubmitOrder():
                self._take(asked.command.order)
            case cmd.CancelOrder():
                self._cancel(asked)
            case cmd.ReplaceOrder():
                self._replace(asked)
            case cmd.QueryOrder():
                self._say(self._status(asked))
            case _:
                self._say(self._books(asked))

    def pass_time(self, span_ns):
        """Let time pass; what would be too late then arrives before."""
        until = self.at + span_ns
        while late := [i for i, each in enumerate(self.under_way) if each.until <= until]:
            self.arrive(late[0])
        self.at = until

    def cut_off(self):
        """Lose what was not heard, and let what is under way come or be lost without an answer."""
        self.due.clear()
        is_request = (cmd.SubmitOrder, cmd.CancelOrder, cmd.ReplaceOrder)
        self.under_way = [a for a in self.under_way if isinstance(a.command, is_request)]
        for asked in self.under_way:
            asked.is_answered = False
            asked.arrives = asked.arrives and self.lots.random() < 0.7

    def may_arrive(self):
        """Return the orders that could still come: nobody else knows which of them are lost."""
        asked = (each.command for each in self.under_way)
        return [each.order for each in asked if isinstance(each, cmd.SubmitOrder)]

    # Orders

    def _take(self, order):
        code = -4000 if order.role in self.refuses else self._wrong(order)
        if code:
            self._refuse(order, code, "it does not fit")
            return
        if self._goes_wrong(0.2 if not order.reduce_only else 0.08):
            final = FINAL if not order.reduce_only else (-2019,)
            self._refuse(order, self.lots.choice((*final, *PASSING[1:])), "not now")
            return
        resting = Resting(order, next(self._numbers))
        self.orders[order.cl_ord_id] = resting
        self._report(resting, ExecType.NEW)
        if order.order_type is OrderType.MARKET:
            self._trade_at_market(resting)
        elif order.order_type is OrderType.LIMIT:
            self._match(resting)

    def _wrong(self, order):
        each = self.contract
        is_taken = order.close_position or (order.qty % each.lot == 0 and order.qty >= each.min_qty)
        if not each.is_trading:
            return -4140
        if not is_taken:
            return -4003
        if order.price is None and not order.close_position and order.qty > each.max_market_qty:
            return -4005
        if order.price is not None and order.price % each.tick:
            return -4014
        if order.order_type in CONDITIONAL:
            return -2021 if self._is_triggered(order) else None
        if order.reduce_only:
            return None if self._room(order) or order.price is not None else -2022
        if order.time_in_force is TimeInForce.GTX and self._crosses(order.side, order.price):
            return -5022
        worth = order.qty * (order.price or self.price)
        return -4164 if worth < each.min_notional else None

    def _refuse(self, order, code, reason):
        self.refused[order.cl_ord_id] = code
        self._say(
            msg.ExecutionReport(
                symbol=BTC,
                cl_ord_id=order.cl_ord_id,
                exec_type=ExecType.REJECTED,
                status=OrderStatus.REJECTED,
                side=order.side,
                qty=order.qty,
                order_type=order.order_type,
                price=order.price,
                venue_ts=self.at,
                code=code,
                reason=reason,
            ),
            is_answer=True,
        )

    def _room(self, order):
        return max(-self.qty * order.side.sign, ZERO)

    def _crosses(self, side, price):
        return (price - self.price) * side.sign >= ZERO

    def _is_triggered(self, order):
        sign = order.side.sign if order.order_type is OrderType.STOP_MARKET else -order.side.sign
        return (self.price - order.trigger_price) * sign >= ZERO

    def _trade_at_market(self, resting):
        order = resting.order
        most = resting.left
        if order.reduce_only:
            room = self._room(order)
            most = room if order.close_position else min(most, room)
            resting.qty = room if order.close_position and room else resting.qty
        if most and self._goes_wrong(0.1):
            most = self._some_of(most)
        self._trade(resting, most, self.price)
        if resting.is_open:
            self._end(resting, ExecType.EXPIRED, OrderStatus.EXPIRED)

    def _match(self, resting):
        """Trade what a limit crosses; what rests, rests."""
        order = resting.order
        if self._crosses(order.side, resting.price) and not order.reduce_only:
            most = resting.left
            is_all = self.lots.random() < 0.6
            if is_all or order.time_in_force is not TimeInForce.FOK:
                self._trade(resting, most if is_all else self._some_of(most), self.price)
        at_once = order.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}
        if resting.is_open and at_once:
            self._end(resting, ExecType.EXPIRED, OrderStatus.EXPIRED)

    def _some_of(self, qty):
        return Decimal(self.lots.randint(0, int(qty / STEP))) * STEP

    def _trade(self, resting, qty, price):
        pieces = [qty] if self.lots.random() < 0.7 else [first := self._some_of(qty), qty - first]
        for piece in filter(None, pieces):
            self.at += 1_000
            signed = piece * resting.order.side.sign
            booked, fee = book_fill(self.qty, self.entry_price, signed, price), piece / 100
            self.qty, self.entry_price = booked.qty, booked.entry_price
            self.wallet += booked.realized - fee
            resting.filled += piece
            is_all = resting.filled == resting.qty
            resting.status = OrderStatus.FILLED if is_all else OrderStatus.PARTIALLY_FILLED
            report = self._of(
                resting,
                ExecType.TRADE,
                last_qty=piece,
                last_px=price,
                trade_id=TradeId(str(next(self._numbers))),
                fee=fee,
                realized_pnl=booked.realized,
            )
            self.trades.append(report)
            self._say(report)

    def _end(self, resting, kind, status):
        resting.status = status
        self._report(resting, kind)

    def _cancel(self, asked):
        resting = self.orders.get(asked.command.cl_ord_id)
        if resting is not None and resting.is_open:
            self._end(resting, ExecType.CANCELED, OrderStatus.CANCELED)
        elif asked.is_answered:
            self._decline(asked.command, msg.Request.CANCEL, -2011)

    def _replace(self, asked):
        command = asked.command
        resting = self.orders.get(command.cl_ord_id)
        is_fit = command.qty % self.contract.lot == 0 and command.price % self.contract.tick == 0
        if resting is None or not resting.is_open or not is_fit or self._goes_wrong(0.2):
            if asked.is_answered:
                self._decline(command, msg.Request.REPLACE, -2013)
            return
        if command.qty <= resting.filled:  # as Binance has it
            self._end(resting, ExecType.CANCELED, OrderStatus.CANCELED)
            return
        resting.qty, resting.price = command.qty, command.price
        self._report(resting, ExecType.REPLACED)
        self._match(resting)

    def _decline(self, command, request, code):
        self._say(
            msg.RequestRefused(
                symbol=BTC, cl_ord_id=command.cl_ord_id, request=request, code=code, reason="no"
            ),
            is_answer=True,
        )

    # The market

    def plain_contract(self):
        return contract(lot=STEP, min_qty=STEP, max_market_qty=self.most_at_market)

    def list_anew(self, *, is_new=False):
        """Change the contract: its lot, its tick, its least and its largest; or halt it."""
        lots = self.lots
        lot = lots.choice((STEP, STEP, 2 * STEP, 5 * STEP))
        self.contract = contract(
            lot=lot,
            min_qty=lot if 6 * lot > self.most_at_market else lot * lots.choice((1, 1, 2, 3)),
            min_notional=Decimal(lots.choice((5, 5, 60))),
            max_market_qty=self.most_at_market,
            tick=lots.choice((STEP, STEP, 5 * STEP)),
            status="BREAK" if not is_new and lots.random() < 0.25 else "TRADING",
        )

    def take_resting(self, *, wholly=False):
        """Let somebody trade against one of the orders that rest."""
        resting = [o for o in self.open_orders() if o.price is not None]
        if not resting or not self.contract.is_trading:
            return
        order = self.lots.choice(resting)
        most = order.left
        if order.order.reduce_only:
            most = min(most, self._room(order.order))
        self._trade(order, most if wholly else self._some_of(most), order.price)

    def move_price(self, price):
        """Move the market: limits that it crosses trade, stops that it passes do at the market."""
        self.price = price
        if not self.contract.is_trading:
            return
        for each in self.open_orders():
            if each.is_waiting and self._is_triggered(each.order):
                self._trigger(each)
            elif each.price is not None and self._crosses(each.order.side, each.price):
                room = self._room(each.order) if each.order.reduce_only else each.left
                self._trade(each, min(each.left, room), each.price)

    def _trigger(self, resting):
        resting.status = OrderStatus.TRIGGERED
        self._report(resting, ExecType.TRIGGERED)
        if self.lots.random() < 0.7:
            self._trade_at_market(resting)

    def take_back_all(self):
        """Take back what rests, as for a session that is not heard of; return what it was."""
        resting = [each for each in self.open_orders() if each.price is not None]
        for each in resting:
            self._end(each, ExecType.CANCELED, OrderStatus.CANCELED)
        return [each.name for each in resting]

    def trade_for_others(self, qty):
        """Trade an order of somebody else's."""
        number = next(self._numbers)
        order = NewOrder(
            cl_ord_id=ClOrdId(f"manual-{number}"),
            symbol=BTC,
            side=Side.BUY if qty > ZERO else Side.SELL,
            qty=abs(qty),
        )
        if qty:
            self._trade(Resting(order, number), abs(qty), self.price)

    def finish_triggered(self):
        """Let stops trade that have triggered."""
        for each in self.open_orders():
            if each.order.order_type in CONDITIONAL and not each.is_waiting:
                self._trade_at_market(each)

    def open_orders(self):
        return [each for each in self.orders.values() if each.is_open]

    # What it says

    def _goes_wrong(self, share):
        return self.lots.random() < share * self.rough

    def _report(self, resting, kind):
        self.at += 1_000  # each of its moments is one of its own
        self._say(self._of(resting, kind), is_answer=kind is ExecType.NEW)

    def _of(self, resting, kind, **fields):
        order = resting.order
        return msg.ExecutionReport(
            symbol=BTC,
            cl_ord_id=order.cl_ord_id,
            exec_type=kind,
            status=resting.status,
            side=order.side,
            venue_ts=self.at,
            venue_order_id=resting.venue_order_id,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            qty=resting.qty,
            price=resting.price,
            trigger_price=order.trigger_price,
            reduce_only=order.reduce_only,
            close_position=order.close_position,
            cum_qty=resting.filled,
            reason=resting.reason,
            code=resting.code,
            **fields,
        )

    def _status(self, asked):
        name = asked.command.cl_ord_id
        if name in self.orders:
            return self._of(self.orders[name], ExecType.STATUS, asked_ts=asked.asked_ts)
        return msg.OrderNotFound(symbol=BTC, cl_ord_id=name, asked_ts=asked.asked_ts)

    def _books(self, asked):
        since = asked.command.trades_since
        position = msg.VenuePosition(symbol=BTC, qty=self.qty, entry_price=self.entry_price)
        return msg.VenueSnapshot(
            asked_ts=self.ours(),
            sure_ts=self.at - 1,
            taken_ts=self.at + 1,
            orders=tuple(self._of(each, ExecType.STATUS) for each in self.open_orders()),
            positions=(position,) if self.qty else (),
            balances={"USDT": self.wallet},
            trades=tuple(each for each in self.trades if each.venue_ts >= since),
            trades_since=since,
        )

    def ours(self):
        """Return our time."""
        return self.at + self.off_ns

    def _say(self, message, *, is_answer=False):
        """Say something once, twice, or to nobody."""
        drawn = self.lots.random()
        if drawn < self.dropped * (0.3 if is_answer else 1):
            return
        self.due += [message] * (2 if drawn > 1 - 0.1 * self.rough else 1)
