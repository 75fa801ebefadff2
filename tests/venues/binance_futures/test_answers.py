"""Outcomes as the engine hears them, and what it makes of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import events as ev
from holdfast.model.commands import CancelOrder, QueryOrder, ReplaceOrder, SubmitOrder
from holdfast.model.messages import (
    ExecType,
    ExecutionReport,
    ModifyRequest,
    OrderNotFound,
    OutcomeUnknown,
    Request,
    RequestRefused,
)
from holdfast.model.values import MAIN, NS_PER_S, OrderRole, OrderStatus, OrderType, Side
from holdfast.venues.binance_futures.answers import ASKS, answer, failure
from holdfast.venues.binance_futures.outcomes import NO_ANSWER, classify
from tests.engine.rig import Rig
from tests.venues.binance_futures import frames

NOW = 123


def said(command, status, code=None, text=""):
    return answer(command, classify(ASKS[type(command)], status, code, text), NOW)


def test_a_refused_order_is_rejected_with_code_and_words():
    report = said(frames.submit(), 400, -2019, "Margin is insufficient.")

    assert isinstance(report, ExecutionReport)
    assert (report.status, report.exec_type) == (OrderStatus.REJECTED, ExecType.REJECTED)
    assert (report.code, report.reason) == (-2019, "Margin is insufficient.")


@pytest.mark.parametrize(
    ("status", "code"), [(503, None), (NO_ANSWER, None), (400, -1006), (503, -1001), (400, -4116)]
)
def test_an_order_that_may_have_arrived_is_in_doubt(status, code):
    unknown = said(frames.submit(), status, code)

    assert isinstance(unknown, OutcomeUnknown)
    assert unknown.request is Request.SUBMIT


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (400, -9001, -9001),
        (400, -1007, None),
        (400, -1050, None),
        (503, -9001, None),
        (0, None, None),
    ],
)
def test_a_refusal_that_nobody_documented_is_in_doubt_and_names_its_code(status, code, told):
    unknown = said(frames.submit(), status, code)

    assert isinstance(unknown, OutcomeUnknown)
    assert unknown.code == told


def test_tries_that_are_over_are_a_refusal():
    assert said(frames.submit(), 503, -1008).status is OrderStatus.REJECTED
    assert isinstance(said(frames.cancel(), 429, -1003), RequestRefused)


def test_a_passed_trigger_price_has_one_number():
    for code in (-2021, -4142):
        assert said(frames.submit(), 400, code).code == -2021


@pytest.mark.parametrize("command", [frames.cancel(), frames.replace()])
def test_a_cancel_or_amendment_is_refused_or_in_doubt(command):
    assert isinstance(said(command, 400, -2011), RequestRefused)
    assert isinstance(said(command, 400, -2013), RequestRefused)
    assert isinstance(said(command, 503), OutcomeUnknown)


def test_an_amendment_that_changes_nothing_is_done():
    report = said(frames.replace(), 400, -5027)

    assert report.exec_type is ExecType.REPLACED
    assert (report.qty, report.price) == (Decimal("0.04"), Decimal("61000.1"))


def test_an_amendment_that_changes_nothing_hides_no_later_one():
    """Its answer names no time of the exchange's, and our clock may be ahead of that."""
    rig = Rig()
    order = rig.place(order_type=OrderType.LIMIT, price="99")
    rig.accept(order)
    rig.hear(ModifyRequest(cl_ord_id=order, price=Decimal(98)))
    (command,) = (each for each in rig.asked if isinstance(each, ReplaceOrder))
    told = answer(command, classify(ASKS[ReplaceOrder], 400, -5027), rig.now + NS_PER_S)
    assert told is not None
    rig.hear(told)
    at_once = rig.order(order).price

    rig.hear(ModifyRequest(cl_ord_id=order, price=Decimal(97)))
    rig.report(order, ExecType.REPLACED, OrderStatus.NEW, price=Decimal(97))

    assert (at_once, rig.order(order).price) == (98, 97)


def test_not_found_names_the_time_of_the_question():
    assert said(frames.query(), 400, -2013) == OrderNotFound(
        account=MAIN, symbol=frames.BTC, cl_ord_id=frames.NAME, asked_ts=NOW
    )
    assert said(frames.query(), 503) is None  # asked again
    assert said(frames.query(), 400, -1102) is None  # refused, and no proof of absence
    assert said(frames.query(), 401, -2015) is None


def test_failures_are_told_for_the_breaker():
    counted = failure(classify(ASKS[SubmitOrder], 401, -2015, "Invalid API-key"), MAIN)

    assert counted is not None
    assert (counted.failure, counted.reason) == ("auth", "-2015: Invalid API-key")
    assert failure(classify(ASKS[SubmitOrder], 400, -2019), MAIN) is None


# With the engine


def sent(rig, kind):
    return next(each for each in reversed(rig.commands) if isinstance(each, kind))


def test_the_engine_never_ends_an_order_whose_outcome_is_unknown():
    rig = Rig()
    name = rig.place(order_type=OrderType.LIMIT, price="99")
    rig.hear(said(sent(rig, SubmitOrder), 503, -1000))

    order = rig.order(name)
    assert order.is_in_doubt
    assert order.is_open
    assert rig.queried() == [name]
    absent = answer(sent(rig, QueryOrder), classify(ASKS[QueryOrder], 400, -2013), rig.now)
    assert absent is not None
    rig.hear(absent)
    assert rig.order(name).is_open  # before its fence absence proves nothing


def test_the_engine_ends_an_order_whose_contract_is_gone_and_says_so():
    rig = Rig()
    name = rig.place(order_type=OrderType.LIMIT, price="99")
    rig.accept(name)
    rig.wait(20)
    rig.snapshot(orders=[])
    assert rig.queried() == [name]
    gone = answer(
        sent(rig, QueryOrder), classify(ASKS[QueryOrder], 400, -1121, "Invalid symbol."), rig.now
    )
    assert gone is not None
    rig.hear(gone)

    assert rig.order(name).status is OrderStatus.EXPIRED
    assert "order_forgotten" in rig.alarms()


def test_the_engine_asks_after_an_order_whose_cancel_met_nobody():
    rig = Rig()
    name = rig.place(order_type=OrderType.LIMIT, price="99")
    rig.accept(name)
    rig.engine.core.cancel(rig.order(name), "test")
    command = CancelOrder(
        account=MAIN,
        symbol=frames.BTC,
        cl_ord_id=name,
        is_conditional=False,
        ts=rig.now,
        recv_window_ns=1,
    )
    rig.hear(said(command, 400, -2011, "Unknown order sent."))

    assert rig.order(name).is_open
    assert rig.queried() == [name]


def test_the_engine_closes_a_position_whose_stop_is_passed():
    rig = Rig()
    entry = rig.place(Side.BUY, "1", stop_loss="95")
    rig.accept(entry)
    rig.trade(entry, "1")
    stop = next(c for c in rig.asked if isinstance(c, SubmitOrder))
    assert stop.order.role is OrderRole.STOP_LOSS
    rig.hear(said(stop, 400, -4142, "REJECT: take profit or stop order will be triggered"))
    rig.tick()

    exits = rig.working(OrderRole.EXIT)
    assert [o.request.qty for o in exits] == [1]
    assert rig.ever(ev.OrderRejected)
    assert ReplaceOrder in ASKS
