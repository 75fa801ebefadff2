from __future__ import annotations

import pytest

from holdfast.exchange import amendment
from holdfast.model.messages import Request
from holdfast.model.values import OrderStatus, OrderType, TimeInForce
from tests.exchange.desk import OTHER, Desk, d, story


@pytest.fixture
def desk():
    desk = Desk()
    desk.trade(50_000)
    desk.buy(1, 49_000)
    return desk


def test_an_amendment_changes_total_quantity_and_price(desk):
    (report,) = desk.amend("o1", 2, 49_500)

    assert story([report]) == ["o1 REPLACED"]
    assert (report.qty, report.price, report.status) == (2, d(49_500), OrderStatus.NEW)
    assert story(desk.trade(49_400)) == ["o1 2@49500"]


def test_the_quantity_includes_what_was_executed(desk):
    desk.trade(48_990, "0.4")
    desk.trade(50_000)

    (report,) = desk.amend("o1", "0.9", 49_000)

    assert (report.status, report.cum_qty) == (OrderStatus.PARTIALLY_FILLED, d("0.4"))
    assert story(desk.trade(48_990)) == ["o1 0.5@49000"]


def test_an_amendment_to_what_is_executed_cancels(desk):
    desk.trade(48_990, "0.4")

    (report,) = desk.amend("o1", "0.4", 49_000)

    assert story([report]) == ["o1 CANCELED"]
    assert report.cum_qty == d("0.4")


def test_an_amended_order_goes_to_the_end_of_its_line(desk):
    desk.buy(1, 49_000, account=OTHER)
    desk.amend("o1", "0.5", 49_000)

    assert story(desk.trade(48_990, 1)) == ["o2 1@49000"]


def test_an_amendment_across_the_book_takes(desk):
    assert story(desk.amend("o1", 1, 50_100)) == ["o1 REPLACED", "o1 1@50000"]


def test_a_post_only_order_amended_across_the_book_is_cancelled():
    desk = Desk()
    desk.quote(49_999, 50_000)
    desk.buy(1, 49_000, time_in_force=TimeInForce.GTX)

    assert story(desk.amend("o1", 1, 50_100)) == ["o1 CANCELED"]


@pytest.mark.parametrize(
    ("qty", "price", "code"),
    [
        (1, 49_000, -5027),
        ("0.0005", 49_000, -4004),
        ("1.0005", 49_000, -4023),
        (1, "49000.05", -4014),
        (1, 53_000, -4016),
        ("0.001", 49_000, -5029),
        (50, 49_000, -2019),
    ],
)
def test_an_amendment_is_refused_and_the_order_stands(desk, qty, price, code):
    (refused,) = desk.amend("o1", qty, price)

    assert (refused.request, refused.code) == (Request.REPLACE, code)
    assert refused.reason
    order = desk.exchange.open_orders(desk.exchange.instruments() and refused.account)[0]
    assert (order.qty, order.price, order.amendments) == (1, d(49_000), 0)
    assert story(desk.trade(48_990)) == ["o1 1@49000"]


def test_the_old_quantity_does_not_count_beside_the_new():
    desk = Desk()
    desk.trade(50_000)
    desk.buy(4, 49_000)

    assert story(desk.amend("o1", 4, 49_500)) == ["o1 REPLACED"]


def test_only_open_limit_orders_can_be_amended(desk):
    desk.sell(1, kind=OrderType.STOP_MARKET, trigger_price=48_000)

    assert desk.amend("never", 1, 49_000)[0].code == -2013
    assert desk.amend("o2", 1, 49_000)[0].code == -2013


def test_amendments_are_counted_and_bounded(desk, monkeypatch):
    monkeypatch.setattr(amendment, "MAX_AMENDMENTS", 2)
    desk.amend("o1", 2, 49_000)
    desk.amend("o1", 1, 49_000)

    assert desk.amend("o1", 2, 49_000)[0].code == -5026
