"""Venues of one or two accounts, and the processes of a session that live and die beside them.

Requests are carried out when they arrive, if they do; what is told of that comes in any order or
not at all. An account's stream may break, its address be banned, its requests go nowhere. Strangers
trade there too. A process is what the shell is to the engine: it starts the session, lets its time
pass, audits it, leaves it once it is STOPPED, and is followed by another.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from holdfast.engine.account import OPENING
from holdfast.engine.engine import Engine
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import InputError, SessionStateError, UnknownOrderError
from holdfast.model.instrument import Instrument
from holdfast.model.margin import book_fill
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    MAIN,
    NS_PER_DAY,
    NS_PER_MS,
    NS_PER_S,
    ZERO,
    AccountId,
    ClOrdId,
    NewOrder,
    OrderStatus,
    SessionId,
    StrategyId,
    TradeId,
)
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.rig import BTC, ETH, START, Rig, contract

S = OrderStatus
OTHER = AccountId("other")
SYMBOLS = (BTC, ETH)
STRATEGIES = (StrategyId("a"), StrategyId("b"))
FIRST = Decimal(10_000)
PATIENCE_S = 30
"""How long a process waits for its stop before it leaves it to the next one."""

ENDS = {S.CANCELED: ExecType.CANCELED, S.EXPIRED: ExecType.EXPIRED}
REFUSED = (SessionStateError, InputError, UnknownOrderError)


@dataclass(slots=True, eq=False)
class VenueOrder:
    """An order as the venue has it."""

    asked: NewOrder
    number: str
    is_ours: bool = True
    status: OrderStatus = S.NEW
    cum_qty: Decimal = ZERO
    is_waiting: bool = False

    @property
    def leaves_qty(self):
        return self.asked.qty - self.cum_qty if self.status.is_open else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What goes wrong: shares of the requests and of what is told."""

    faults: float = 0.0  # of requests that are refused, lost or not answered
    dropped: float = 0.0  # of what happens that the stream does not tell
    slow_s: float = 0.0  # the most that a request, or what is told, takes


CALM = Weather()


@dataclass(slots=True, eq=False)
class Books:
    """One account at its venue, and the roads to it."""

    name: AccountId
    qty: dict[str, Decimal] = field(default_factory=dict)
    entry_price: dict[str, Decimal] = field(default_factory=dict)
    wallet: Decimal = FIRST
    orders: dict[str, VenueOrder] = field(default_factory=dict)
    trades: list[msg.ExecutionReport] = field(default_factory=list)
    contracts: dict[str, Instrument] = field(default_factory=dict)
    is_told: bool = True  # its stream comes
    is_reachable: bool = True
    banned_until: int = 0
    strangers_ts: int = 0  # when somebody else traded last
    problem: str = ""
    wanted: int | None = None
    is_reading: bool = False

    def find(self, command):
        """Return the order that a request is about: by its name, or by the venue's number."""
        number = command.venue_order_id
        if number:
            return next(order for order in self.orders.values() if order.number == number)
        return self.orders.get(command.cl_ord_id)

    def open_orders(self):
        return [order for order in self.orders.values() if order.status.is_open]


class House:
    """The session's processes, and the venues of its accounts.

    `RIG`, `NAMES`, `LIMITS` and `SETTINGS` are for those who look at other things: see `accounts_house`.

    Args:
        lots: draws all that is left to chance.
        weather: until it is calm.
        has_two: whether the session has a second account.
        watch: looks at what is said and done; see `Watch`.
    """

    RIG: Any = Rig
    NAMES: tuple[AccountId, ...] = (MAIN, OTHER)
    LIMITS: ClassVar[dict[str, Decimal]] = {}
    SETTINGS: Any = None

    def __init__(self, lots, weather, *, has_two, watch):
        self.lots, self.weather, self.watch = lots, weather, watch
        watch.house = self
        names = self.NAMES if has_two else (MAIN,)
        self.accounts = {name: Books(name) for name in names}
        for books in self.accounts.values():
            for symbol in SYMBOLS:
                books.contracts[symbol] = contract(
                    symbol, lot=Decimal("0.1"), min_qty=Decimal("0.1")
                )
                is_held = lots.random() < 0.15  # somebody has opened it by hand
                books.qty[symbol] = Decimal(lots.choice((-1, 2))) if is_held else ZERO
                books.entry_price[symbol] = Decimal(100) if is_held else ZERO
        limits = {
            "disabled": ("correlation", "volatility", "daily_loss", "duplicate", "margin"),
            "position_size_pct": Decimal(5),
            "max_executions": 1_000,
            "max_messages": 5_000,
            **self.LIMITS,
        }
        self.rig = self.RIG(
            start=False,
            limits=limits,
            stop_loss_pct=ZERO,
            take_profit_pct=ZERO,
            cancel_entries_on_pause=lots.random() < 0.7,
            foreign_order_policy=lots.choice(("adopt", "adopt", "cancel")),
            **(self.SETTINGS or {}),
        )
        late_s = lots.choice((0, 0, 0, 20, 40))  # how long before midnight it begins
        self.now = (START // NS_PER_DAY + 1) * NS_PER_DAY - late_s * NS_PER_S if late_s else START
        self.life, self.epoch, self.is_down, self.kept = 0, 0, True, None
        self.began = self.now
        self.session, self.stop_asked_ts = 0, 0
        self.goes_on = True  # another process follows one whose session has ended
        self._names = itertools.count(1)
        self._due, self._seq = [], itertools.count()
        self._on_their_way: dict[str, NewOrder] = {}
        self.begin()

    @property
    def state(self):
        return self.rig.engine.state

    def books_of(self, name):
        return self.accounts[name]

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
        return self.lots.choice((0.005, 0.02, 0.1, self.lots.random() * self.weather.slow_s))

    # Processes

    def begin(self):
        """Start a process: it goes on with a session that was cut off."""
        if not self.is_down:
            return
        self.life, self.epoch, self.is_down, self.kept = self.life + 1, self.epoch + 1, False, None
        rig, life = self.rig, self.life
        rig.now = self.now
        facts = msgspec.json.decode(msgspec.json.encode(rig.facts), type=list[ev.Event])
        rig.engine = Engine(rig.settings, facts)
        ended = (Status.STOPPED, Status.ERROR)
        goes_on = self.state.status not in ended or self.state.is_to_stop
        is_resumed = bool(self.state.session_id) and goes_on
        self.session += not is_resumed
        self.watch.begins(is_resumed=is_resumed)
        for books in self.accounts.values():
            books.wanted, books.is_reading, books.is_told, books.problem = None, False, True, ""
        self.hear(
            life,
            msg.StartSession(
                session_id=SessionId(f"x{self.session}"),
                portfolio_id="p",
                epoch=self.epoch,
                accounts=tuple(self.accounts),
                strategies=STRATEGIES,
                symbols=SYMBOLS,
                is_resumed=is_resumed,
            ),
        )
        for books in self.accounts.values():
            for symbol in SYMBOLS:
                self.list_contract(books, symbol)
        self.after(1, self._tick, life, False)
        self.after(10, self._audit, life)

    def list_contract(self, books, symbol):
        listed = msg.InstrumentListed(
            account=books.name, instrument=books.contracts[symbol], leverage=10
        )
        self.hear(self.life, listed)

    def die(self, down_s):
        """Kill the process, and start another."""
        if not self.is_down:
            self.is_down, self.kept, self.stop_asked_ts = True, None, 0
            self.after(down_s, self.begin)

    def die_in_the_act(self, down_s, kept):
        """Kill it at its next decision: of its facts, or of what it sends then, a share is kept."""
        self.kept = (down_s, kept)

    def lose_power(self, down_s):
        """End the process, and the last facts with it, though what they led to has left."""
        if not self.is_down:
            facts = self.rig.facts
            firm = max(i for i, fact in enumerate(facts) if _is_firm(fact)) + 1
            del facts[max(firm, len(facts) - self.lots.randint(1, 6)) :]
            self.die(down_s)
            self.watch.reads(Engine(self.rig.settings, self.rig.facts).state)

    def _is_there(self, life):
        return life == self.life and not self.is_down

    def _tick(self, life, is_attached):
        self.rig.now = self.now
        for symbol in SYMBOLS:
            self.rig.price(100, symbol)
        self.hear(life, msg.Tick())
        if self._is_there(life) and self.state.status is Status.STARTING:
            self._ask_for_books(life)
        elif not is_attached:
            is_attached = True
            for name in STRATEGIES:
                self.hear(life, msg.StrategyAttached(strategy_id=name, description=name))
        is_late = self.now - self.stop_asked_ts > PATIENCE_S * NS_PER_S
        if self.stop_asked_ts and is_late:
            self._leave(life)
        if self._is_there(life):
            self.after(1, self._tick, life, is_attached)

    def _ask_for_books(self, life):
        """Ask once more for books that did not come, or did not agree."""
        for name, books in self.accounts.items():
            is_ready = name in self.rig.engine.core.start_looks
            if not is_ready and books.wanted is None and not books.is_reading:
                self.hear(life, msg.AuditDue(account=name, reason="start"))

    def _leave(self, life):
        """Give a stop up that takes too long; one in ERROR is reset."""
        if self.state.status is Status.ERROR:
            self.hear(life, msg.ResetSession(reason="left"))
        else:
            self.die(1)

    def _audit(self, life):
        for name in self.accounts:
            if self._is_there(life):
                self.hear(life, msg.AuditDue(account=name, reason="audit"))
        if self._is_there(life):
            self.after(10, self._audit, life)

    def hear(self, life, message):
        """Tell the process something; what it does of that may be cut short by its end."""
        if not self._is_there(life):
            return
        self.rig.now = self.now
        self.watch.hears(message)
        self.rig.hear(message)
        news, asked = self.rig.news, self.rig.asked
        self.rig.asked = []
        if self.kept is not None and news:
            down_s, kept = self.kept
            if kept < 1:
                lost = len(news) - round(kept * len(news))
                del self.rig.facts[len(self.rig.facts) - lost :]
                del news[len(news) - lost :]
                asked = []
            else:
                asked = asked[: self.lots.randint(0, len(asked))]
            self.watch.told(message, news, is_cut=True)
            self._carry_out(asked)
            self.die(down_s)
        else:
            self.watch.told(message, news, is_cut=False)
            self._carry_out(asked)
        if self._is_there(life) and self.state.status is Status.STOPPED:
            self.is_down, self.stop_asked_ts = True, 0
            if self.goes_on:
                self.after(self.lots.choice((1, 5, 20)), self.begin)

    def ask(self, message):
        """Have a person ask for something; return why it was refused, None where it was not."""
        if self.is_down:
            return self._leave_word(message)
        try:
            self.hear(self.life, message)
        except REFUSED as error:
            return error
        if isinstance(message, msg.StopSession) and not self.is_down:
            self.stop_asked_ts = self.stop_asked_ts or self.now
        return None

    def _leave_word(self, message):
        """Put a kill, a release, a pause or a resume into the journal of a session that is down."""
        switch = (ev.KillSwitchEngaged, ev.KillSwitchReleased)
        is_switch = isinstance(message, msg.EngageKillSwitch | msg.ReleaseKillSwitch)
        if not is_switch and not isinstance(message, msg.PauseSession | msg.ResumeSession):
            return SessionStateError("no session runs")
        engine = Engine(self.rig.settings, self.rig.facts)
        try:
            outcome = engine.handle(message, 0)
        except REFUSED as error:
            return error
        facts = [
            f for f in outcome.facts if isinstance(f, switch if is_switch else ev.SessionChanged)
        ]
        self.rig.facts += facts
        self.watch.left(message)
        return None

    # What the session asks for

    def _carry_out(self, commands):
        for command in commands:
            self.watch.sends(command)
            match command:
                case cmd.SubmitOrder():
                    self._send(command, self.accounts[command.order.account], self._submit)
                case cmd.CancelOrder():
                    self._send(command, self.accounts[command.account], self._cancel)
                case cmd.QueryOrder():
                    books = self.accounts[command.account]
                    if self._answers(books):
                        self.after(self.soon(), self._answer, self.life, command, self.now)
                case cmd.Resync():
                    books, since = self.accounts[command.account], command.trades_since
                    books.wanted = since if books.wanted is None else min(books.wanted, since)
                    self._read_if_free(books)
                case cmd.SetTimer():
                    wait_s = max(command.due_ts - self.now, 0) / NS_PER_S
                    fired = msg.TimerFired(parent_id=command.parent_id)
                    self.after(wait_s, self.hear, self.life, fired)
                case _:
                    pass  # for people

    def _answers(self, books):
        is_open = books.is_reachable and books.banned_until <= self.now
        return is_open and self.lots.random() >= self.weather.faults

    def _send(self, command, books, arrive):
        """Let a request go its way: there, lost, there and not answered, or refused on the way."""
        if books.banned_until > self.now:
            fate = "unsent"
        elif not books.is_reachable:
            fate = self.lots.choice(("lost", "unsent"))
        elif self.lots.random() < self.weather.faults:
            fate = self.lots.choice(("lost", "deaf", "refused", "unsent"))
        else:
            fate = "done"
        if fate in {"lost", "deaf"}:
            wait_s = self.lots.choice((0.1, 1, 3, None))
            if wait_s is not None:  # else nobody ever says a word
                self.after(wait_s, self.hear, self.life, _unknown(command))
        if fate in {"done", "deaf"}:
            if isinstance(command, cmd.SubmitOrder):
                self._on_their_way[command.order.cl_ord_id] = command.order
            self.after(self.soon(), arrive, self.life, books, command, fate == "done")
        elif fate != "lost":
            code = -2010 if fate == "refused" else None
            self.after(self.soon(), self.hear, self.life, self._refusal(command, code))

    def _submit(self, life, books, command, is_heard):
        asked = command.order
        del self._on_their_way[asked.cl_ord_id]
        instrument = books.contracts[asked.symbol]
        is_late = self.now > command.ts + command.recv_window_ns
        held = max(-books.qty[asked.symbol] * asked.side.sign, ZERO)
        is_shut = not (instrument.is_trading or (asked.reduce_only and instrument.can_be_closed))
        is_waiting = asked.order_type.is_conditional
        if is_late or is_shut or (asked.reduce_only and not held and not is_waiting):
            if is_heard:
                self.after(self.soon(), self.hear, life, self._refusal(command, -2022))
            return
        order = VenueOrder(asked, f"n{next(self._names)}", is_waiting=is_waiting)
        books.orders[asked.cl_ord_id] = order
        report = self._say(books, order, ExecType.NEW)
        if is_heard:
            self.after(self.soon(), self.hear, life, report)
        if not is_waiting and asked.price is None:
            self.execute(books, order)

    def _cancel(self, life, books, command, is_heard):
        order = books.find(command)
        is_late = self.now > command.ts + command.recv_window_ns
        if order is None or not order.status.is_open or is_late:
            if is_heard:
                self.after(self.soon(), self.hear, life, self._refusal(command, -2011))
            return
        report = self.end(books, order, S.CANCELED)
        if is_heard:
            self.after(self.soon(), self.hear, life, report)

    def _answer(self, life, command, asked_ts):
        books = self.books_of(command.account)
        order = books.find(command)
        if order is None:
            answer = msg.OrderNotFound(
                account=books.name,
                symbol=command.symbol,
                cl_ord_id=command.cl_ord_id,
                asked_ts=asked_ts,
            )
        else:
            answer = self._row(books, order, ExecType.STATUS, asked_ts=asked_ts)
        self.after(self.soon(), self.hear, life, answer)

    def _refusal(self, command, code):
        if not isinstance(command, cmd.SubmitOrder):
            return msg.RequestRefused(
                account=command.account,
                symbol=command.symbol,
                cl_ord_id=command.cl_ord_id,
                request=msg.Request.CANCEL,
                code=code,
                reason="no",
            )
        order = VenueOrder(command.order, "", status=S.REJECTED)
        books = self.books_of(command.order.account)
        return self._row(books, order, ExecType.REJECTED, code=code, reason="no")

    # What happens to orders

    def _row(self, books, order, kind, **fields):
        asked = order.asked
        return msg.ExecutionReport(
            account=books.name,
            symbol=asked.symbol,
            cl_ord_id=asked.cl_ord_id,
            exec_type=kind,
            status=order.status,
            side=asked.side,
            venue_ts=self.now,
            venue_order_id=order.number,
            order_type=asked.order_type,
            qty=asked.qty,
            price=asked.price,
            trigger_price=asked.trigger_price,
            reduce_only=asked.reduce_only,
            cum_qty=order.cum_qty,
            **fields,
        )

    def _say(self, books, order, kind, **fields):
        """Tell of an order over the stream."""
        report = self._row(books, order, kind, **fields)
        if books.is_told and self.lots.random() >= self.weather.dropped:
            self.after(self.soon(), self.hear, self.life, report)
        return report

    def end(self, books, order, status):
        order.status, order.is_waiting = status, False
        return self._say(books, order, ENDS[status])

    def execute(self, books, order):
        """Fill an order at the market: at once, or in two parts."""
        if not order.status.is_open:
            return
        asked, room = order.asked, order.leaves_qty
        if not books.contracts[asked.symbol].can_be_closed:
            return
        if asked.reduce_only:
            room = min(room, max(-books.qty[asked.symbol] * asked.side.sign, ZERO))
        if not room:
            self.end(books, order, S.EXPIRED)
            return
        half = (room / 2).quantize(Decimal("0.1"))
        part = room if self.lots.random() < 0.7 or not half else half
        self.fill(books, order, part)
        if order.status.is_open:
            self.after(self.lots.choice((0, 0.05, 0.5)), self.execute, books, order)

    def fill(self, books, order, part):
        order.cum_qty += part
        order.status = S.FILLED if order.cum_qty == order.asked.qty else S.PARTIALLY_FILLED
        order.is_waiting = False
        asked = order.asked
        self.now += NS_PER_MS
        signed = part * asked.side.sign
        price = asked.price or Decimal(100)
        booked = book_fill(books.qty[asked.symbol], books.entry_price[asked.symbol], signed, price)
        fee = part / 100
        books.qty[asked.symbol], books.entry_price[asked.symbol] = booked.qty, booked.entry_price
        books.wallet += booked.realized - fee
        report = self._say(
            books,
            order,
            ExecType.TRADE,
            last_qty=part,
            last_px=price,
            trade_id=TradeId(str(next(self._names))),
            fee=fee,
            realized_pnl=booked.realized,
        )
        books.trades.append(report)

    def trigger(self, books, order):
        """Let a conditional order become one at the market."""
        order.is_waiting, order.status = False, S.TRIGGERED
        self._say(books, order, ExecType.TRIGGERED)
        self.after(self.lots.choice((0, 0.1)), self.execute, books, order)

    def strangers_order(self, books, symbol, side, qty, price):
        """Place an order of somebody else's; without a price it fills at once."""
        asked = NewOrder(
            cl_ord_id=ClOrdId(f"web-{next(self._names)}"),
            account=books.name,
            symbol=symbol,
            side=side,
            qty=qty,
            price=price,
        )
        order = VenueOrder(asked, f"n{next(self._names)}", is_ours=False)
        books.orders[asked.cl_ord_id] = order
        self._say(books, order, ExecType.NEW)
        books.strangers_ts = self.now
        if price is None:
            self.fill(books, order, qty)

    # What is read of the books

    def _read_if_free(self, books):
        if not books.is_reading and books.wanted is not None:
            books.is_reading, since, books.wanted = True, books.wanted, None
            self.after(self.soon(), self._read, self.life, books, self.now, since)

    def _read(self, life, books, asked_ts, since):
        if not self._is_there(life):
            return
        if not self._answers(books):
            books.is_reading = False  # an audit asks once more
            return
        rows = [self._row(books, each, ExecType.STATUS) for each in books.open_orders()]
        positions = [
            msg.VenuePosition(symbol=symbol, qty=qty, entry_price=books.entry_price[symbol])
            for symbol, qty in books.qty.items()
            if qty
        ]
        snapshot = msg.VenueSnapshot(
            account=books.name,
            asked_ts=asked_ts,
            taken_ts=self.now,
            orders=tuple(rows),
            positions=tuple(positions),
            balances={"USDT": books.wallet},
            trades=tuple(t for t in books.trades if t.venue_ts >= since),
            trades_since=since,
        )
        self.after(self.soon(), self._told_books, life, books, snapshot)

    def _told_books(self, life, books, snapshot):
        if self._is_there(life):
            self.hear(life, snapshot)
            books.is_reading = False
            self._read_if_free(books)

    # What is true, whoever knows it

    def entries(self, books):
        """Return our entries that rest at the venue, or are on their way there."""
        there = [o.asked for o in books.open_orders() if o.is_ours]
        way = [o for o in self._on_their_way.values() if o.account == books.name]
        return [o for o in (*there, *way) if not o.reduce_only]


def _is_firm(fact):
    """Tell whether a fact is on the disk: a start, and the books that it begins."""
    is_opening = isinstance(fact, ev.WalletChanged) and fact.reason == OPENING
    return is_opening or isinstance(fact, ev.EpochStarted)


def _unknown(command):
    is_submit = isinstance(command, cmd.SubmitOrder)
    order = command.order if is_submit else command
    return msg.OutcomeUnknown(
        account=order.account,
        symbol=order.symbol,
        cl_ord_id=order.cl_ord_id,
        request=msg.Request.SUBMIT if is_submit else msg.Request.CANCEL,
        reason="time-out",
    )
