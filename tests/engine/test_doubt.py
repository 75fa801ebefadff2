"""When nobody knows: orders, cancels and amendments in doubt, and the fence that ends doubt."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.asking import ANSWER_PATIENCE_NS
from holdfast.engine.housekeeping import QUERIES_PER_TICK
from holdfast.engine.order import RequestState
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import ExecType, Request
from holdfast.model.values import MAIN, NS_PER_S, OrderStatus, OrderType, Side, TradeId
from tests.engine.rig import BTC, KEY, START, Rig

LIMIT = OrderType.LIMIT
PATIENCE_S = ANSWER_PATIENCE_NS // NS_PER_S
FENCE_NS = 6 * NS_PER_S
"""Receive window and clock skew, from when the request was stamped."""


@pytest.fixture
def rig():
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


@pytest.fixture
def order(rig):
    return rig.place(Side.BUY, "3", order_type=LIMIT, price="99")


def reach(rig):
    return rig.engine.core.exposure.reach(KEY).longest


# Orders


def test_an_unknown_outcome_puts_the_order_in_doubt_and_asks_at_once(rig, order):
    rig.unknown(order)

    [fact] = rig.told(ev.OrderInDoubt)
    assert (fact.fence_ts, fact.reason) == (START + FENCE_NS, "time-out")
    assert rig.queried() == [order]
    assert rig.submitted() == []


def test_the_fence_counts_from_when_the_order_was_stamped(rig, order):
    rig.now += 3 * NS_PER_S

    rig.unknown(order)

    assert rig.told(ev.OrderInDoubt)[0].fence_ts == START + FENCE_NS


def test_the_fence_includes_how_far_the_venues_answers_trail():
    rig = Rig()
    rig.engine.core.read_lag_ns = 2 * NS_PER_S
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")

    rig.unknown(order)

    assert rig.told(ev.OrderInDoubt)[0].fence_ts == START + FENCE_NS + 2 * NS_PER_S


def seconds_asked_after(rig, order, most):
    """Tick every second; return in which of them the order was asked after."""
    asked = []
    for second in range(1, most + 1):
        rig.wait(1)
        if rig.queried() == [order]:
            asked.append(second)
    return asked


def test_an_order_in_doubt_is_asked_after_less_and_less_often_and_once_its_fence_is_past(
    rig, order
):
    rig.tick()
    rig.unknown(order)

    assert seconds_asked_after(rig, order, 15) == [1, 3, 6, 7, 9, 11, 13, 15]
    assert reach(rig) == 3


def test_a_question_at_the_fence_that_was_lost_is_soon_asked_again(rig, order):
    rig.tick()
    rig.unknown(order)
    rig.wait(5)
    at_the_fence = [second + 5 for second in seconds_asked_after(rig, order, 5)]

    assert at_the_fence == [6, 7, 9]


@pytest.mark.parametrize(("interval_s", "asked"), [(2, [2, 6]), (5, [5])])
def test_the_interval_of_questions_is_a_setting(interval_s, asked):
    rig = Rig(query_interval_ns=interval_s * NS_PER_S)
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")
    rig.tick()
    rig.unknown(order)

    assert seconds_asked_after(rig, order, 6) == sorted({*asked, FENCE_NS // NS_PER_S})


def test_after_a_restart_what_is_in_doubt_is_asked_after_at_once(rig, order):
    rig.unknown(order)
    rig.wait(2)
    rig.restart()

    rig.tick()

    assert order in rig.queried()


def test_not_found_proves_nothing_before_the_fence(rig, order):
    rig.unknown(order)
    for asked_ts in (START, START + FENCE_NS):
        rig.now = START + 60 * NS_PER_S  # when the answer is handled does not matter
        rig.not_found(order, asked_ts=asked_ts)
        assert rig.order(order).is_in_doubt
        assert reach(rig) == 3


def test_not_found_asked_after_the_fence_is_final(rig, order):
    rig.unknown(order)
    rig.wait(7)

    rig.not_found(order, asked_ts=START + FENCE_NS + 1)

    assert rig.order(order).status is OrderStatus.NEVER_ARRIVED
    assert reach(rig) == 0


def test_not_found_is_not_believed_of_an_order_that_nobody_doubts(rig, order):
    rig.wait(7, ticks=False)

    rig.not_found(order)

    assert rig.order(order).status is OrderStatus.PENDING_NEW


@pytest.mark.parametrize("status", [OrderStatus.NEW, OrderStatus.CANCELED, OrderStatus.EXPIRED])
def test_an_order_in_doubt_that_is_found_is_an_ordinary_one_again(rig, order, status):
    rig.unknown(order)

    rig.status(order, status)

    assert rig.order(order).status is status
    assert not rig.order(order).is_in_doubt


def test_an_order_in_doubt_that_is_found_filled_has_its_fills_fetched(rig, order):
    rig.unknown(order)

    rig.status(order, OrderStatus.FILLED, cum_qty=Decimal(3))

    assert rig.order(order).is_open  # until they are booked
    assert not rig.order(order).is_in_doubt
    assert rig.resyncs() == 1
    assert rig.qty() == 0

    rig.trade(order, "3", "99")
    assert rig.order(order).status is OrderStatus.FILLED


def test_a_fill_ends_the_doubt(rig, order):
    rig.unknown(order)

    rig.trade(order, "1", "99")

    assert not rig.order(order).is_in_doubt


def test_doubt_of_an_answered_or_ended_order_is_no_doubt(rig, order):
    rig.accept(order)
    rig.unknown(order)
    assert rig.news == []
    assert rig.queried() == [order]

    rig.cancel(order)
    rig.unknown(order)
    assert (rig.news, rig.asked) == ([], [])
    rig.unknown("?")
    assert (rig.news, rig.asked) == ([], [])


def test_an_order_that_nobody_answers_is_doubted_after_a_while(rig, order):
    rig.wait(PATIENCE_S)
    assert rig.ever(ev.OrderInDoubt) == []

    rig.wait(1)
    assert len(rig.told(ev.OrderInDoubt)) == 1
    assert rig.queried() == [order]


def test_an_order_of_an_earlier_life_that_was_never_answered_is_doubted_at_the_start(rig, order):
    rig.restart()
    rig.snapshot(orders=[])

    assert rig.order(order).is_in_doubt
    assert order in rig.queried()


def test_an_order_that_the_venue_forgot_before_its_fills_were_heard_is_told_of_once(rig, order):
    rig.accept(order)
    rig.status(order, OrderStatus.PARTIALLY_FILLED, cum_qty=Decimal("0.5"))
    for _ in range(60):
        rig.wait(1)
        rig.not_found(order)

    assert rig.alarms() == ["order_forgotten"]
    rig.trade(order, "0.5", cum_qty=Decimal("0.5"))
    assert rig.order(order).status is OrderStatus.EXPIRED


def test_no_order_is_ever_sent_twice(rig, order):
    rig.unknown(order)
    rig.wait(30)
    rig.restart()
    rig.snapshot(orders=[])
    rig.wait(30)

    assert [o.cl_ord_id for o in rig.submitted(rig.commands)] == [order]


def test_fills_that_are_missing_are_asked_after_too(rig, order):
    rig.accept(order)
    rig.cancel(order, cum_qty=Decimal(1))

    rig.wait(PATIENCE_S + 1)

    assert rig.queried() == [order]


def test_no_more_than_so_many_are_asked_after_at_once_and_the_rest_next(rig):
    for number in range(QUERIES_PER_TICK + 5):
        rig.unknown(rig.place(Side.BUY, f"0.{100 + number}", order_type=LIMIT, price="99"))

    rig.wait(1)
    first = rig.queried()
    rig.tick()

    assert len(first) == QUERIES_PER_TICK
    assert len({*first, *rig.queried()}) == QUERIES_PER_TICK + 5


# Cancels


@pytest.fixture
def resting(rig, order):
    rig.accept(order)
    rig.wait(2)
    return order


def test_a_cancel_in_doubt_is_asked_after_and_frees_nothing(rig, resting):
    rig.hear(msg.CancelRequest(cl_ord_id=resting))
    rig.unknown(resting, Request.CANCEL)

    assert rig.told(ev.CancelInDoubt)[0].fence_ts == rig.now + FENCE_NS
    assert rig.queried() == [resting]
    rig.wait(1)
    assert rig.queried() == [resting]
    assert reach(rig) == 3


def test_a_cancel_in_doubt_that_arrived_is_seen_in_the_orders_status(rig, resting):
    rig.hear(msg.CancelRequest(cl_ord_id=resting))
    rig.unknown(resting, Request.CANCEL)

    rig.status(resting, OrderStatus.CANCELED)

    assert not rig.order(resting).is_open


@pytest.mark.parametrize("by", ["status", "snapshot"])
def test_a_cancel_never_arrived_when_the_order_is_open_past_the_fence(rig, resting, by):
    rig.hear(msg.CancelRequest(cl_ord_id=resting))
    rig.unknown(resting, Request.CANCEL)
    fence_ts = rig.now + FENCE_NS

    rig.status(resting, asked_ts=fence_ts)
    assert rig.order(resting).cancel is RequestState.IN_DOUBT

    rig.now = fence_ts + 1
    if by == "status":
        rig.status(resting)
    else:
        rig.snapshot()
    assert rig.order(resting).cancel is RequestState.NONE
    assert rig.order(resting).is_open


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_cancel_that_nobody_answers_is_doubted_and_can_be_asked_again(rig, resting, is_restarted):
    """Its answer was lost, or the process died before it was sent."""
    rig.hear(msg.CancelRequest(cl_ord_id=resting))
    if is_restarted:
        rig.restart()
        rig.snapshot()
    rig.wait(PATIENCE_S + 1)
    assert rig.order(resting).cancel is RequestState.IN_DOUBT

    rig.status(resting)
    assert rig.order(resting).cancel is RequestState.NONE

    rig.hear(msg.CancelRequest(cl_ord_id=resting))
    assert rig.canceled() == [resting]


# Amendments


@pytest.fixture
def amended(rig, resting):
    rig.hear(msg.ModifyRequest(cl_ord_id=resting, qty=Decimal(5), price=Decimal(98)))
    return resting


def test_an_amendment_in_doubt_reserves_the_larger_side(rig, amended):
    rig.unknown(amended, Request.REPLACE)

    assert rig.told(ev.ReplaceInDoubt)[0].fence_ts == rig.now + FENCE_NS
    assert reach(rig) == 5


def test_an_amendment_in_doubt_that_shows_is_done(rig, amended):
    rig.unknown(amended, Request.REPLACE)

    rig.status(amended, qty=Decimal(5), price=Decimal(98))

    assert (rig.order(amended).qty, rig.order(amended).replace) == (5, RequestState.NONE)


def test_an_amendment_that_does_not_show_is_over_past_its_fence_alone(rig, amended):
    rig.unknown(amended, Request.REPLACE)
    fence_ts = rig.now + FENCE_NS

    rig.status(amended, asked_ts=fence_ts)
    assert reach(rig) == 5

    rig.now = fence_ts + 1
    rig.status(amended)
    assert rig.told(ev.ReplaceRejected)[0].reason == "it never arrived"
    assert reach(rig) == 3


def test_an_amendment_that_nobody_answers_is_doubted_after_a_while(rig, amended):
    rig.wait(PATIENCE_S + 1)
    assert rig.order(amended).replace is RequestState.IN_DOUBT

    rig.status(amended)
    assert rig.order(amended).replace is RequestState.NONE


def test_fills_do_not_keep_a_lost_amendment_from_being_doubted(rig, amended):
    for _ in range(PATIENCE_S + 1):
        rig.trade(amended, "0.1", "99")
        rig.wait(1)

    assert rig.order(amended).replace is RequestState.IN_DOUBT


def test_a_cancel_that_is_asked_again_and_again_does_not_keep_an_amendment_in_the_dark(
    rig, amended
):
    rig.hear(msg.EngageKillSwitch(reason="x"))
    for _ in range(PATIENCE_S + 1):
        rig.refuse(amended, Request.CANCEL)
        rig.wait(1)

    assert rig.order(amended).replace is RequestState.IN_DOUBT


@pytest.mark.parametrize("is_heard_by", ["trade", "status"])
def test_an_order_that_filled_before_its_amendment_came_is_filled(rig, amended, is_heard_by):
    """The venue's word that it is FILLED ends it, though a larger quantity was asked for."""
    fields = {"status": OrderStatus.FILLED, "cum_qty": Decimal(3)}
    if is_heard_by == "trade":
        rig.trade(amended, "3", "99", **fields)
    else:
        rig.trade(amended, "3", "99", **{**fields, "status": OrderStatus.PARTIALLY_FILLED})
        assert rig.order(amended).is_open
        rig.status(amended, **fields)

    assert rig.order(amended).status is OrderStatus.FILLED
    assert reach(rig) == 3


def filled_as_amended(rig, order, qty, trade, *, cum):
    status = OrderStatus.FILLED if cum == "5" else OrderStatus.PARTIALLY_FILLED
    return msg.ExecutionReport(
        symbol=BTC,
        cl_ord_id=order,
        exec_type=ExecType.TRADE,
        status=status,
        side=Side.BUY,
        venue_ts=rig.now,
        order_type=LIMIT,
        qty=Decimal(5),
        price=Decimal(98),
        cum_qty=Decimal(cum),
        last_qty=Decimal(qty),
        last_px=Decimal(98),
        trade_id=TradeId(trade),
    )


def test_an_order_that_filled_at_its_amended_size_was_amended(rig, amended):
    """The amendment's own report and the first fill are late."""
    rig.hear(filled_as_amended(rig, amended, "2", "t2", cum="5"))
    assert rig.order(amended).is_open  # three more are on their way

    rig.hear(filled_as_amended(rig, amended, "3", "t1", cum="3"))

    assert rig.order(amended).status is OrderStatus.FILLED
    assert rig.qty() == 5


def test_doubt_of_what_was_not_asked_is_no_doubt(rig, resting):
    for request in (Request.CANCEL, Request.REPLACE):
        rig.unknown(resting, request)

        assert rig.news == []
        assert rig.queried() == [resting]


def test_doubt_of_a_report_that_came_meanwhile_changes_nothing(rig, amended):
    rig.report(amended, ExecType.REPLACED, OrderStatus.NEW, qty=Decimal(5), price=Decimal(98))

    rig.unknown(amended, Request.REPLACE)

    assert rig.news == []
    assert rig.state.account(MAIN).wallet("USDT") == 10_000
