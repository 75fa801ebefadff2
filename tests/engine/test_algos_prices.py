"""Which limits the parts of a quantity have that is worked without market orders."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine import forgetting
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import ExecType
from holdfast.model.order_wish import OrderWish
from holdfast.model.values import (
    NS_PER_S,
    OrderStatus,
    OrderType,
    SignalType,
    TimeInForce,
)
from tests.engine.rig import LIMIT, Rig, S
from tests.engine.test_algos import TWAP, entries, fill_all, go, iceberg, shorts


@pytest.fixture
def rig():
    return Rig(limits={"duplicate_window_s": 0}, use_market_orders=False)


def limits(rig):
    return [o.request.price for o in entries(rig)]


def begun(rig, kind=SignalType.BUY, **fields):
    rig.signal(kind, quantity=Decimal(6), algo=TWAP, **fields)
    fill_all(rig)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (SignalType.BUY, ["100.1", "104.1", "97.0"]),
        (SignalType.SELL, ["99.9", "103.9", "97.0"]),
    ],
)
def test_each_slice_has_the_tolerance_about_the_price_of_its_own_moment(rig, kind, wanted):
    begun(rig, kind, stop_loss=Decimal(0))
    for price in (104.0, 97.0):
        rig.price(price)
        go(rig, 10)

    assert limits(rig) == [Decimal(each) for each in wanted]
    assert {o.request.time_in_force for o in entries(rig)} == {TimeInForce.IOC}


def test_behind_a_restart_a_slice_has_the_price_of_then(rig):
    begun(rig)
    rig.now += 9 * NS_PER_S
    rig.restart()
    rig.price(104.0)
    rig.snapshot()
    go(rig, 2)

    assert limits(rig)[1] == Decimal("104.1")


def test_a_slice_of_which_no_price_is_known_is_denied_and_says_so(rig):
    begun(rig)
    rig.now += 11 * NS_PER_S
    rig.restart()
    rig.snapshot()
    assert len(limits(rig)) == 1
    rig.hear(msg.TimerFired(parent_id=rig.asked[-1].parent_id))

    [denial] = rig.told(ev.OrderDenied)
    assert (denial.rule, denial.reason) == ("stale_data", "no price of BTCUSDT yet")


def test_the_price_that_a_wish_names_stays_that_of_all_slices(rig):
    begun(rig, price=Decimal(101), order_type=OrderType.LIMIT, time_in_force=TimeInForce.IOC)
    rig.price(100.5)
    go(rig, 10)

    assert limits(rig) == [Decimal(101)] * 2


def test_a_slice_whose_stop_the_market_has_passed_ends_it(rig):
    begun(rig, stop_loss=Decimal(95))
    rig.price(94.0)
    go(rig, 10, fills=False)

    assert len(limits(rig)) == 1
    [text] = shorts(rig)
    assert "stop_loss 95 must be below the price 94" in text
    assert all(o.status is not OrderStatus.DENIED for o in entries(rig))


# Behind an amendment


def amend(rig, order, price):
    """Have its strategy amend it, and the venue do so."""
    rig.wait(2)
    rig.hear(OrderWish(strategy_id=S, cl_ord_id=order.cl_ord_id, price=Decimal(price)))
    assert rig.told(ev.ReplaceRequested)
    rig.report(order.cl_ord_id, ExecType.REPLACED, OrderStatus.NEW, price=Decimal(price))


def followed(**fields):
    """An iceberg that buys at 99, and whose strategy has followed the market down to 96."""
    rig = Rig(limits={"duplicate_window_s": 0})
    iceberg(rig, price=Decimal(99), stop_loss=Decimal(90), **fields)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    amend(rig, first, "96")
    rig.price(96.5)
    return rig, first


@pytest.mark.parametrize("has_restarted", [False, True])
def test_a_part_behind_an_amended_one_has_its_price(has_restarted):
    rig, first = followed()
    if has_restarted:
        rig.restart()
        rig.price(96.5)
        rig.snapshot()
    rig.trade(first.cl_ord_id, "1", "96")

    assert limits(rig)[1:] == [96]


def test_the_price_that_a_part_was_amended_to_holds_until_another_is():
    rig, first = followed()
    rig.trade(first.cl_ord_id, "1", "96")
    second = entries(rig)[1]
    rig.accept(second.cl_ord_id)
    amend(rig, second, "95")
    amend(rig, second, "97")
    rig.trade(second.cl_ord_id, "1", "97")

    assert limits(rig) == [99, 96, 97]


def test_an_amended_price_outlives_the_part_that_had_it(monkeypatch):
    monkeypatch.setattr(forgetting, "CLOSED_ORDERS_KEPT", 0)
    rig, first = followed()
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.cancel(first.cl_ord_id)
    assert entries(rig) == []
    rig.hear(msg.ResumeSession())
    go(rig, 6, fills=False)

    assert limits(rig) == [96]


def test_a_part_behind_one_that_somebody_else_amended_past_its_stop_does_not_go_out():
    rig, first = followed()
    rig.report(first.cl_ord_id, ExecType.REPLACED, OrderStatus.NEW, price=Decimal(89))
    rig.trade(first.cl_ord_id, "1", "89")

    assert limits(rig) == [99]
    assert "stop_loss 90 must be below the price 89" in shorts(rig)[0]


def test_a_slice_behind_an_amended_one_has_its_price():
    rig = Rig(limits={"duplicate_window_s": 0})
    rig.signal(
        quantity=Decimal(6), algo=TWAP, order_type=LIMIT, price=Decimal(99), stop_loss=Decimal(90)
    )
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    amend(rig, first, "96")
    go(rig, 9, fills=False)

    assert limits(rig) == [99, 96]


@pytest.mark.parametrize("is_old_filled", [False, True])
def test_the_price_of_a_newer_part_that_is_forgotten_outlives_an_older_one(
    monkeypatch, is_old_filled
):
    """The older one rests on at its own price, or is forgotten after it."""
    monkeypatch.setattr(forgetting, "CLOSED_ORDERS_KEPT", 0)
    rig = Rig(limits={"duplicate_window_s": 0})
    rig.signal(
        quantity=Decimal(6), algo=TWAP, order_type=LIMIT, price=Decimal(99), stop_loss=Decimal(90)
    )
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    go(rig, 10, fills=False)
    second = entries(rig)[1]
    rig.accept(second.cl_ord_id)
    amend(rig, second, "96")
    rig.trade(second.cl_ord_id, "1", "96")
    if is_old_filled:
        rig.trade(first.cl_ord_id, "1", "96")
    go(rig, 9, fills=False)

    assert limits(rig)[-1] == 96
