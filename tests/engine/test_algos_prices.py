"""Which limits the parts of a quantity have that is worked without market orders."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.values import (
    NS_PER_S,
    OrderStatus,
    OrderType,
    SignalType,
    TimeInForce,
)
from tests.engine.rig import Rig
from tests.engine.test_algos import TWAP, entries, fill_all, go, shorts


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
