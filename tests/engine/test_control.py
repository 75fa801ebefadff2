"""The kill switch, pausing, stopping and failing: what they take back, wait for and leave."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine import quiet
from holdfast.engine.housekeeping import can_be_left
from holdfast.engine.market import MARK_LAG_NS
from holdfast.engine.order import RequestState
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import InputError, SessionStateError
from holdfast.model.market import MarkPrice
from holdfast.model.messages import ExecType, Request
from holdfast.model.values import (
    NS_PER_S,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    StrategyId,
)
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.rig import BTC, KEY, LIMIT, Rig, limit, refused

STOP = OrderType.STOP_MARKET


@pytest.fixture
def rig():
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


# The kill switch


def test_the_kill_switch_takes_back_what_could_add_risk_and_leaves_stops(rig):
    rig.hold("2", stop_loss="90")
    entry = limit(rig, Side.BUY, "1", "95")
    exit_ = limit(rig, Side.SELL, "1", "110", reduce_only=True)

    rig.hear(msg.EngageKillSwitch(reason="panic"))

    assert rig.canceled() == [entry, exit_]
    assert rig.submitted() == []
    assert rig.resyncs() == 1
    assert rig.state.kill_reason == "panic"


def closing_limit(rig, **fields):
    """Place what closes at a limit; it rests, and some time passes."""
    return limit(rig, Side.SELL, "1", "110", **fields)


HALTS = {
    "paused": msg.PauseSession(reason="x"),
    "failed": msg.FailSession(reason="x"),
    "killed": msg.EngageKillSwitch(reason="x"),
}


@pytest.mark.parametrize("is_marked", [True, False], ids=["reduce-only", "closes as things are"])
@pytest.mark.parametrize("halt", HALTS.values(), ids=HALTS)
def test_what_is_placed_to_close_while_nothing_is_opened_stays(rig, halt, is_marked):
    rig.hold("2")
    rig.hear(halt)

    exit_ = closing_limit(rig, reduce_only=is_marked)
    rig.wait(20)

    assert rig.order(exit_).request.reduce_only
    assert rig.order(exit_).cancel is RequestState.NONE


@pytest.mark.parametrize("how", ["paused", "failed"])
def test_a_pause_and_an_error_leave_what_can_only_close(rig, how):
    rig.hold("2", stop_loss="90")
    entry, exit_ = limit(rig, Side.BUY, "1", "95"), closing_limit(rig, reduce_only=True)

    rig.hear(HALTS[how])
    rig.wait(2)

    assert rig.order(entry).cancel is RequestState.PENDING
    assert rig.order(exit_).cancel is RequestState.NONE


def test_an_entry_that_outlives_its_cancel_under_the_kill_switch_is_asked_back_again(rig):
    rig.hold("2", stop_loss="90")
    entry, exit_ = limit(rig, Side.BUY, "1", "95"), closing_limit(rig, reduce_only=True)
    rig.hear(HALTS["killed"])
    for name in (entry, exit_):
        rig.refuse(name, Request.CANCEL)

    rig.tick()

    assert rig.canceled() == [entry]


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_stop_takes_back_what_rests_to_close_until_it_has_ended(rig, is_killed):
    rig.hold("2", stop_loss="90")
    if is_killed:
        rig.hear(HALTS["killed"])
    exit_ = closing_limit(rig, reduce_only=True)
    rig.hear(msg.StopSession(reason="done"))
    assert rig.canceled() == [exit_]
    rig.refuse(exit_, Request.CANCEL)

    rig.tick()

    assert rig.canceled() == [exit_]
    assert rig.session() is Status.STOPPING


def test_a_session_in_error_is_left_with_what_rests_to_close(rig):
    rig.hold("2", stop_loss="90")
    exit_ = rig.place(Side.SELL, "1", order_type=LIMIT, price="110", reduce_only=True)
    rig.hear(HALTS["failed"])
    assert not can_be_left(rig.state)

    rig.accept(exit_)
    assert can_be_left(rig.state)
    rig.trade(exit_, "0.5", "110")
    rig.accept(*[o.cl_ord_id for o in rig.submitted()])
    rig.wait(1)
    for order in rig.working(OrderRole.STOP_LOSS)[:1]:
        rig.cancel(order.cl_ord_id)
    assert can_be_left(rig.state)

    rig.hear(msg.StopSession(reason="flat", flatten=True))
    rig.tick()
    assert exit_ in rig.canceled()


def test_the_kill_switch_blocks_entries_and_latches_over_a_restart(rig):
    rig.hear(msg.EngageKillSwitch(reason="panic"))
    rig.place(qty="1")
    assert rig.told(ev.OrderDenied)[0].rule == "kill_switch"

    rig.restart(is_resumed=False)
    rig.snapshot()
    rig.price(100)
    rig.place(qty="1")
    assert rig.told(ev.OrderDenied)[0].rule == "kill_switch"

    rig.hear(msg.ReleaseKillSwitch(operator="ann"))
    assert rig.place(qty="1")


def test_the_kill_switch_is_verified_by_the_venues_books_and_once(rig):
    entry = limit(rig, Side.BUY, "1", "95")
    rig.hear(msg.EngageKillSwitch(reason="panic"))
    rig.snapshot()
    assert rig.told(ev.KillSwitchVerified) == []

    rig.cancel(entry)
    rig.snapshot()
    assert rig.told(ev.KillSwitchVerified)[0].positions == 0

    rig.snapshot()
    assert rig.told(ev.KillSwitchVerified) == []


def test_a_kill_that_flattens_is_verified_once_flat(rig):
    rig.hold("2")
    rig.hear(msg.EngageKillSwitch(reason="panic", flatten=True))
    [exit_] = rig.submitted()
    assert (exit_.qty, exit_.reduce_only) == (2, True)
    rig.snapshot()
    assert rig.told(ev.KillSwitchVerified) == []

    rig.trade(exit_.cl_ord_id, "2")
    rig.now += NS_PER_S
    rig.snapshot()

    assert len(rig.told(ev.KillSwitchVerified)) == 1


def test_a_kill_that_flattens_tries_again_until_it_is_flat(rig):
    rig.hold("2")
    rig.hear(msg.EngageKillSwitch(reason="panic", flatten=True))
    rig.reject(rig.submitted()[0].cl_ord_id)

    rig.wait(1)

    assert [o.qty for o in rig.submitted()] == [2]


def test_an_entry_that_survived_its_cancel_is_called_back_again(rig):
    entry = limit(rig, Side.BUY, "1", "95")
    rig.hear(msg.EngageKillSwitch(reason="panic"))
    rig.refuse(entry, msg.Request.CANCEL)

    rig.wait(1)

    assert rig.canceled() == [entry]


def test_a_release_needs_an_engaged_switch_and_a_name(rig):
    refused(
        rig,
        msg.ReleaseKillSwitch(operator="ann"),
        SessionStateError,
        "the kill switch is not engaged",
    )
    rig.hear(msg.EngageKillSwitch(reason="panic", flatten=True))
    refused(rig, msg.ReleaseKillSwitch(operator="  "), InputError, "an operator's name is needed")

    rig.hear(msg.ReleaseKillSwitch(operator="ann"))

    assert not rig.state.is_killed
    assert not rig.state.is_flattening


# Pause, resume, stop, fail, reset


def test_a_pause_takes_entries_back_and_keeps_protecting(rig):
    entry = limit(rig, Side.BUY, "1", "95")
    other = rig.place(Side.BUY, "2", stop_loss="90")

    rig.hear(msg.PauseSession(reason="lunch"))
    assert rig.canceled() == [entry, other]

    rig.trade(other, "2")
    assert [o.role for o in rig.submitted()] == [OrderRole.STOP_LOSS]


def test_a_paused_sessions_entry_that_survived_its_cancel_is_called_back_again(rig):
    entry = limit(rig, Side.BUY, "1", "95")
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.refuse(entry, msg.Request.CANCEL)

    rig.wait(1)

    assert rig.canceled() == [entry]


def test_a_pause_may_leave_entries_alone():
    rig = Rig(cancel_entries_on_pause=False)
    limit(rig)

    rig.hear(msg.PauseSession(reason="lunch"))
    rig.wait(1)

    assert rig.canceled() == []


def test_a_resumed_session_takes_new_risk_again(rig):
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.hear(msg.ResumeSession())

    assert rig.told(ev.SessionChanged)[0].reason == "resumed"
    assert rig.place(qty="1")


def test_a_session_that_runs_under_the_kill_switch_says_that_nothing_new_is_opened(rig):
    """Resumed, or begun: RUNNING alone would say that it trades."""
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.hear(msg.EngageKillSwitch(reason="smoke"))

    rig.hear(msg.ResumeSession())
    told = [each for each in rig.asked if isinstance(each, cmd.Notify)]
    rig.restart()
    rig.snapshot()
    told += [each for each in rig.asked if isinstance(each, cmd.Notify)]

    assert [each.level for each in told] == ["warning", "warning"]
    assert all("nothing new is opened: the kill switch is engaged (smoke)" in t.text for t in told)


@pytest.mark.parametrize("message", [msg.PauseSession(reason="x"), msg.ResumeSession()])
def test_only_the_comparison_with_the_venue_ends_a_start(rig, message):
    """Else a word too early would skip the reconciliation."""
    rig.restart()

    refused(rig, message, SessionStateError, "the session is STARTING")


def test_a_paused_session_is_paused_after_a_crash_and_after_two(rig):
    rig.hear(msg.PauseSession(reason="lunch"))

    rig.restart()
    rig.restart()  # it died again before the venue had answered
    rig.snapshot()

    assert rig.session() is Status.PAUSED


def test_a_new_session_on_a_paused_ones_journal_runs(rig):
    rig.hear(msg.PauseSession(reason="lunch"))

    rig.restart(is_resumed=False)
    rig.snapshot()

    assert rig.session() is Status.RUNNING


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (msg.ResumeSession(), "is RUNNING already"),
        (msg.ResetSession(reason="x"), "can't become STOPPED"),
    ],
)
def test_a_move_that_the_table_does_not_have_is_refused(rig, message, why):
    refused(rig, message, SessionStateError, why)


def test_who_resumes_a_session_that_is_killed_hears_of_the_kill_switch(rig):
    rig.hear(msg.EngageKillSwitch(reason="x"))

    refused(
        rig,
        msg.ResumeSession(),
        SessionStateError,
        "the kill switch is engaged: an operator must release it",
    )


def test_a_stop_waits_for_its_entries_and_leaves_stops_at_the_venue(rig):
    rig.hold("2", stop_loss="90")
    entry = limit(rig, Side.BUY, "1", "95")

    rig.hear(msg.StopSession(reason="done"))
    assert rig.canceled() == [entry]
    assert rig.session() is Status.STOPPING

    rig.cancel(entry)
    assert rig.session() is Status.STOPPED
    assert [o.role for o in rig.state.all_open_orders()] == [OrderRole.STOP_LOSS]


def test_a_stop_that_flattens_waits_until_flat(rig):
    rig.hold("2", stop_loss="90")

    rig.hear(msg.StopSession(reason="done", flatten=True))
    [exit_] = rig.submitted()
    rig.trade(exit_.cl_ord_id, "2")
    assert rig.session() is Status.STOPPING  # its stop is being called back
    [stop] = rig.working(OrderRole.STOP_LOSS)
    rig.cancel(stop.cl_ord_id)

    assert rig.session() is Status.STOPPED
    assert not rig.state.is_flattening


def test_a_session_that_is_stopping_can_be_told_to_flatten_too(rig):
    rig.hold("2", stop_loss="90")
    entry = limit(rig, Side.BUY, "1", "95")
    rig.hear(msg.StopSession(reason="done"))

    rig.hear(msg.StopSession(reason="flat, please", flatten=True))
    [exit_] = rig.submitted()
    assert rig.canceled() == []  # it was asked for already
    rig.cancel(entry)
    rig.trade(exit_.cl_ord_id, "2")
    [stop] = rig.working(OrderRole.STOP_LOSS)
    rig.cancel(stop.cl_ord_id)

    assert rig.session() is Status.STOPPED
    assert rig.state.open_keys() == []


def test_a_stop_waits_until_every_position_is_protected(rig):
    entry = rig.place(Side.BUY, "2", stop_loss="90")
    rig.hear(msg.StopSession(reason="done"))
    rig.trade(entry, "2")
    [stop] = rig.submitted()
    assert rig.session() is Status.STOPPING

    rig.accept(stop.cl_ord_id)

    assert rig.session() is Status.STOPPED


def test_a_stop_waits_until_no_stop_order_is_left_over(rig):
    parent = rig.hold("1", stop_loss="90")
    [old] = rig.working(OrderRole.STOP_LOSS)
    exit_ = rig.place(Side.SELL, "0.5", reduce_only=True)
    rig.trade(exit_, "0.5")
    new = rig.submitted()[0].cl_ord_id
    rig.accept(new)
    rig.hear(msg.StopSession(reason="done"))
    rig.refuse(old.cl_ord_id, msg.Request.CANCEL)
    assert rig.session() is Status.STOPPING

    rig.wait(1)
    assert rig.canceled() == [old.cl_ord_id]
    rig.cancel(old.cl_ord_id)
    assert rig.session() is Status.STOPPED
    assert parent.open_qty == Decimal("0.5")


def test_a_stop_does_not_wait_for_a_conditional_exit_that_rests_by_hand(rig):
    rig.hold("2")
    cl_ord_id = rig.place(Side.SELL, "2", order_type=STOP, trigger_price="90", reduce_only=True)
    rig.accept(cl_ord_id)

    rig.hear(msg.StopSession(reason="done"))
    rig.wait(1)

    assert rig.canceled() == []
    assert rig.session() is Status.STOPPED


def test_a_stop_does_not_wait_for_a_triggered_exit_that_rests_in_the_book(rig):
    rig.hold("2")
    fields = {"order_type": OrderType.STOP, "trigger_price": "95", "price": "94.9"}
    exit_ = rig.place(Side.SELL, "1", reduce_only=True, **fields)
    rig.accept(exit_)
    rig.trigger(exit_)
    rig.trade(exit_, "0.4", price="94.9")

    rig.hear(msg.StopSession(reason="enough"))
    rig.wait(1)

    assert rig.session() is Status.STOPPED
    assert rig.order(exit_).status is OrderStatus.PARTIALLY_FILLED


def test_a_foreign_order_does_not_keep_a_session_from_ending(rig):
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, qty=Decimal(1), price=Decimal(90))

    rig.hear(msg.StopSession(reason="done"))
    rig.wait(1)

    assert rig.session() is Status.STOPPED


def test_a_stop_that_flattened_is_forgotten_by_the_next_session(rig):
    """The operator's word was for that session: a running one must not close what it opens."""
    rig.hold("2")
    rig.hear(msg.StopSession(reason="done", flatten=True))

    rig.restart(is_resumed=False)
    rig.snapshot()
    rig.price(100)

    assert not rig.state.is_flattening


def test_a_kill_that_flattens_is_not_forgotten_by_the_next_life(rig):
    rig.hold("2")
    rig.hear(msg.EngageKillSwitch(reason="panic", flatten=True))
    rig.reject(rig.submitted()[0].cl_ord_id)

    rig.now += NS_PER_S
    rig.restart()
    rig.snapshot()

    assert [o.qty for o in rig.submitted()] == [2]


def flat_stop(rig):
    rig.hear(msg.StopSession(reason="done", flatten=True))


def kill(rig, **fields):
    rig.hear(msg.EngageKillSwitch(reason="panic", **fields))


def release(rig):
    rig.hear(msg.ReleaseKillSwitch(operator="ann"))


def test_what_a_stop_wanted_closed_is_not_closed_for_a_kill_that_outlives_it(rig):
    rig.hold("2")
    kill(rig)
    flat_stop(rig)
    rig.trade(rig.submitted()[0].cl_ord_id, "2")
    assert rig.session() is Status.STOPPED

    rig.restart(is_resumed=False)
    rig.snapshot()
    assert (rig.session(), rig.state.is_killed) == (Status.RUNNING, True)

    assert not rig.state.is_flattening  # what a person holds by hand stays


def test_a_flatten_that_was_asked_for_in_error_outlives_a_kill_that_is_released(rig):
    rig.hold("2")
    rig.hear(msg.FailSession(reason="cannot be"))
    flat_stop(rig)
    [order] = rig.submitted()
    kill(rig)
    release(rig)
    rig.reject(order.cl_ord_id)

    rig.wait(1)

    assert [o.qty for o in rig.submitted()] == [2]


def test_a_stop_that_keeps_positions_does_not_close_them_for_a_kill_that_is_released(rig):
    rig.hold("2")
    limit(rig, Side.BUY, "1", "95")
    rig.hear(msg.StopSession(reason="done"))
    kill(rig, flatten=True)
    [order] = rig.submitted()
    release(rig)
    rig.reject(order.cl_ord_id)
    before = len(rig.commands)

    rig.wait(3)

    assert (rig.session(), rig.qty()) == (Status.STOPPING, 2)
    assert rig.submitted(rig.commands[before:]) == []


def test_a_failed_session_cancels_entries_and_can_only_be_reset(rig):
    entry = limit(rig, Side.BUY, "1", "95")

    rig.hear(msg.FailSession(reason="cannot be"))

    assert rig.session() is Status.ERROR
    assert rig.canceled() == [entry]
    assert "session_error" in rig.alarms()
    rig.hear(msg.FailSession(reason="again"))
    assert rig.news == []
    refused(rig, msg.ResumeSession(), SessionStateError, "can't become RUNNING")

    rig.hear(msg.ResetSession(reason="seen"))
    assert rig.session() is Status.STOPPED


# Strategies


def test_a_failed_strategys_entries_are_taken_back_and_its_stops_stay(rig):
    rig.hold("2", stop_loss="90", strategy_id="a")
    mine = limit(rig, Side.BUY, "1", "95", strategy_id="a")
    limit(rig, Side.BUY, "1.5", "95", strategy_id="b")

    rig.hear(msg.StrategyFailed(strategy_id=StrategyId("a"), reason="it hung"))

    assert rig.canceled() == [mine]
    assert "strategy_stopped" in rig.alarms()
    assert [o.role for o in rig.state.open_orders_of(KEY)].count(OrderRole.STOP_LOSS) == 1


def test_a_failed_strategys_entry_that_survived_its_cancel_is_called_back_again(rig):
    mine = limit(rig, Side.BUY, "1", "95", strategy_id="a")
    limit(rig, Side.BUY, "1.5", "95", strategy_id="b")
    rig.hear(msg.StrategyFailed(strategy_id=StrategyId("a"), reason="it hung"))
    rig.refuse(mine, msg.Request.CANCEL)
    assert quiet.until(rig.engine.core) == 0  # the next tick counts

    rig.wait(1)

    assert rig.canceled() == [mine]


def test_an_entry_of_a_strategy_that_was_started_again_is_left_alone(rig):
    mine = limit(rig, Side.BUY, "1", "95", strategy_id="a")
    rig.hear(msg.StrategyFailed(strategy_id=StrategyId("a"), reason="it hung"))
    rig.refuse(mine, msg.Request.CANCEL)
    rig.hear(msg.StrategyAttached(strategy_id=StrategyId("a"), description="d"))

    rig.wait(1)

    assert rig.canceled() == []


def test_a_mark_that_will_be_too_old_makes_ticks_count_from_then_on():
    rig = Rig(equity_interval_ns=3600 * NS_PER_S, stop_loss_pct=0, take_profit_pct=0)
    rig.hold("9", Side.SELL)
    rig.tick()
    rig.hear(MarkPrice(symbol=BTC, ts=rig.now, mark_price=100.0))
    core, marked_ts = rig.engine.core, rig.now
    assert quiet.band(core, BTC) == quiet.EVERYWHERE  # the mark stands, whatever is traded
    assert quiet.until(core) == marked_ts + MARK_LAG_NS + 1

    rig.wait(61)

    assert quiet.band(core, BTC) < (0.0, float("inf"))
