"""Orders whose status the venue calls by a word that nobody knows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import messages as msg
from holdfast.model.messages import ExecType
from holdfast.model.values import NS_PER_S, OrderStatus
from tests.engine.rig import BTC, Rig

WORD = "FAILED"


@pytest.fixture
def rig():
    return Rig()


@pytest.fixture
def stop(rig):
    rig.hold("1", stop_loss="90")
    (stop,) = (o for o in rig.state.all_open_orders() if o.request.order_type.is_conditional)
    return stop.cl_ord_id


def look(rig, orders=()):
    """An audit, and the answers to what it asks."""
    rig.wait(10)
    rig.hear(msg.AuditDue())
    rig.snapshot(positions={BTC: rig.qty()}, orders=orders)


def others(rig, name):
    return [order for order in rig.state.all_open_orders() if order.cl_ord_id != name]


def say(rig, name, word=WORD, **fields):
    """Answer a question after an order, where one was asked."""
    assert name in rig.queried()
    rig.wait(1)
    rig.status(name, OrderStatus.NEW, odd_status=word, **fields)


def test_an_order_that_is_listed_no_more_is_over_though_nobody_knows_its_word(rig, stop):
    look(rig)
    say(rig, stop)
    look(rig)
    assert rig.order(stop).is_open  # one list may have lost it
    say(rig, stop)
    look(rig)

    assert rig.order(stop).status is OrderStatus.EXPIRED
    assert rig.alarms() == ["status_unknown"]
    (another,) = rig.submitted()
    assert another.trigger_price == Decimal(90)


def test_a_dead_close_makes_way_for_the_next(rig, stop):
    rig.hear(msg.CloseRequest(symbol=BTC, reason="close"))
    close = rig.submitted()[0].cl_ord_id
    rig.accept(close)
    rig.report(close, ExecType.STATUS, OrderStatus.NEW, odd_status="EXPIRED_BY_BAND")
    for _ in range(3):
        look(rig, [rig.row(stop)])
        if close in rig.queried():
            say(rig, close)
    assert rig.order(close).status is OrderStatus.EXPIRED

    rig.hear(msg.CloseRequest(symbol=BTC, reason="once more"))

    assert [order.reduce_only for order in rig.submitted()] == [True]


def test_what_was_reported_of_it_is_fetched(rig):
    rig.hold("1", stop_loss="90")
    rig.hear(msg.CloseRequest(symbol=BTC, reason="close"))
    close = rig.submitted()[0].cl_ord_id
    rig.accept(close)
    for _ in range(3):
        look(rig)
        if close in rig.queried():
            say(rig, close, cum_qty=Decimal("0.4"))

    assert rig.order(close).ending is OrderStatus.EXPIRED
    rig.trade(close, "0.4")
    assert rig.order(close).status is OrderStatus.EXPIRED
    assert rig.qty() == Decimal("0.6")


def test_a_word_that_was_told_for_a_moment_ends_nothing(rig, stop):
    for _ in range(4):  # the lists have lost it, and every other answer is odd
        look(rig)
        say(rig, stop)
        look(rig)
        say(rig, stop, "")

    assert rig.order(stop).status is OrderStatus.NEW
    assert rig.alarms() == []


def test_a_word_that_was_told_once_ends_nothing_however_often_the_lists_leave_it_out(rig, stop):
    look(rig)
    say(rig, stop)
    for _ in range(5):
        look(rig)

    assert rig.order(stop).status is OrderStatus.NEW


def test_an_order_that_is_listed_by_a_word_that_nobody_knows_is_open(rig, stop):
    for _ in range(4):
        look(rig)
        say(rig, stop)
        look(rig, [rig.row(stop, odd_status=WORD)])

    assert rig.order(stop).status is OrderStatus.NEW
    assert rig.alarms() == []


def test_a_list_that_was_asked_for_before_the_word_counts_for_nothing(rig, stop):
    look(rig)
    for _ in range(4):
        asked_ts = rig.now
        say(rig, stop)
        rig.snapshot(positions={BTC: "1"}, orders=[], asked_ts=asked_ts)

    assert rig.order(stop).status is OrderStatus.NEW


def test_an_order_that_may_not_be_listed_yet_is_open(rig):
    rig.hold("1", stop_loss="90")
    rig.hear(msg.CloseRequest(symbol=BTC, reason="close"))
    close = rig.submitted()[0].cl_ord_id
    rig.accept(close)
    for _ in range(4):
        rig.wait(1)
        rig.snapshot(orders=[rig.row(o.cl_ord_id) for o in others(rig, close)])
        say(rig, close)

    assert rig.order(close).status is OrderStatus.NEW


def test_executions_that_are_listed_again_say_nothing_of_the_word(rig, stop):
    fill = next(f for f in rig.facts if type(f).__name__ == "OrderFilled")
    entry = fill.cl_ord_id
    for _ in range(3):
        look(rig)
        if stop in rig.queried():
            say(rig, stop)
        rig.report(stop, ExecType.TRADE, OrderStatus.PARTIALLY_FILLED, trade_id=fill.trade_id)

    assert rig.order(stop).status is OrderStatus.EXPIRED
    assert rig.order(entry).status is OrderStatus.FILLED


def test_one_that_is_listed_after_all_is_taken_back(rig, stop):
    for _ in range(2):
        look(rig)
        say(rig, stop)
    look(rig)
    assert rig.order(stop).status is OrderStatus.EXPIRED

    rig.now += 8 * NS_PER_S
    rig.snapshot(positions={BTC: "1"}, orders=[rig.row(stop, qty=Decimal(1))])

    assert rig.alarms() == ["status_unknown", "order_appeared"]
    assert stop in rig.canceled()
