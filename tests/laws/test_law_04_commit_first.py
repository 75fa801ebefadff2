"""Law 4: a fact is committed before its command leaves; start-up and crash recovery are one path.

The real shell with a journal whose commits come later: nothing may leave before its fact is safe,
and in the order in which the facts were written.
"""

from __future__ import annotations

import weakref
from decimal import Decimal

import pytest

from holdfast.engine.engine import Engine
from holdfast.journal import MemoryJournal
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import JournalError
from holdfast.model.market import Trade
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    OrderType,
    SessionId,
    Side,
    SignalType,
    StrategyId,
    TradingSessionStatus,
)
from holdfast.runtime.clock import FeedClock
from holdfast.runtime.notices import LogNotifier
from holdfast.runtime.recovery import StateRecoveryService
from holdfast.runtime.shell import Shell
from holdfast.venues import PaperVenue
from tests.laws.steps import BTC
from tests.laws.world import SETTINGS, START, encode


class LateJournal(MemoryJournal):
    """Facts are safe only when `commit` says so, as with a grouped commit."""

    is_synchronous = False

    def __init__(self):
        super().__init__()
        self.durable: list[ev.Event] = []
        self._waiting = []
        self.is_broken = False

    def append(self, facts, on_commit=None):
        if self.is_broken:
            raise JournalError("the disk is full")
        self.facts.extend(facts)
        self._waiting.append((list(facts), on_commit))

    def commit(self, batches=10**6):
        for _ in range(min(batches, len(self._waiting))):
            facts, on_commit = self._waiting.pop(0)
            self.durable += facts
            if on_commit is not None:
                on_commit()


class WatchedVenue(PaperVenue):
    """Checks, as each request leaves, that its fact is safe."""

    def __init__(self, journal, **settings):
        super().__init__(**settings)
        self.requests = []
        self.too_early = []
        self._journal = journal

    def _note(self, command, cl_ord_id, kind):
        self.requests.append(cl_ord_id)
        named = [
            fact.order.cl_ord_id if isinstance(fact, ev.OrderSubmitted) else fact.cl_ord_id
            for fact in self._journal.durable
            if isinstance(fact, kind)
        ]
        if cl_ord_id not in named:
            self.too_early.append(command)

    def submit(self, command):
        self._note(command, command.order.cl_ord_id, ev.OrderSubmitted)
        super().submit(command)

    def cancel(self, command):
        self._note(command, command.cl_ord_id, ev.CancelRequested)
        super().cancel(command)

    def replace(self, command):
        self._note(command, command.cl_ord_id, ev.ReplaceRequested)
        super().replace(command)


class Desk:
    def __init__(self):
        self.clock = FeedClock(START, 0)
        self.journal = LateJournal()
        self.venue = WatchedVenue(self.journal, clock=self.clock)
        weakref.finalize(self, self.venue._books.close)

    async def start(self):
        self.shell = Shell(
            Engine(SETTINGS), self.journal, self.clock, {MAIN: self.venue}, LogNotifier()
        )
        contracts = await self.venue.connect([BTC], self.shell.hear)
        for instrument, leverage in contracts:
            self.shell.hear(msg.InstrumentListed(instrument=instrument, leverage=leverage))
        self.shell.ask(
            msg.StartSession(session_id=SessionId("s"), portfolio_id="p", epoch=1, symbols=(BTC,))
        )
        self.settle()
        assert self.shell.engine.state.status is TradingSessionStatus.RUNNING
        self.show(50_000.0)

    def settle(self):
        while self.journal._waiting:
            self.journal.commit()

    def show(self, price):
        self.clock.advance(self.clock.now() + 2 * NS_PER_S)
        trade = Trade(symbol=BTC, ts=self.clock.now(), price=price, qty=1.0)
        self.venue.on_market(trade)
        self.shell.hear(trade)

    def signal(self, kind=SignalType.BUY, qty="0.005"):
        self.shell.hear(
            SignalGenerated(
                symbol=BTC, signal_type=kind, strategy_id=StrategyId("a"), quantity=Decimal(qty)
            )
        )


@pytest.fixture
async def desk():
    desk = Desk()
    await desk.start()
    return desk


async def test_nothing_leaves_before_its_fact_is_safe(desk):
    desk.signal()
    assert desk.venue.requests == []
    assert desk.shell.has_uncommitted

    desk.journal.commit()
    assert len(desk.venue.requests) == 1
    desk.settle()
    assert desk.venue.too_early == []
    assert not desk.shell.has_uncommitted


async def test_a_whole_session_lets_every_request_wait_for_its_fact(desk):
    desk.signal()
    desk.settle()
    order = (
        desk.shell.ask(
            msg.PlaceRequest(
                symbol=BTC,
                side=Side.BUY,
                qty=Decimal("0.004"),
                order_type=OrderType.LIMIT,
                price=Decimal(49_000),
            )
        )
        .facts[1]
        .order.cl_ord_id
    )
    desk.settle()
    desk.show(50_010.0)
    desk.shell.ask(msg.ModifyRequest(cl_ord_id=order, price=Decimal(49_100)))
    desk.settle()
    desk.signal(SignalType.SELL)
    desk.settle()
    desk.shell.ask(msg.StopSession(reason="done", flatten=True))
    for _ in range(3):
        desk.settle()
        desk.show(50_020.0)
        desk.shell.hear(msg.Tick())

    kinds = {type(fact) for fact in desk.journal.durable}
    assert {ev.OrderSubmitted, ev.CancelRequested, ev.ReplaceRequested} <= kinds
    assert desk.venue.too_early == []
    assert desk.shell.engine.state.status is TradingSessionStatus.STOPPED


async def test_requests_leave_in_the_order_of_their_facts(desk):
    for qty in ("0.004", "0.005", "0.006"):
        desk.signal(qty=qty)
    for _ in range(3):
        desk.journal.commit(1)
    sent = [f.order.cl_ord_id for f in desk.journal.facts if isinstance(f, ev.OrderSubmitted)]

    assert desk.venue.requests == sent[:3]


async def test_what_was_never_safe_never_left(desk):
    """The process dies with facts on their way to the disk: the venue has heard of none of them."""
    desk.signal()
    before = desk.venue.exchange.open_orders(MAIN), desk.venue.exchange.trades_since(MAIN)

    assert before == ([], [])
    submitted = [f for f in desk.journal.durable if isinstance(f, ev.OrderSubmitted)]
    assert submitted == []


async def test_a_journal_that_fails_lets_nothing_more_leave(desk):
    desk.journal.is_broken = True
    desk.signal()

    assert desk.shell.has_failed
    assert isinstance(desk.shell.failed.result(), JournalError)
    desk.signal()
    desk.journal.commit()
    assert desk.venue.requests == []


async def test_a_life_that_died_between_fact_and_command_finds_out_and_sends_nothing_twice(desk):
    """The recovery of a crash is the start of a session, and nothing else."""
    desk.signal()
    journal = MemoryJournal(desk.journal.facts).reopen()
    recovered = StateRecoveryService(journal).recover(SETTINGS)
    assert encode(recovered.engine.state) == encode(desk.shell.engine.state)

    engine, now = recovered.engine, desk.clock.now() + NS_PER_S
    sent: list[cmd.Command] = []
    answers: list[msg.Message] = []
    contracts = await desk.venue.connect([BTC], answers.append)
    assert contracts
    start = msg.StartSession(
        session_id=SessionId("s"),
        portfolio_id="p",
        epoch=journal.epoch,
        symbols=(BTC,),
        is_resumed=True,
    )
    answers.append(start)
    for _ in range(200):
        if not answers:
            now += NS_PER_S
            answers.append(msg.Tick())
        desk.clock.advance(now)
        for command in engine.handle(answers.pop(0), now).commands:
            sent.append(command)
            if isinstance(command, cmd.Resync):
                desk.venue.resync(command)
            elif isinstance(command, cmd.QueryOrder):
                desk.venue.query(command)

    assert not [c for c in sent if isinstance(c, cmd.SubmitOrder)]
    assert engine.state.all_open_orders() == []
    assert engine.state.status is TradingSessionStatus.RUNNING
