from __future__ import annotations

import pytest

from holdfast.exchange import Expiry, OrderKey
from holdfast.model.values import MAIN, OrderStatus, OrderType, Side, TimeInForce, WorkingType
from tests.exchange.desk import BTC, OTHER, Desk, d, story

BUY, SELL = Side.BUY, Side.SELL
FIRED = ["o1 TRIGGERED", "o1 NEW"]


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "quiet", "hit"),
    [
        (OrderType.STOP_MARKET, BUY, 50_500, "50499.9", 50_500),
        (OrderType.STOP_MARKET, SELL, 49_500, "49500.1", 49_500),
        (OrderType.TAKE_PROFIT_MARKET, BUY, 49_500, "49500.1", 49_500),
        (OrderType.TAKE_PROFIT_MARKET, SELL, 50_500, "50499.9", 50_500),
    ],
)
def test_a_trigger_fires_at_its_price_and_not_before(kind, side, trigger, quiet, hit):
    desk = Desk()
    desk.trade(50_000)
    desk.submit(desk.order(side, "0.1", kind=kind, trigger_price=trigger))

    assert desk.trade(quiet) == []
    assert story(desk.trade(hit)) == [*FIRED, f"o1 0.1@{hit}"]


@pytest.mark.parametrize(
    ("kind", "side", "trigger"),
    [
        (OrderType.STOP_MARKET, BUY, 49_999),
        (OrderType.STOP_MARKET, SELL, 50_001),
        (OrderType.TAKE_PROFIT_MARKET, BUY, 50_001),
        (OrderType.TAKE_PROFIT_MARKET, SELL, 49_999),
    ],
)
def test_what_would_trigger_at_once_is_refused(kind, side, trigger):
    desk = Desk()
    desk.trade(50_000)

    assert story(desk.submit(desk.order(side, 1, kind=kind, trigger_price=trigger))) == [
        "o1 REJECTED -2021"
    ]


def test_a_stop_limit_becomes_a_resting_limit_order():
    desk = Desk()
    desk.trade(50_000)
    desk.sell("0.1", 49_600, kind=OrderType.STOP, trigger_price=49_500)

    reports = desk.trade(49_500)

    assert story(reports) == FIRED
    assert reports[0].status is OrderStatus.TRIGGERED
    assert reports[1].status is OrderStatus.NEW
    assert reports[0].venue_order_id != ""
    assert story(desk.trade("49600.1")) == ["o1 0.1@49600"]


def test_a_mark_price_trigger_does_not_hear_the_last_trade():
    desk = Desk()
    desk.trade(50_000)
    desk.mark(50_000)
    desk.sell(
        "0.1",
        kind=OrderType.STOP_MARKET,
        trigger_price=49_500,
        working_type=WorkingType.MARK_PRICE,
    )

    assert desk.trade(49_000) == []
    assert desk.mark("49500.1") == []
    assert story(desk.mark(49_500)) == [*FIRED, "o1 0.1@49000"]


def test_a_mark_price_trigger_hears_the_tape_until_the_first_mark():
    desk = Desk()
    desk.trade(50_000)
    mark = WorkingType.MARK_PRICE
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_500, working_type=mark)
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_000, working_type=mark)

    assert story(desk.trade(49_500))[-1] == "o1 0.1@49500"

    desk.mark(49_400)

    assert story(desk.mark(49_000))[-1] == "o2 0.1@49500"


def test_a_trade_between_two_accounts_triggers_a_third_partys_stop():
    desk = Desk()
    desk.trade(50_000)
    desk.book([(40_000, 1)], [(60_000, 1)])
    desk.buy("0.1", kind=OrderType.STOP_MARKET, trigger_price=51_000, cl_ord_id="stop")
    desk.sell("0.2", 51_000, account=OTHER)

    assert story(desk.buy("0.1", 51_000))[-3:] == ["stop NEW", "o2 0.1@51000", "stop 0.1@51000"]


def test_a_contract_price_trigger_does_not_hear_the_mark():
    desk = Desk()
    desk.trade(50_000)
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_500)

    assert desk.mark(49_000) == []


def test_without_a_tape_the_middle_of_the_quote_triggers():
    desk = Desk()
    desk.quote(49_999, 50_001)
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_500)

    assert desk.quote(49_500, 49_502) == []
    assert story(desk.quote(49_499, 49_501)) == [*FIRED, "o1 0.1@49499"]


def test_quotes_after_bars_move_the_price():
    """A bar is the finest thing known until a quote is heard; no later bar counts then."""
    desk = Desk()
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.quote(50_999, 51_001)
    assert desk.exchange.mark_price(BTC) == 51_000
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_500)

    assert story(desk.quote(49_499, 49_501)) == [*FIRED, "o1 0.1@49499"]


def test_there_is_no_margin_check_before_the_trigger_but_one_at_it():
    desk = Desk()
    desk.trade(50_000)

    assert story(desk.buy(100, kind=OrderType.STOP_MARKET, trigger_price=50_500)) == ["o1 NEW"]

    reports = desk.trade(50_500)

    assert story(reports) == ["o1 TRIGGERED", "o1 EXPIRED"]
    assert reports[-1].code == -2019


def test_a_reduce_only_stop_waits_without_a_position_and_expires_when_triggered():
    desk = Desk()
    desk.trade(50_000)
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_500, reduce_only=True)

    reports = desk.trade(49_400)

    assert story(reports) == ["o1 TRIGGERED", "o1 EXPIRED"]
    assert reports[-1].code == -2022
    order = desk.exchange.query(OrderKey(MAIN, BTC, reports[0].cl_ord_id))
    assert order is not None
    assert order.expiry is Expiry.TRIGGER_REFUSED


def test_a_reduce_only_stop_closes_no_more_than_the_position():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")
    desk.sell("0.5", kind=OrderType.STOP_MARKET, trigger_price=49_500, reduce_only=True)

    assert story(desk.trade(49_400))[2:] == ["o2 0.1@49400", "o2 EXPIRED"]
    assert desk.qty() == 0


def test_a_post_only_stop_that_would_take_expires():
    desk = Desk()
    desk.trade(50_000)
    desk.sell(
        "0.1",
        49_400,
        kind=OrderType.STOP,
        trigger_price=49_500,
        time_in_force=TimeInForce.GTX,
    )

    reports = desk.trade(49_500)

    assert story(reports) == ["o1 TRIGGERED", "o1 EXPIRED"]
    assert reports[-1].code == -5022


def test_two_stops_at_one_price_fire_in_the_order_they_came():
    desk = Desk()
    desk.trade(50_000)
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_500)
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_500)

    assert [word.split()[0] for word in story(desk.trade(49_500))] == ["o1"] * 3 + ["o2"] * 3


def test_a_trailing_sell_follows_the_peak_and_fires_at_its_distance():
    desk = Desk()
    desk.trade(50_000)
    desk.sell("0.1", kind=OrderType.TRAILING_STOP_MARKET, callback_rate=1)

    for price in (50_500, 50_100, 51_000, "50490.1"):
        assert desk.trade(price) == []
    assert story(desk.trade(50_490)) == [*FIRED, "o1 0.1@50490"]


def test_a_trailing_buy_is_the_mirror():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1", kind=OrderType.TRAILING_STOP_MARKET, callback_rate=1)

    for price in (49_500, 49_900, 49_000, "49489.9"):
        assert desk.trade(price) == []
    assert story(desk.trade(49_490)) == [*FIRED, "o1 0.1@49490"]


def test_a_trailing_stop_rests_until_its_activation_price():
    desk = Desk()
    desk.trade(50_000)
    desk.sell("0.1", kind=OrderType.TRAILING_STOP_MARKET, callback_rate=1, activation_price=51_000)

    for price in (49_000, 50_900, 50_000, 51_000, "50490.1"):
        assert desk.trade(price) == []
    assert story(desk.trade(50_490))[:2] == FIRED


def test_an_activation_price_that_is_reached_already_is_refused():
    desk = Desk()
    desk.trade(50_000)
    more = {"kind": OrderType.TRAILING_STOP_MARKET, "callback_rate": 1}

    assert desk.sell("0.1", activation_price=49_000, **more)[0].code == -2021
    assert desk.buy("0.1", activation_price=51_000, **more)[0].code == -2021


def test_a_trailing_stop_inside_a_bar_follows_to_the_high_and_fires_on_the_way_down():
    desk = Desk()
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.sell("0.1", kind=OrderType.TRAILING_STOP_MARKET, callback_rate=1)

    assert story(desk.bar(50_000, 51_000, 48_000, 48_500)) == [*FIRED, "o1 0.1@50490"]


def test_the_ids_of_before_and_after_the_trigger_find_the_same_order():
    desk = Desk()
    desk.trade(50_000)
    before = int(
        desk.sell("0.1", 49_600, kind=OrderType.STOP, trigger_price=49_500)[0].venue_order_id
    )
    after = int(desk.trade(49_500)[-1].venue_order_id)

    assert before != after
    assert desk.exchange.order_by_id(before) is desk.exchange.order_by_id(after)


def test_a_query_by_kind_finds_an_order_where_the_venue_keeps_it():
    desk = Desk()
    desk.trade(50_000)
    desk.sell("0.1", 49_600, kind=OrderType.STOP, trigger_price=49_500, cl_ord_id="x")
    desk.buy("0.1", 49_000, cl_ord_id="y")

    def found(cl_ord_id, is_conditional):
        key = OrderKey(MAIN, BTC, cl_ord_id)
        return desk.exchange.query(key, is_conditional=is_conditional) is not None

    assert [found("x", True), found("x", False)] == [True, False]
    assert [found("y", True), found("y", False)] == [False, True]

    desk.trade(49_500)

    assert [found("x", True), found("x", False)] == [True, True]


def test_the_trigger_need_not_be_on_the_tick():
    desk = Desk()
    desk.trade(50_000)

    assert story(desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price="49500.05")) == [
        "o1 NEW"
    ]
    assert story(desk.trade(49_500))[-1] == "o1 0.1@49500"
    assert desk.qty() == d("-0.1")


def test_a_triggered_order_ends_what_reduces_behind_it():
    """The better price comes first in line for the position, as where it is placed at once."""
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")
    desk.sell("0.1", 51_000, reduce_only=True, cl_ord_id="target")
    stop = {"kind": OrderType.STOP, "trigger_price": 49_500, "reduce_only": True}
    desk.sell("0.1", 49_600, cl_ord_id="stop", **stop)

    reports = desk.trade(49_500)

    assert story(reports) == ["stop TRIGGERED", "stop NEW", "target EXPIRED"]
    assert desk.open_ids() == ["stop"]
