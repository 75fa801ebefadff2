"""The one pass that every message takes: facts first, then commands, one message at a time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal
from typing import cast

import pytest

from holdfast.engine.engine import Engine
from holdfast.exchange import known_instrument
from holdfast.journal import MemoryJournal
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import InputError, JournalError, SessionStateError, UnknownOrderError
from holdfast.model.market import Quote
from holdfast.model.settings import EngineSettings
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    MAIN,
    ClOrdId,
    OrderStatus,
    OrderType,
    ParentId,
    SessionId,
    Side,
    SignalType,
)
from holdfast.ports import Venue
from holdfast.runtime import shell as shell_module
from holdfast.runtime.clock import FeedClock
from holdfast.runtime.shell import Shell
from holdfast.runtime.stopwatch import Stopwatch
from tests.runtime.session_desk import BTC, START


class Log:
    """What happened, in order, on the journal and at the venue."""

    def __init__(self):
        self.lines = []


class GroupedJournal(MemoryJournal):
    """Commits when it is told to."""

    def __init__(self, log, *, at_once=True):
        super().__init__()
        self.log, self.at_once, self.waiting = log, at_once, []
        self.fails_to_sync = False

    def append(self, facts, on_commit=None):
        def commit():
            self.log.lines += [type(fact).__name__ for fact in facts]
            if on_commit is not None:
                on_commit()

        self.waiting.append(commit)
        super().append(facts)
        if self.at_once:
            self.commit()

    def sync(self):
        if self.fails_to_sync:
            raise JournalError("the disk failed to sync")
        self.log.lines.append("sync")

    def commit(self, count=None):
        for _ in range(len(self.waiting) if count is None else count):
            self.waiting.pop(0)()


class LogVenue:
    name, account = "log", MAIN

    def __init__(self, log):
        self.log = log
        self.answer = None

    def submit(self, command):
        self.log.lines.append("submit")
        if self.answer is not None:
            self.answer(command)

    def cancel(self, command):
        self.log.lines.append("cancel")

    def query(self, command):
        self.log.lines.append("query")

    def resync(self, command):
        self.log.lines.append("resync")


class Notices:
    def notify(self, level, text):
        raise AssertionError(f"{level}: {text}")


class Bench:
    def __init__(self, *, at_once=True):
        self.log = Log()
        self.journal = GroupedJournal(self.log, at_once=at_once)
        self.venue = LogVenue(self.log)
        self.clock = FeedClock(START, 0)
        self.engine = Engine(EngineSettings())
        self.shell = Shell(
            self.engine, self.journal, self.clock, {MAIN: cast("Venue", self.venue)}, Notices()
        )

    def start(self):
        self.shell.ask(
            msg.StartSession(
                session_id=SessionId("00000000-0000-0000-0000-000000000001"),
                portfolio_id="p",
                epoch=1,
                symbols=(BTC,),
            )
        )
        contract = known_instrument(BTC)
        assert contract is not None
        self.shell.hear(msg.InstrumentListed(instrument=contract, leverage=5))
        self.shell.hear(
            msg.VenueSnapshot(
                asked_ts=START,
                taken_ts=START,
                orders=(),
                positions=(),
                balances={"USDT": Decimal(10_000)},
            )
        )
        self.shell.hear(
            Quote(symbol=BTC, ts=START, bid=44_999.9, bid_qty=9.0, ask=45_000.1, ask_qty=9.0)
        )
        self.log.lines.clear()
        return self


def buy(qty="0.01", **more):
    return msg.PlaceRequest(symbol=BTC, side=Side.BUY, qty=Decimal(qty), **more)


async def test_a_fact_is_committed_before_its_command_leaves():
    bench = Bench().start()
    bench.shell.ask(buy())

    assert bench.log.lines == ["ParentStarted", "OrderSubmitted", "submit"]


@pytest.mark.parametrize(
    ("word", "fact"),
    [
        (msg.EngageKillSwitch(reason="x"), "KillSwitchEngaged"),
        (msg.PauseSession(reason="x"), "SessionChanged"),
    ],
)
async def test_a_word_that_outlives_the_process_is_on_the_disk_before_it_is_answered(word, fact):
    bench = Bench().start()
    bench.shell.ask(word)

    lines = bench.log.lines
    assert lines.index(fact) < lines.index("sync")


@pytest.mark.parametrize(
    ("first", "word"),
    [
        (msg.EngageKillSwitch(reason="x"), msg.ReleaseKillSwitch(operator="somebody")),
        (msg.PauseSession(reason="x"), msg.ResumeSession(reason="x")),
    ],
)
async def test_so_is_the_word_that_takes_it_back(first, word):
    bench = Bench().start()
    bench.shell.ask(first)
    bench.log.lines.clear()
    bench.shell.ask(word)

    assert bench.log.lines[-1] == "sync"


async def test_a_word_that_did_not_reach_the_disk_is_not_answered_and_nothing_more_leaves():
    bench = Bench().start()
    bench.journal.fails_to_sync = True

    with pytest.raises(JournalError, match="failed to sync"):
        bench.shell.ask(msg.EngageKillSwitch(reason="x"))
    assert bench.shell.has_failed


async def test_a_request_that_may_be_repeated_is_on_the_disk_before_its_order_leaves():
    bench = Bench().start()
    bench.shell.ask(buy(request_id="once"))

    assert bench.log.lines == ["ParentStarted", "OrderSubmitted", "sync", "submit"]


async def test_where_commits_are_synced_a_repeatable_request_needs_no_further_sync():
    bench = Bench().start()
    bench.journal.is_synchronous = False
    bench.shell.ask(buy(request_id="once"))
    bench.shell.ask(msg.EngageKillSwitch(reason="x"))

    assert "submit" in bench.log.lines
    assert "sync" not in bench.log.lines


async def test_no_order_leaves_for_a_repeatable_request_that_did_not_reach_the_disk():
    bench = Bench().start()
    bench.journal.fails_to_sync = True
    bench.shell.ask(buy(request_id="once"))

    assert bench.shell.has_failed
    assert "submit" not in bench.log.lines


async def test_a_command_waits_for_a_grouped_commit_and_the_engine_does_not():
    bench = Bench(at_once=False).start()
    bench.journal.commit()
    bench.log.lines.clear()
    bench.shell.ask(buy())
    bench.shell.ask(buy("0.005"))

    assert bench.log.lines == []
    assert bench.shell.has_uncommitted
    assert len(bench.engine.state.all_open_orders()) == 2
    bench.journal.commit(1)
    assert bench.log.lines == ["ParentStarted", "OrderSubmitted", "submit"]
    waiting = asyncio.ensure_future(bench.shell.committed())
    await asyncio.sleep(0)
    assert not waiting.done()
    bench.journal.commit()
    await asyncio.wait_for(waiting, 1)
    assert bench.log.lines.count("submit") == 2


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_command_that_can_not_be_given_fails_the_shell_also_behind_a_grouped_commit(
    at_once,
):
    bench = Bench(at_once=at_once).start()
    bench.journal.commit()
    bench.venue.answer = _refuse
    with suppress(RuntimeError):  # who is told of it depends on who commits
        bench.shell.ask(buy())
        bench.journal.commit()

    assert str(bench.shell.failed.result()) == "by design"
    bench.shell.hear(msg.Tick())
    assert bench.log.lines.count("submit") == 1


def _refuse(command):
    raise RuntimeError("by design")


class Telling:
    def __init__(self, log):
        self.log = log

    def notify(self, level, text):
        self.log.lines.append(level)


async def test_people_are_told_behind_the_cancels_that_an_alarm_is_about():
    bench = Bench().start()
    bench.shell._notifier = Telling(bench.log)
    bench.shell.ask(buy())
    bench.log.lines.clear()
    bench.shell.hear(msg.FailSession(reason="the books differ"))

    left = [line for line in bench.log.lines if line.islower()]
    assert left == ["cancel", "alarm"]


async def test_people_are_told_though_a_command_can_not_be_given():
    bench = Bench().start()
    bench.shell._notifier = Telling(bench.log)
    bench.shell.ask(buy())
    bench.venue.cancel = _refuse
    bench.shell.hear(msg.FailSession(reason="the books differ"))

    assert bench.shell.has_failed
    assert bench.log.lines[-1] == "alarm"


async def test_an_answer_that_comes_at_once_is_handled_behind_its_order():
    bench = Bench().start()
    heard: list[str] = []
    bench.shell.listeners.append(lambda facts: heard.extend(type(f).__name__ for f in facts))

    def accept(command):
        order = command.order
        bench.shell.hear(
            msg.ExecutionReport(
                symbol=BTC,
                cl_ord_id=order.cl_ord_id,
                exec_type=msg.ExecType.NEW,
                status=OrderStatus.NEW,
                side=order.side,
                venue_ts=START,
                qty=order.qty,
            )
        )

    bench.venue.answer = accept
    outcome = bench.shell.ask(buy(order_type=OrderType.LIMIT, price=Decimal(44_000)))

    assert [type(fact) for fact in outcome.facts] == [ev.ParentStarted, ev.OrderSubmitted]
    assert heard == ["ParentStarted", "OrderSubmitted", "OrderAccepted"]


async def test_what_a_caller_gets_wrong_is_raised_to_him_and_fails_nothing():
    bench = Bench().start()
    for request, kind in (
        (buy("-1"), InputError),
        (msg.CancelRequest(cl_ord_id=ClOrdId("nope")), UnknownOrderError),
        (msg.ResumeSession(), SessionStateError),
    ):
        with pytest.raises(kind):
            bench.shell.ask(request)

    assert not bench.shell.has_failed
    bench.shell.ask(buy())


async def test_when_the_record_fails_nothing_leaves_and_nothing_more_is_heard():
    bench = Bench().start()

    def full(facts, on_commit=None):
        raise JournalError("no space left")

    bench.journal.append = full
    with pytest.raises(JournalError, match="no space"):
        bench.shell.ask(buy())

    assert "submit" not in bench.log.lines
    assert bench.shell.has_failed
    assert isinstance(bench.shell.failed.result(), JournalError)
    bench.shell.hear(buy())
    with pytest.raises(SessionStateError, match="no space left"):
        bench.shell.ask(buy())
    assert "submit" not in bench.log.lines
    await asyncio.wait_for(bench.shell.committed(), 1)
    assert not await bench.shell.until(lambda: False, 5)


async def test_a_commit_that_comes_after_the_failure_lets_nothing_go():
    bench = Bench(at_once=False).start()
    bench.journal.commit()
    bench.log.lines.clear()
    bench.shell.ask(buy())
    bench.shell.fail(RuntimeError("by design"))
    bench.journal.commit()

    assert "submit" not in bench.log.lines


async def test_who_asks_from_inside_is_told_to_ask_from_a_task():
    bench = Bench().start()
    refusals = []

    def nosy(facts):
        try:
            bench.shell.ask(buy())
        except SessionStateError as error:
            refusals.append(str(error))

    bench.shell.listeners.append(nosy)
    bench.shell.ask(buy())

    assert refusals
    assert "from a task of your own" in refusals[0]


async def test_messages_that_feed_themselves_are_stopped(monkeypatch):
    monkeypatch.setattr(shell_module, "INBOX_MAX", 50)
    bench = Bench().start()

    def echo(facts):
        for _ in range(20):
            bench.shell.hear(msg.Tick())
            bench.shell.hear(buy())

    bench.shell.listeners.append(echo)
    bench.shell.hear(buy())

    assert bench.shell.has_failed
    assert "feeds itself" in str(bench.shell.failed.result())


async def test_waiting_ends_when_the_condition_comes_true_or_time_is_over():
    bench = Bench().start()
    waiting = asyncio.ensure_future(
        bench.shell.until(lambda: bool(bench.engine.state.all_open_orders()), 5)
    )
    await asyncio.sleep(0)
    bench.shell.ask(buy())

    assert await asyncio.wait_for(waiting, 1)
    assert not await bench.shell.until(lambda: False, 0.01)


async def test_timers_wake_their_parents_when_they_fall_due():
    bench = Bench().start()
    fired = []
    handle = bench.engine.handle

    def watched(message, now):
        if isinstance(message, msg.TimerFired):
            fired.append(message.parent_id)
        return handle(message, now)

    bench.shell.engine = type("Watched", (), {"handle": staticmethod(watched)})()
    from holdfast.model.commands import SetTimer

    bench.shell._carry_out(SetTimer(parent_id=ParentId("2"), due_ts=20))
    bench.shell._carry_out(SetTimer(parent_id=ParentId("1"), due_ts=10))
    bench.shell.fire_timers(9)
    assert fired == []
    bench.shell.fire_timers(20)
    assert fired == ["1", "2"]


async def test_facts_that_no_command_waits_for_may_be_held_back_until_one_does():
    bench = Bench().start()
    bench.shell.holds_back = True
    bench.clock.advance(START + 61_000_000_000)

    bench.shell.hear(msg.Tick())
    assert bench.log.lines == []
    fresh = {"bid": 44_999.9, "bid_qty": 9.0, "ask": 45_000.1, "ask_qty": 9.0}
    bench.shell.hear(Quote(symbol=BTC, ts=bench.clock.now(), **fresh))
    bench.shell.ask(buy())

    assert bench.log.lines == ["EquitySampled", "ParentStarted", "OrderSubmitted", "submit"]


async def test_the_way_of_an_order_is_put_on_record_behind_it():
    bench = Bench().start()
    bench.shell.stopwatch = Stopwatch()
    fresh = {"bid": 44_999.9, "bid_qty": 9.0, "ask": 45_000.1, "ask_qty": 9.0}
    bench.shell.hear(Quote(symbol=BTC, ts=bench.clock.now(), **fresh))
    outcome = bench.shell.ask(buy())
    (order,) = [fact.order for fact in outcome.facts if isinstance(fact, ev.OrderSubmitted)]
    *_, timed = bench.journal.replay()

    assert bench.log.lines == ["ParentStarted", "OrderSubmitted", "submit", "OrderTimed"]
    assert timed.cl_ord_id == order.cl_ord_id
    assert timed.strategy_ns is None
    assert min(timed.decision_ns, timed.record_ns, timed.send_ns) > 0


async def test_the_way_begins_with_the_frame_that_led_to_the_wish():
    bench = Bench().start()
    bench.shell.stopwatch = watch = Stopwatch()
    fresh = {"bid": 44_999.9, "bid_qty": 9.0, "ask": 45_000.1, "ask_qty": 9.0}
    bench.shell.hear(Quote(symbol=BTC, ts=bench.clock.now(), **fresh))
    watch.frame = watch.now() - 5_000_000
    watch.wished()
    wish = SignalGenerated(symbol=BTC, signal_type=SignalType.BUY, quantity=Decimal("0.004"))
    bench.shell.hear(wish)
    watch.frame = 0
    bench.shell.ask(buy())
    first, second = [fact for fact in bench.journal.replay() if isinstance(fact, ev.OrderTimed)]

    assert first.strategy_ns is not None
    assert first.strategy_ns >= 5_000_000
    assert first.decision_ns < 5_000_000_000
    assert second.strategy_ns is None


async def test_what_was_held_back_is_committed_when_it_is_released():
    bench = Bench().start()
    bench.shell.holds_back = True
    bench.clock.advance(START + 61_000_000_000)
    bench.shell.hear(msg.Tick())
    bench.shell.release()
    bench.shell.release()

    assert bench.log.lines == ["EquitySampled"]


async def test_no_more_than_a_bound_is_held_back(monkeypatch):
    monkeypatch.setattr(shell_module, "HELD_MAX", 2)
    bench = Bench().start()
    bench.shell.holds_back = True
    for minute in (1, 2, 3):
        bench.clock.advance(START + minute * 61_000_000_000)
        bench.shell.hear(msg.Tick())

    assert bench.log.lines == ["EquitySampled", "EquitySampled"]


async def test_nothing_is_handled_before_the_owners_epoch_has_begun():
    bench = Bench()
    bench.engine.handle(
        msg.StartSession(session_id=SessionId("s"), portfolio_id="p", epoch=1), START
    )
    bench.journal.epoch = bench.journal._owner[0] = 2  # another process owns it, and has not begun
    bench.shell.hear(msg.AuditDue(account=MAIN))
    with pytest.raises(SessionStateError, match="the session is starting"):
        bench.shell.ask(buy())
    assert bench.log.lines == []

    bench.shell.ask(msg.StartSession(session_id=SessionId("s"), portfolio_id="p", epoch=2))
    assert bench.log.lines[:2] == ["EpochStarted", "SessionChanged"]
    assert bench.log.lines.count("resync") == 2  # the start's, and the audit that had waited
