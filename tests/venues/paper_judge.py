"""What a paper account has to be, reckoned from what its market showed and from what it said.

Written from the documents alone: average cost, fees, brackets, funding, triggers, the queue, what a
taker may have. Nothing here comes from the simulated exchange. Fractions, so that no sum is rounded.
"""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction
from typing import Any

from holdfast.model.instrument import Instrument
from holdfast.model.market import Bar, Funding, MarkPrice, Quote, Trade
from holdfast.model.messages import (
    ExecType,
    ExecutionReport,
    FundingPayment,
    InstrumentListed,
    RequestRefused,
    WalletChange,
)
from holdfast.model.values import NS_PER_S, OrderStatus, OrderType, Side, TimeInForce, WorkingType

ZERO = Decimal(0)
TIE = Fraction(1, 10**18)  # an average price has 28 digits: half a unit may round either way
HALF_SPREAD, BEYOND = Fraction(1, 1000), Fraction(5, 10_000)
ENDED = (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED)
SHOWN = Trade | Quote | MarkPrice | Bar | Funding
CLOSABLE = ("TRADING", "PRE_SETTLE", "PRE_DELIVERING")


def money(amount):
    return Decimal(round(Fraction(amount) * 10**8)).scaleb(-8)


def on_grid(amount, step, way):
    """Round onto a grid: up for a `way` above zero, else down."""
    steps = Fraction(amount) / Fraction(step)
    whole = -(-steps // 1) if way > 0 else steps // 1
    return Decimal(int(whole)) * step


def exact(number):
    return Fraction(str(number))


class Sight:
    """What a symbol's market shows."""

    def __init__(self):
        self.last: Any = None
        self.mark: Any = None
        self.known: Any = None  # the last mark, or what stood in for it
        self.mark_ts = 0
        self.last_ts = self.quote_ts = self.bar_ts = 0
        self.heard_since = 0  # when it first showed anything, in this life of the account
        self.has_tape = False
        self.quoted: dict[Side, Any] = {
            Side.BUY: None,
            Side.SELL: None,
        }  # as it was shown last, by who takes it
        self.left: dict[Side, Any] = {
            Side.BUY: [0, 0],
            Side.SELL: [0, 0],
        }  # price and quantity that a taker has
        self.next_ts, self.rate = 0, Fraction(0)

    def show(self, quote):
        shown = {Side.BUY: (quote.ask, quote.ask_qty), Side.SELL: (quote.bid, quote.bid_qty)}
        for side, each in shown.items():
            if self.quoted[side] != each:
                self.left[side] = [exact(each[0]), exact(each[1])]
        self.quoted, self.quote_ts = shown, quote.ts

    def forget_quote(self):
        self.quoted = {Side.BUY: None, Side.SELL: None}
        self.left = {Side.BUY: [0, 0], Side.SELL: [0, 0]}
        self.quote_ts = 0

    def age(self):
        if self.quote_ts and self.quote_ts < self.last_ts - 60 * NS_PER_S:
            self.forget_quote()

    def age_mark(self, ts):
        """Forget a mark that is a minute older than the market."""
        if ts > self.mark_ts + 60 * NS_PER_S:
            self.mark = None

    def age_tape(self, ts):
        """Forget the tape where marks came once, and both are a minute older than the touch."""
        oldest_ts = ts - 60 * NS_PER_S
        if 0 < self.mark_ts < oldest_ts and self.last_ts < oldest_ts:
            self.has_tape = False

    @property
    def contract(self):
        bid, ask = self.left[Side.SELL][0], self.left[Side.BUY][0]
        if not self.has_tape and bid and ask:
            return (bid + ask) / 2
        return self.last

    @property
    def marked(self):
        return self.contract if self.mark is None else self.mark

    @property
    def worth(self):
        """What counts where something has to be valued: where nothing tells a price, the last."""
        return self.known if self.marked is None else self.marked

    def offers(self, taker, contract):
        """Return what a taker may have, best first: price, quantity (None: any), whether shown."""
        if self.quote_ts:
            price, qty = self.left[taker]
            if not price:
                return []
            beyond = on_grid(price * (1 + taker.sign * BEYOND), contract.tick, taker.sign)
            shown = on_grid(qty, contract.lot, -1)
            return [(Fraction(price), shown, True)] * (shown > 0) + [(exact(beyond), None, False)]
        if self.last is None:
            return []
        price = on_grid(self.last * (1 + taker.sign * HALF_SPREAD), contract.tick, taker.sign)
        return [(exact(price), None, False)]

    def displayed(self, side, price, contract):
        """Return what stands at a price of an order's own side; None where nobody knows."""
        if not self.quote_ts:
            return None
        touch, qty = self.left[side.opposite]
        if exact(price) == touch:
            return on_grid(qty, contract.lot, -1)
        return ZERO if (exact(price) - touch) * side.sign > 0 else None


class Known:
    """An order as the account has told of it."""

    def __init__(self, asked):
        self.asked = asked
        self.qty, self.price, self.cum = asked.qty, asked.price, ZERO
        self.waits = asked.order_type.is_conditional
        self.status: Any = OrderStatus.NEW
        self.seq = self.since = 0  # when it was told of last
        self.queue: Any = None
        self.peak: Any = None

    side = property(lambda self: self.asked.side)
    symbol = property(lambda self: self.asked.symbol)
    leaves = property(lambda self: self.qty - self.cum)
    is_market = property(lambda self: not self.asked.order_type.has_limit_price)

    @property
    def falls(self):
        is_profit = "PROFIT" in self.asked.order_type.name
        return (self.side is Side.SELL) != is_profit

    @property
    def level(self):
        if self.asked.order_type is not OrderType.TRAILING_STOP_MARKET:
            return exact(self.asked.trigger_price)
        if self.peak is None:
            return None
        back = exact(self.asked.callback_rate) / 100
        return self.peak * (1 - back if self.falls else 1 + back)

    def watched(self, sight):
        is_mark = self.asked.working_type is WorkingType.MARK_PRICE
        return sight.marked if is_mark else sight.contract

    def observe(self, price):
        if self.asked.order_type is not OrderType.TRAILING_STOP_MARKET or price is None:
            return
        start = self.asked.activation_price
        if self.peak is None:
            begins = start is None or self.reaches(exact(start), price)
            self.peak = price if begins else None
        else:
            self.peak = max(self.peak, price) if self.falls else min(self.peak, price)

    def reaches(self, start, price):
        return price >= start if self.falls else price <= start

    def is_hit(self, price):
        level = self.level
        if level is None or price is None:
            return False
        return price <= level if self.falls else price >= level


class Judge:
    """Hears what the account says, believes none of it, and says what is wrong."""

    def __init__(self, deposit):
        self.deposit = self.wallet = deposit
        self.held: dict[Any, Any] = {}  # symbol: quantity and average price
        self.orders: dict[str, Any] = {}
        self.ended: dict[str, Any] = {}
        self.trades: list[Any] = []
        self.changes = ["deposit-1"]  # it is put in before anybody listens
        self.contracts: dict[Any, Any] = {}
        self.leverages: dict[Any, Any] = {}
        self.sights: dict[Any, Any] = {}
        self.kept: dict[Any, Any] = {}  # marks of the life before, which stand in for unheard ones
        self.now = self.count = 0
        self.cause: Any = None
        self.expected: Any = None
        self.bar: Any = None
        self.paying: dict[Any, Any] = {}
        self.funded: dict[Any, int] = {}
        self.complete: dict[Any, int] = {}  # until when all is charged
        self.charged: dict[Any, list[int]] = {}  # what is charged and fell due later
        self.absent: dict[Any, Any] = {}  # until when nobody was there, and what was held then
        self.early: dict[Any, Any] = {}  # marks before what is shown, where funding came first
        self.is_early = False
        self.is_blind = False  # while it hears of what a process did before it was killed

    # --- a step ------------------------------------------------------------------------------

    def begin(self, cause, now):
        """Work out what has to come of it."""
        is_shown = isinstance(cause, SHOWN)
        now = max(self.now, min(cause.ts, now)) if is_shown else now
        self.now, self.cause = now, cause
        self.expected, self.bar, self.made = None, None, []
        is_timed = not isinstance(cause, Instrument)
        self.paying, self.is_liquidated = (self._due(now, cause) if is_timed else {}), False
        self.late: set[str] = set()  # what came when the bar was over
        self.is_early = False
        self.early = {s: each.worth for s, each in self.sights.items()} if self.paying else {}
        if isinstance(cause, Instrument):
            self.contracts[cause.symbol] = cause
        for order in self.orders.values():
            if is_timed and order.asked.expire_ts is not None and order.asked.expire_ts <= now:
                order.status = None  # it ends before anything else
        sight = self.sights.get(getattr(cause, "symbol", None))
        if isinstance(cause, SHOWN) and self.contracts[cause.symbol].status in CLOSABLE:
            self._see(sight, cause)

    def _see(self, sight: Any, shown: Any) -> None:
        sight.heard_since = sight.heard_since or self.now
        match shown:
            case Trade():
                sight.last, sight.last_ts, sight.has_tape = exact(shown.price), shown.ts, True
                sight.age_mark(shown.ts)
                self.expected = self._printed(shown)
            case Quote():
                sight.age()
                sight.show(shown)
                sight.age_tape(shown.ts)
                if not sight.has_tape:
                    sight.age_mark(shown.ts)
                sight.age()  # it may be an old one itself
                self.expected = self._crossed(shown.symbol, sight)
            case MarkPrice():
                sight.mark, sight.mark_ts = exact(shown.mark_price), shown.ts
                if shown.next_funding_ts is not None:
                    sight.next_ts, sight.rate = shown.next_funding_ts, exact(shown.funding_rate)
            case Bar() if shown.ts > sight.bar_ts:
                sight.bar_ts = shown.ts
                self.bar = shown
                self.late = {n for n, o in self.orders.items() if o.since >= shown.ts}
                return
            case Bar():
                self.expected = []  # it was shown before
            case _:
                pass
        sight.age()
        sight.known = sight.worth
        for order in self._waiting(shown.symbol):
            order.observe(order.watched(sight))

    def _due(self, now, cause):
        """Return what has to be paid now, by symbol: rate, price, when it was due."""
        found: dict[Any, Any] = {}
        for symbol, sight in self.sights.items():
            ahead = cause.ts if isinstance(cause, MarkPrice) and cause.symbol == symbol else now
            due = [(sight.next_ts, sight.rate)] if 0 < sight.next_ts <= max(ahead, now) else []
            if isinstance(cause, Funding) and cause.symbol == symbol:
                due.append((cause.ts, exact(cause.rate)))
            for at, rate in due:
                if at >= self.funded.get(symbol, 0) + 60 * NS_PER_S:
                    self._owe(found, symbol, at, rate)
        return found

    def _owe(self, found, symbol, at, rate):
        mark = self._last(symbol, self.sights[symbol].worth)
        if mark is not None and self.contracts[symbol].status in CLOSABLE:
            self._charge(symbol, at)
            if self.qty(symbol):
                found.setdefault(symbol, []).append((rate, mark, at))

    def _charge(self, symbol, at):
        self.funded[symbol] = at
        self.complete[symbol], self.charged[symbol] = max(self.complete.get(symbol, 0), at), [at]
        self.absent[symbol] = []

    def _line(self, symbol, side):
        found = [
            o
            for o in self.orders.values()
            if (o.symbol, o.side, o.waits) == (symbol, side, False) and o.price and o.status
        ]
        return sorted(found, key=lambda o: (-side.sign * o.price, o.seq))

    def _waiting(self, symbol):
        return [o for o in self.orders.values() if o.waits and o.symbol == symbol]

    def _room(self, order, qty=None):
        if not order.asked.reduce_only:
            return order.leaves
        held = self.qty(order.symbol) if qty is None else qty
        return max(ZERO, min(order.leaves, -held * order.side.sign))

    def _printed(self, trade):
        """Return what a trade fills: through a price up to its size, at it behind the queue."""
        left, expected = on_grid(exact(trade.qty), self.contracts[trade.symbol].lot, -1), []
        held = self.qty(trade.symbol)
        for side in Side:
            for order in self._line(trade.symbol, side):
                past = (exact(order.price) - exact(trade.price)) * side.sign
                if past < 0:
                    break
                can = left
                if past == 0:
                    can = ZERO if order.queue is None else max(ZERO, left - order.queue)
                    order.queue = order.queue and max(ZERO, order.queue - left)
                qty = min(self._room(order, held), can)
                if qty > 0:
                    expected.append((order.asked.cl_ord_id, qty))
                    held += side.sign * qty
                    left -= qty
        return expected

    def _crossed(self, symbol, sight):
        """Return what a quote fills that has come across resting orders, and shorten the queues."""
        expected, held, contract = [], self.qty(symbol), self.contracts[symbol]
        for side in Side:
            for order in self._line(symbol, side):
                touch, there = sight.left[side]
                if not touch or (touch - exact(order.price)) * side.sign > 0:
                    break
                qty = min(self._room(order, held), on_grid(there, contract.lot, -1))
                if qty > 0:
                    expected.append((order.asked.cl_ord_id, qty))
                    held += side.sign * qty
                    sight.left[side][1] = exact(on_grid(there, contract.lot, -1) - qty)
            for order in self._line(symbol, side):
                shown = sight.displayed(side, order.price, contract)
                if shown is not None:
                    order.queue = shown if order.queue is None else min(order.queue, shown)
        return expected

    # --- what is heard -----------------------------------------------------------------------

    def hear(self, message: Any) -> None:
        if not self.is_blind and hasattr(message, "venue_ts"):
            assert message.venue_ts == self.now
        match message:
            case FundingPayment():
                self._paid(message)
            case WalletChange():
                self._moved(message)
            case ExecutionReport(exec_type=ExecType.TRADE):
                self._filled(message)
            case ExecutionReport():
                self._told(message)
            case RequestRefused():
                reasons = self._no_amendment(self.cause)
                assert message.code in reasons, (message, reasons)
            case InstrumentListed():
                assert message.instrument == self.contracts[message.instrument.symbol]
            case _:
                raise AssertionError(message)

    def _last(self, symbol, worth):
        return self.kept.get(symbol) if worth is None else worth

    def qty(self, symbol):
        return self.held.get(symbol, (ZERO, Fraction(0)))[0]

    def _paid(self, payment):
        rate, mark, at = self.paying[payment.symbol].pop(0)
        assert payment.amount == money(-Fraction(self.qty(payment.symbol)) * mark * rate)
        assert str(at) in payment.payment_id
        self._change(payment)

    def _moved(self, change):
        assert change.reason == "insurance"
        assert change.amount == -self.wallet > 0, "no more than what is owed"
        assert not any(self.qty(s) for s in self.held), "while something stands for it"
        self._change(change)

    def _change(self, change):
        name = getattr(change, "payment_id", "") or change.change_id
        assert name not in self.changes
        self.changes.append(name)
        self.wallet += change.amount

    def _told(self, report):
        name = report.cl_ord_id
        order: Any = self.orders.get(name)
        match report.exec_type:
            case ExecType.NEW if order is None:
                self._accepted(report)
                return
            case ExecType.NEW:
                assert order.status is OrderStatus.TRIGGERED
                if self.bar is None:
                    reasons = self.reasons(order, is_triggered=True)
                    assert not reasons, (report, reasons)
                self._stand(order)
            case ExecType.REJECTED:
                reasons = self.reasons(Known(self.cause))
                assert report.code in reasons, (report, reasons)
                return
            case ExecType.TRIGGERED:
                self._triggered(order)
            case ExecType.REPLACED:
                reasons = self._no_amendment(self.cause)
                assert not reasons, (report, reasons)
                order.qty, order.price = report.qty, report.price
                self._stand(order)
            case ExecType.CANCELED | ExecType.EXPIRED:
                self._check_end(order, report)
                del self.orders[name]
                self.ended[name] = order
            case _:
                raise AssertionError(report)
        assert report.cum_qty == order.cum
        order.status, order.since = report.status, self.now

    def _accepted(self, report):
        order = Known(self.cause)
        assert report.cl_ord_id == self.cause.cl_ord_id
        reasons = self.reasons(order)
        assert not reasons, (report, reasons)
        self.orders[report.cl_ord_id] = order
        order.since = self.now
        self.ended.pop(report.cl_ord_id, None)
        self._stand(order)
        if order.waits:
            order.observe(order.watched(self.sights[order.symbol]))

    def _stand(self, order):
        self.count += 1
        order.seq = self.count
        if not order.waits and order.price is not None:
            sight, contract = self.sights[order.symbol], self.contracts[order.symbol]
            order.queue = sight.displayed(order.side, order.price, contract)

    def _triggered(self, order):
        assert order.waits
        sight = self.sights[order.symbol]
        if self.bar is None:
            assert order.is_hit(order.watched(sight)), "nothing triggers it"
        elif order.asked.trigger_price and order.watched(sight) == sight.contract:
            edge = self.bar.low if order.falls else self.bar.high
            edge = self.bar.close if order.asked.cl_ord_id in self.late else edge
            assert order.is_hit(exact(edge)), "the bar does not trigger it"
        order.waits = False

    def _check_end(self, order, report):
        if report.reason == "liquidation" and not self.is_liquidated:
            assert self.bar is not None or self.is_ruined(), "nobody is bankrupt"
            self.is_liquidated = True
        if self.is_liquidated or order.status is None:
            return
        if report.exec_type is ExecType.CANCELED:
            is_asked = getattr(self.cause, "cl_ord_id", "") == report.cl_ord_id
            assert is_asked, "canceled by nobody"
            assert not self._no_amendment(self.cause)
            return
        if order.status is OrderStatus.TRIGGERED and report.code is not None:
            if self.bar is None:
                reasons = self.reasons(order, is_triggered=True)
                assert report.code in reasons, (report, reasons)
        elif report.reason == "reduce only":
            ahead = [o for o in self._line(order.symbol, order.side) if o.asked.reduce_only]
            before = sum((o.leaves for o in ahead[: ahead.index(order)]), ZERO)
            assert -self.qty(order.symbol) * order.side.sign - before <= 0
        elif report.reason == "delisted":
            assert self.contracts[order.symbol].status not in CLOSABLE
        elif report.reason in ("unfilled", "market remainder"):
            is_ioc = order.asked.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
            assert is_ioc or order.is_market
            assert self.bar is not None or not self._room(order) or not self._best(order)
        else:
            assert report.reason == "self trade", report

    def _best(self, order):
        """Return the first offer within an order's limit, or the bound of market orders."""
        sight, contract = self.sights[order.symbol], self.contracts[order.symbol]
        sight.age()
        worst = None if order.is_market else exact(order.price)
        if order.is_market and sight.marked is not None:
            bound = exact(contract.market_take_bound)
            worst = sight.marked * (1 + order.side.sign * bound)
        for price, qty, is_shown in sight.offers(order.side, contract):
            if worst is None or (price - worst) * order.side.sign <= 0:
                return price, qty, is_shown
        return None

    # --- fills -------------------------------------------------------------------------------

    def _filled(self, report):
        assert not self.trades or int(report.trade_id) > self.trades[-1], "an id twice"
        self.trades.append(int(report.trade_id))
        contract, name = self.contracts[report.symbol], report.cl_ord_id
        if "autoclose" in name:
            rate = self._taken_over(report, contract)
        else:
            order = self.orders[name]
            if self.is_blind:
                order.qty, order.price = report.qty, report.price  # it may have been amended
            assert report.last_qty <= self._room(order)
            if not self.is_blind:
                self._check_fill(order, report)
            rate = contract.maker_fee if report.is_maker else contract.taker_fee
            order.cum += report.last_qty
            order.since = self.now
            assert report.cum_qty == order.cum
            assert (report.status is OrderStatus.FILLED) == (order.cum == order.qty)
            order.status = report.status
            if order.cum == order.qty:
                self.ended[name] = self.orders.pop(name)
        assert report.fee == money(exact(report.last_px) * exact(report.last_qty) * exact(rate))
        profit = self._book(report)
        near = {money(profit + each) for each in (0, -TIE, TIE)}
        assert report.realized_pnl in near, (report, near)
        self.wallet += report.realized_pnl - report.fee

    def _taken_over(self, report, contract):
        if report.cl_ord_id.startswith("settlement"):
            rate, price = ZERO, self.settles_at(report.symbol)
            assert contract.status not in CLOSABLE
            assert abs(exact(report.last_px) - price) < Fraction(1, 10**15)
        else:
            if self.bar is None:
                is_known = self.is_liquidated or self.is_blind
                assert is_known or self.is_ruined(), "nobody is bankrupt"
            self.is_liquidated = True
            price, rate = self.settles_at(report.symbol), contract.liquidation_fee
            if self.bar is None:
                assert report.last_px == on_grid(price, contract.tick, report.side.sign)
        assert report.last_qty == abs(self.qty(report.symbol))
        return rate

    def settles_at(self, symbol):
        return self._valued(symbol)[2]

    def _check_fill(self, order, report):
        if report.is_maker:
            assert report.last_px == order.price
            self.made.append((report.cl_ord_id, report.last_qty))
            assert isinstance(self.cause, Trade | Quote | Bar), "no market has met it"
            assert self.cause.symbol == order.symbol
            if self.bar is not None:
                assert report.cl_ord_id not in self.late, "the bar was over"
                edge = exact(self.bar.low if order.side is Side.BUY else self.bar.high)
                assert (exact(order.price) - edge) * order.side.sign > 0, "the bar was not there"
            return
        if self.bar is not None:
            self._check_in_bar(order, report)
            return
        best = self._best(order)
        assert best is not None, "nothing was offered"
        price, qty, is_shown = best
        assert exact(report.last_px) == price, (report, best)
        want = self._room(order)
        assert report.last_qty == (want if qty is None else min(want, qty))
        if is_shown:
            self.sights[order.symbol].left[order.side][1] = exact(qty - report.last_qty)

    def _check_in_bar(self, order, report):
        """A stop fills at its level or worse, a target at its level or where the bar began."""
        bar, px, way = self.bar, exact(report.last_px), order.side.sign
        if order.asked.cl_ord_id in self.late:
            close = exact(bar.close) * (1 + way * HALF_SPREAD)
            assert report.last_px == on_grid(close, self.contracts[order.symbol].tick, way)
            return
        tick, level = exact(self.contracts[order.symbol].tick), order.level
        worst = exact(bar.high if way > 0 else bar.low) * (1 + way * HALF_SPREAD) + way * tick
        assert (px - worst) * way <= 0
        if order.asked.trigger_price is not None and order.asked.working_type.name[0] == "C":
            best = level if order.falls == (way < 0) else exact(bar.open)
            best = best if order.falls == (way < 0) else (min if way > 0 else max)(best, level)
            assert (best - px) * way <= tick, "better than the bar allows"

    def _book(self, report):
        """Move a position by average cost and return the profit."""
        signed, price = report.last_qty * report.side.sign, exact(report.last_px)
        qty, entry = self.held.get(report.symbol, (ZERO, Fraction(0)))
        after, realized = qty + signed, Fraction(0)
        if not qty:  # what fell due before is nobody's
            self.complete[report.symbol], self.charged[report.symbol] = report.venue_ts, []
            self.absent[report.symbol] = []
        if qty * signed >= 0:
            cost = Fraction(qty) * entry + Fraction(signed) * price
            entry = cost / Fraction(after)
        else:
            closed = min(abs(signed), abs(qty))
            realized = (price - entry) * Fraction(closed) * (1 if qty > 0 else -1)
            if after * qty <= 0:
                entry = price if after else Fraction(0)
        self.held[report.symbol] = (after, entry)
        return realized

    # --- margin ------------------------------------------------------------------------------

    def maintenance(self, symbol, notional):
        """Add up the brackets' parts, each at its own rate."""
        total = Fraction(0)
        for bracket in self.contracts[symbol].brackets:
            low, high = Fraction(bracket.notional_floor), Fraction(bracket.notional_cap)
            if bracket is self.contracts[symbol].brackets[-1]:
                high = max(high, notional)
            part = max(Fraction(0), min(notional, high) - low)
            total += part * Fraction(bracket.maint_margin_ratio)
        return total

    def _valued(self, symbol):
        qty, entry = self.held.get(symbol, (ZERO, Fraction(0)))
        mark = self._last(symbol, self.heard(symbol))
        return Fraction(qty), entry, entry if mark is None else mark

    def heard(self, symbol):
        return self.early.get(symbol) if self.is_early else self.sights[symbol].worth

    def is_ruined(self):
        """Tell whether the account is, or was by funding before what is shown."""
        self.is_early = bool(self.early)
        if self.is_early and self.is_bankrupt():
            return True
        self.is_early = False
        return self.is_bankrupt()

    def is_bankrupt(self):
        """Tell so; what he holds is waited for, but for what is halted, and no longer than 60 s."""
        since = min(
            (s.heard_since for s in self.sights.values() if s.heard_since), default=self.now
        )
        if self.now <= since + 60 * NS_PER_S and any(map(self._is_unheard, self.held)):
            return False
        equity, needed = Fraction(self.wallet), Fraction(0)
        for symbol in self.held:
            qty, entry, mark = self._valued(symbol)
            equity += qty * (mark - entry)
            needed += self.maintenance(symbol, abs(qty) * mark)
        return 0 < needed >= equity

    def _is_unheard(self, symbol):
        is_closable = self.contracts[symbol].status in CLOSABLE
        return bool(self.qty(symbol)) and is_closable and self.heard(symbol) is None

    def edge(self, symbol):
        """Return the marks on both sides of a position's liquidation: solvent, and bankrupt."""
        contract, sight = self.contracts[symbol], self.sights[symbol]
        before, way = sight.marked, -1 if self.qty(symbol) > 0 else 1
        low = on_grid(before, contract.tick, 1) / contract.tick
        high = Decimal(1) if way < 0 else low * 3
        kept, sight.mark = sight.mark, None
        while abs(high - low) > 1:
            middle = (low + high) // 2
            sight.mark = exact(middle * contract.tick)
            low, high = (low, middle) if self.is_bankrupt() else (middle, high)
        sight.mark = kept
        return low * contract.tick, high * contract.tick

    def leverage(self, symbol):
        most = max(b.max_leverage for b in self.contracts[symbol].brackets)
        return min(self.leverages[symbol], most)

    def _tied(self, symbol, leave_out=None, more=(ZERO, ZERO, None)):
        """Return what a symbol ties up: the worse of both sides, were all of it to fill."""
        qty, _, mark = self._valued(symbol)
        sums = {Side.BUY: Fraction(0), Side.SELL: Fraction(0)}
        for side in Side:
            for order in self._line(symbol, side):
                if order is not leave_out and not order.asked.reduce_only:
                    sums[side] += exact(order.leaves) * exact(order.price)
        if more[2] is not None:
            sums[more[2]] += exact(more[0]) * exact(more[1])
        reach = max(abs(qty * mark + sums[Side.BUY]), abs(qty * mark - sums[Side.SELL]))
        return reach / self.leverage(symbol), sums

    def _headroom(self, leave_out=None):
        room = Fraction(self.wallet)
        for symbol in self.contracts:
            qty, entry, mark = self._valued(symbol)
            room += qty * (mark - entry) - self._tied(symbol, leave_out)[0]
        return room

    def exposure(self, order, qty, price, leave_out=None):
        """Return the codes of what speaks against that much more."""
        symbol, sign, found = order.symbol, order.side.sign, set()
        brackets, leverage = self.contracts[symbol].brackets, self.leverage(symbol)
        held, _, mark = self._valued(symbol)
        before, _ = self._tied(symbol, leave_out)
        after, sums = self._tied(symbol, leave_out, (qty, price, order.side))
        most = max(b.notional_cap for b in brackets if b.max_leverage >= leverage)
        if held * mark * sign + sums[order.side] > most:
            found.add(-2027)
        marked = self.sights[symbol].marked
        loss = (exact(price) - (exact(price) if marked is None else marked)) * exact(qty) * sign
        if after > before and after - before + max(0, loss) > self._headroom(leave_out):
            found.add(-2019)
        return found

    # --- refusals ----------------------------------------------------------------------------

    def reasons(self, order, *, is_triggered=False):
        """Return the codes of all that speaks against an order now."""
        asked, contract, found = order.asked, self.contracts.get(order.symbol), set()
        if contract is None:
            return {-1121}
        if contract.status != "TRADING":
            can = asked.reduce_only and contract.status in CLOSABLE
            found |= set() if can else {-4141 if asked.reduce_only else -4140}
        sight = self.sights[order.symbol]
        sight.age()
        if not is_triggered:
            found |= self._form(order, contract, sight)
            if order.waits:
                price, start = order.watched(sight), asked.activation_price
                is_hit = order.is_hit(price)
                if start is not None and price is not None:
                    is_hit = order.reaches(exact(start), price)
                return found | ({-2021} if is_hit else set())
        return found | self._entering(order, contract, sight, is_triggered=is_triggered)

    def _form(self, order, contract, sight):
        asked, found = order.asked, set()
        if asked.cl_ord_id in self.orders:
            found.add(-4116)
        if order.qty > (contract.max_market_qty if order.is_market else contract.max_qty):
            found.add(-4005)
        if order.qty % contract.lot:
            found.add(-4023)
        found |= self._band(order, order.price, contract, sight) if not order.waits else set()
        worth = order.price or asked.trigger_price or asked.activation_price or sight.marked
        if not asked.reduce_only and worth is not None:
            found |= {-4164} if exact(order.qty) * exact(worth) < contract.min_notional else set()
        return found

    def _band(self, order, price, contract, sight):
        if price is None or sight.marked is None:
            return set()
        if order.side is Side.BUY and exact(price) > sight.marked * exact(contract.price_up):
            return {-4016}
        is_low = exact(price) < sight.marked * exact(contract.price_down)
        return {-4024} if order.side is Side.SELL and is_low else set()

    def _entering(self, order, contract, sight, *, is_triggered):
        asked, found, offers = order.asked, set(), sight.offers(order.side, contract)
        best = min((p * order.side.sign for p, *_ in offers), default=None)
        own = [o.price for o in self._line(order.symbol, order.side.opposite)][:1]
        best = min(
            [exact(p) * order.side.sign for p in own] + [best] * (best is not None), default=None
        )
        best = None if best is None else best * order.side.sign
        price = order.price if not order.is_market else best if best is not None else sight.marked
        if price is None:
            return {-2020}
        if is_triggered and not order.is_market:
            found |= self._band(order, order.price, contract, sight)
        if order.is_market:
            found |= self._past_bound(order, best, contract, sight)
        elif asked.time_in_force is TimeInForce.GTX and best is not None:
            found |= {-5022} if (best - exact(order.price)) * order.side.sign <= 0 else set()
        elif asked.time_in_force is TimeInForce.FOK and not self._is_there(order, offers):
            found.add(-5021)
        if asked.reduce_only:
            return found | self._no_reduction(order)
        return found | self.exposure(order, order.leaves, price, leave_out=order)

    def _past_bound(self, order, best, contract, sight):
        if best is None:
            return {-2020}
        if sight.marked is None:
            return set()
        worst = sight.marked * (1 + order.side.sign * exact(contract.market_take_bound))
        return {-4131} if (best - worst) * order.side.sign > 0 else set()

    def _is_there(self, order, offers):
        total = ZERO
        for price, qty, _ in offers:
            if (price - exact(order.price)) * order.side.sign <= 0:
                total += order.leaves if qty is None else qty
        return total >= order.leaves

    def _no_reduction(self, order):
        held = -self.qty(order.symbol) * order.side.sign
        rests = not order.is_market and order.asked.time_in_force not in (
            TimeInForce.IOC,
            TimeInForce.FOK,
        )
        ahead = [
            o.leaves
            for o in self._line(order.symbol, order.side)
            if o is not order
            and o.asked.reduce_only
            and (o.price - (order.price or ZERO)) * order.side.sign >= 0
        ]
        return {-2022} if held <= 0 or (rests and held <= sum(ahead, ZERO)) else set()

    def _no_amendment(self, command):
        """Return the codes of what speaks against a cancel or an amendment."""
        order = self.orders.get(command.cl_ord_id)
        if order is not None and order.symbol != command.symbol:
            order = None
        if not hasattr(command, "price"):
            is_there = order is not None and command.is_conditional is order.waits
            return set() if is_there else {-2011}
        if order is None or order.waits:
            return {-2013}
        contract, sight = self.contracts[order.symbol], self.sights[order.symbol]
        found = set() if contract.status == "TRADING" else {-5024}
        if (order.qty, order.price) == (command.qty, command.price):
            found.add(-5027)
        found |= self._band(order, command.price, contract, sight)
        if not order.asked.reduce_only:
            if command.qty * command.price < contract.min_notional:
                found.add(-5029)
            if command.qty > order.cum:
                leaves = command.qty - order.cum
                found |= self.exposure(order, leaves, command.price, leave_out=order)
        return found

    # --- when a step is over -----------------------------------------------------------------

    def end(self, snapshot):
        """Compare the books, and see that nothing was left out."""
        self.is_early = False
        assert self.is_liquidated or not any(self.paying.values()), "funding was not paid"
        if self.bar is not None:
            self._walk()
        if self.expected is not None and not self.is_liquidated:
            assert self.made == self.expected, (self.made, self.expected)
        for order in self.orders.values():
            assert order.status is not None, "past its date"
            price = order.watched(self.sights[order.symbol]) if order.waits else None
            is_open = self.contracts[order.symbol].status in CLOSABLE
            if order.waits and is_open and self.bar is None:
                assert not order.is_hit(price), (order.asked, price)
        symbol = getattr(self.cause, "symbol", None)
        is_marked = isinstance(self.cause, MarkPrice)
        if isinstance(self.cause, Trade | Bar) and self.sights[symbol].mark is None:
            is_marked = True
        if is_marked and self.qty(symbol) and self.contracts[symbol].status in CLOSABLE:
            assert not self.is_bankrupt(), "it is bankrupt"
        for symbol, side in itertools.product(self.contracts, Side):
            left = -self.qty(symbol) * side.sign
            for order in self._line(symbol, side):
                assert left > 0 or not order.asked.reduce_only, "it has nothing left to reduce"
                left -= order.leaves if order.asked.reduce_only else 0
        assert self.wallet >= 0 or any(map(self.qty, self.held)), "nothing stands for what is owed"
        self.compare(snapshot)

    def _walk(self):
        """Lead the price through a bar: what waits still was not met on the way."""
        sight, bar = self.sights[self.bar.symbol], self.bar
        is_low_near = bar.open - bar.low <= bar.high - bar.open
        ends = (bar.low, bar.high) if is_low_near else (bar.high, bar.low)
        for number, price in enumerate((bar.open, *ends, bar.close)):
            sight.last, is_over = exact(price), number == 3
            for order in self._waiting(bar.symbol):
                if order.asked.cl_ord_id in self.late and not is_over:
                    continue
                order.observe(order.watched(sight))
                assert not order.is_hit(order.watched(sight)), "the bar triggers it"

    def miss(self, now):
        """Return since when funding may be unpaid, by symbol: nobody was there until now."""
        for symbol in self.held:
            self.absent.setdefault(symbol, []).append((now, self.qty(symbol)))
        owed = [s for s, each in self.absent.items() if any(qty for _, qty in each)]
        return {symbol: self.complete[symbol] + 1 for symbol in owed}

    def pay(self, funding):
        """Charge what fell due while nobody was there."""
        near = [abs(funding.ts - each) < 60 * NS_PER_S for each in self.charged[funding.symbol]]
        if funding.ts > self.complete[funding.symbol] and not any(near):
            self.charged[funding.symbol].append(funding.ts)
            self.funded[funding.symbol] = max(self.funded.get(funding.symbol, 0), funding.ts)
            held = [qty for until, qty in self.absent[funding.symbol] if funding.ts <= until]
            worth = Fraction(held[0]) * exact(funding.mark_price)
            amount = money(-worth * exact(funding.rate))
            if amount:
                self.wallet += amount
                self.changes.append(f"funding-{funding.symbol}-{funding.ts}")

    def leverage_refusal(self, symbol, leverage):
        """Return why what is open is past a leverage: its cap, or the margin that it takes."""
        if leverage == self.leverage(symbol):
            return None
        before, sums = self._tied(symbol)
        most = [
            b.notional_cap for b in self.contracts[symbol].brackets if b.max_leverage >= leverage
        ]
        qty, _, mark = self._valued(symbol)
        reach = max(abs(qty * mark + sums[Side.BUY]), abs(qty * mark - sums[Side.SELL]))
        more = reach / leverage - before
        if reach > max(most):
            return -2027
        return -2028 if more > 0 and more > self._headroom() else None

    def compare(self, snapshot):
        assert snapshot.balances == {"USDT": self.wallet}
        told = {p.symbol: p for p in snapshot.positions if p.qty}
        assert {s: p.qty for s, p in told.items()} == {s: q for s, (q, _) in self.held.items() if q}
        for symbol, position in told.items():
            assert abs(exact(position.entry_price) - self.held[symbol][1]) < Fraction(1, 10**15)
        listed = {o.cl_ord_id: (o.qty, o.price, o.cum_qty, o.status) for o in snapshot.orders}
        assert listed == {
            name: (o.qty, o.price, o.cum, o.status) for name, o in self.orders.items()
        }
        assert [int(t.trade_id) for t in snapshot.trades] == self.trades
        names = [getattr(c, "payment_id", "") or c.change_id for c in snapshot.changes]
        assert names == self.changes
