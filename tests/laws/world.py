"""A small world for the laws: the real engine against the real exchange over a bad road.

A script is a list of steps and a road; it replays exactly. `World.run` plays the steps under
faults and then lets things calm down. What the laws are judged by is recorded on the venue's
side while it happens.
"""

from __future__ import annotations

import heapq
import itertools
import weakref
from collections import Counter
from decimal import Decimal

import msgspec

from holdfast.engine.engine import Engine, Outcome
from holdfast.engine.market import QUOTE_OLD_NS
from holdfast.engine.state import State
from holdfast.exchange import OrderKey
from holdfast.journal import MemoryJournal
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import (
    IllegalTransition,
    InputError,
    SessionStateError,
    UnknownOrderError,
)
from holdfast.model.market import MarketData, Quote, Trade
from holdfast.model.settings import EngineSettings, RiskLimits
from holdfast.model.values import (
    MAIN,
    NS_PER_MS,
    NS_PER_S,
    ZERO,
    ClOrdId,
    ParentId,
    SessionId,
    Symbol,
    TradingSessionStatus,
)
from holdfast.runtime.recovery import StateRecoveryService

from .records import Sent, Withdrawn, amending, sending, withdrawing
from .road import GOOD, Delivery, Road
from .steps import BTC, HOME, STEPS, SYMBOLS, Killed, Step

START = 1_700_000_000 * NS_PER_S
AUDIT_NS = 10 * NS_PER_S
CALM_SECONDS_MAX = 90
STILL_SECONDS = 25
"""How long nothing must happen before the world counts as at rest."""

MESSAGES_IN_A_STEP_MAX = 1_000
"""What one step may lead to; more mean that something feeds itself."""

LIMITS = RiskLimits(
    max_daily_loss_pct=Decimal("0.9"),
    min_free_margin_pct=Decimal("0.01"),
    volatility_max=Decimal(10**6),
    max_executions=10**6,
    max_messages=10**6,
    disabled=("correlation",),
)
SETTINGS = EngineSettings(limits=LIMITS)

encode = msgspec.msgpack.Encoder().encode
_facts = msgspec.json.Decoder(list[ev.Event])


class Broken(Exception):
    """It can't go on; why is among the violations."""


class WorldClock:
    """The world's time, as the venue reads it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> int:
        return self._world.now

    def advance(self, ts: int) -> None: ...


class World:
    """One account, one journal, any number of engine lives."""

    def __init__(self, road: Road = GOOD, settings: EngineSettings = SETTINGS) -> None:
        self.now = START
        self.settings = settings
        self.violations: list[str] = []
        self.sent: list[Sent] = []
        self.withdrawn: list[Withdrawn] = []
        self.ids_submitted: Counter[str] = Counter()
        self.lives = 0
        self.numbers = itertools.count(1)
        self.has_ended = False
        self.prices = dict(HOME)
        self.references: dict[Symbol, Decimal] = {}  # what the engine values things at
        self.delivery = Delivery(road)
        self.journal = MemoryJournal()
        self.shadow = State()  # the fold of what was written, as it reads back
        self._quoted: set[Symbol] = set()
        self._middles: dict[Symbol, int] = {}  # when the touch was quoted
        self._crash_at: tuple[int, int] | None = None
        self._appends = 0
        self._next_tick = START + NS_PER_S
        self._next_audit = START + AUDIT_NS
        self._timers: list[tuple[int, ParentId]] = []
        self._handled = 0
        self.venue = self.delivery.make_venue(WorldClock(self))
        weakref.finalize(self, self.venue._books.close)
        self._connect()
        self._start()

    def _connect(self) -> None:
        self.venue.tick(START)
        coroutine = self.venue.connect(SYMBOLS, lambda m: self.delivery.take(m, self.now))
        try:
            coroutine.send(None)
        except StopIteration as done:
            self._contracts = done.value
        self.instruments = {each.symbol: each for each, _ in self._contracts}

    # One life

    def make_engine(self, facts: list[ev.Event], state: State) -> Engine:
        return Engine(self.settings, facts, state=state)

    def _start(self) -> None:
        """Begin the next life: fold the journal, from a snapshot where there is one, and start."""
        self.lives += 1
        self.now += NS_PER_MS  # nothing happens in the instant in which the venue is asked
        if self.lives > 1:
            self.journal = self.journal.reopen()
        self.delivery.drop()
        self._timers, self.references, self._middles = [], {}, {}
        state, after = StateRecoveryService(self.journal).load()
        facts = _facts.decode(msgspec.json.encode(self.journal.facts[after:]))
        self.engine = self.make_engine(facts, state)
        if encode(self.engine.state) != encode(self.shadow):
            self.violations.append("law 1: a new life's fold is not the state that was left")
        try:
            self._begin()
        except Killed:
            self._start()

    def _begin(self) -> None:
        for instrument, leverage in self._contracts:
            self.hear(msg.InstrumentListed(instrument=instrument, leverage=leverage))
        self.hear(
            msg.StartSession(
                session_id=SessionId("s"),
                portfolio_id="p",
                epoch=self.journal.epoch,
                symbols=SYMBOLS,
                is_resumed=self.lives > 1,
            )
        )
        self._arrivals()
        self._show_all()

    @property
    def state(self):
        return self.engine.state

    def hear(self, message: msg.Message) -> None:
        """Let the engine hear a message and carry out what comes of it."""
        self._handled += 1
        if self._handled > MESSAGES_IN_A_STEP_MAX:
            self.violations.append(f"law 10: something feeds itself, last by {message}")
            raise Broken
        try:
            outcome = self.engine.handle(message, self.now)
        except (InputError, SessionStateError, UnknownOrderError) as error:
            if encode(self.state) != encode(self.shadow):
                self.violations.append(f"law 1: {error!r} left the state changed")
            return
        except IllegalTransition as error:
            self.violations.append(f"law 6: {error}")
            raise Broken from error
        self.carry_out(outcome)

    def carry_out(self, outcome: Outcome) -> None:
        """Facts first, then what they led to."""
        if outcome.facts or outcome.commands:
            self._commit(outcome.facts)
        for number, command in enumerate(outcome.commands):
            if number == 1:
                self._may_die(2)
            self._send(command)

    def _commit(self, facts: list[ev.Event]) -> None:
        if facts:
            self._appends += 1
            self._may_die(0)
            self.journal.append(facts)
            for fact in _facts.decode(msgspec.json.encode(facts)):
                self.shadow.apply(fact)
            self._may_die(1)
        if encode(self.shadow) != encode(self.state):
            self.violations.append(f"law 1: after {self.journal.sequence} facts")

    def crash_at(self, appends: int, phase: int) -> None:
        """Die at a write to come: 0 before it, 1 after it, 2 among the commands behind it."""
        self._crash_at = (self._appends + 1 + appends, phase)

    def _may_die(self, phase: int) -> None:
        if self._crash_at is not None and (self._appends, phase) >= self._crash_at:
            self._crash_at = None
            raise Killed

    def _send(self, command: cmd.Command) -> None:
        match command:
            case cmd.Notify():
                pass
            case cmd.SubmitOrder(order=order):
                self.ids_submitted[order.cl_ord_id] += 1
                if order.cl_ord_id not in self.shadow.orders:
                    self.violations.append(f"law 4: {order.cl_ord_id} left before its fact")
                self.sent.append(sending(self, order))
                self.venue.submit(command)
            case cmd.CancelOrder():
                self.withdrawn += withdrawing(self, command)
                self.venue.cancel(command)
            case cmd.ReplaceOrder():
                self.sent += amending(self, command)
                self.venue.replace(command)
            case cmd.QueryOrder():
                self.venue.query(command)
            case cmd.Resync():
                self.venue.resync(command)
            case cmd.SetTimer():
                heapq.heappush(self._timers, (command.due_ts, command.parent_id))

    # What the venue's books say while things happen

    def venue_qty(self, symbol: Symbol) -> Decimal:
        positions = self.venue.exchange.positions(MAIN)
        return next((p.qty for p in positions if p.symbol == symbol), ZERO)

    def at_venue(self, symbol: Symbol, cl_ord_id: str):
        return self.venue.exchange.query(OrderKey(MAIN, symbol, ClOrdId(cl_ord_id)))

    # Time

    def pass_time(self, delta: int) -> None:
        """Let time pass, with a tick every second and an audit every ten."""
        end = self.now + delta
        while True:
            self._arrivals()
            coming = self.delivery.next_ts
            due = [self._next_tick, end, *([] if coming is None else [coming])]
            self.now = max(self.now, min(due))
            if self.now >= self._next_tick:
                self._next_tick = self.now + NS_PER_S
                self._second()
            coming = self.delivery.next_ts
            if self.now >= end and (coming is None or coming > self.now):
                return

    def _second(self) -> None:
        self.venue.tick(self.now)
        while self._timers and self._timers[0][0] <= self.now:
            self.hear(msg.TimerFired(parent_id=heapq.heappop(self._timers)[1]))
        self.hear(msg.Tick())
        if self.now >= self._next_audit:
            self._next_audit = self.now + AUDIT_NS
            self.hear(msg.AuditDue())

    def _arrivals(self) -> None:
        while (message := self.delivery.arrived(self.now)) is not None:
            self.hear(message)

    # The market

    def show(self, symbol: Symbol, price: float, qty: float) -> None:
        """Let a trade print."""
        self.prices[symbol] = price = round(price, 1 if symbol == BTC else 2)
        self.see(Trade(symbol=symbol, ts=self.now, price=price, qty=qty))

    def quote(self, symbol: Symbol, qty: float) -> None:
        """Let the touch be quoted around the last price."""
        price = self.prices[symbol]
        bid, ask = round(price * 0.9999, 1), round(price * 1.0001, 1)
        self.see(Quote(symbol=symbol, ts=self.now, bid=bid, bid_qty=qty, ask=ask, ask_qty=qty))

    def see(self, message: MarketData) -> None:
        """Let venue and engine see the market."""
        self.venue.on_market(message)
        self.hear(message)
        symbol = message.symbol
        if isinstance(message, Quote):
            self._quoted.add(symbol)
            self._middles[symbol] = message.ts
            self.references[symbol] = Decimal(repr((message.bid + message.ask) / 2))
        elif isinstance(message, Trade) and self._is_news(message):
            self.references[symbol] = Decimal(repr(message.price))

    def _is_news(self, trade: Trade) -> bool:
        """Tell whether a trade says more of the price than the last quote does."""
        return trade.ts - self._middles.get(trade.symbol, 0) > QUOTE_OLD_NS

    def _show_all(self) -> None:
        for symbol in SYMBOLS:
            self.show(symbol, self.prices[symbol], 0.001)

    # A script

    def run(self, steps: list[Step]) -> World:
        """Play a script, then come to rest."""
        try:
            for step in steps:
                self.perform(step)
            self.calm_down()
        except Broken:
            pass
        return self

    def perform(self, step: Step) -> None:
        """Play one step. A stopped session is started again, as its operator would."""
        self._handled = 0
        try:
            if step.a % 10:
                self._show_all()
            STEPS[step.kind](self, step)
            self.pass_time(20 * NS_PER_MS)
        except Killed:
            self._start()
        if self.state.status is TradingSessionStatus.STOPPED:
            self._start()

    def calm_down(self) -> None:
        """Take every fault away and give the engine its bounded time to sort things out."""
        self.delivery.mend(self.venue)
        self._crash_at = None
        still = 0
        for second in range(CALM_SECONDS_MAX):
            before, self._handled = self.journal.sequence, 0
            self._show_all()
            for symbol in sorted(self._quoted):
                self.quote(symbol, 100.0 + second)
            self.pass_time(NS_PER_S)
            quiet = (ev.EquitySampled, ev.BooksAgreed)
            is_still = all(isinstance(fact, quiet) for fact in self.journal.facts[before:])
            still = still + 1 if is_still else 0
            if still > STILL_SECONDS:
                break
        self.has_ended = True
