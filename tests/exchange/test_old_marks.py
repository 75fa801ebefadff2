"""A mark whose stream has fallen silent while the market goes on is none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.exchange.liquidity import MARK_AGE_NS_MAX
from holdfast.model.values import MAIN, OrderType, WorkingType
from tests.exchange.desk import BTC, START, Desk, S, story


def marked(*, tape=True):
    """Return a desk with a long, its stop at the mark, and the mark that is the last one."""
    desk = Desk()
    desk.quote(49_999, 50_001)
    if tape:
        desk.trade(50_000)
    desk.mark(50_000)
    desk.buy(1)
    desk.sell(
        1,
        kind=OrderType.STOP_MARKET,
        trigger_price=49_000,
        working_type=WorkingType.MARK_PRICE,
        reduce_only=True,
        cl_ord_id="stop",
    )
    return desk


def fall(desk, price, *, tape=True, seconds=MARK_AGE_NS_MAX // S):
    """Show the market at a price so long after the mark."""
    desk.quote(price - 1, price + 1)
    desk.now += (seconds - 2) * S
    return desk.trade(price) if tape else desk.quote(price - 1, price + 1)


@pytest.mark.parametrize("tape", [True, False])
def test_a_stop_at_the_mark_goes_by_the_price_once_the_mark_is_old(tape):
    desk = marked(tape=tape)
    assert fall(desk, 48_500, tape=tape) == []

    told = story(desk.trade(48_500) if tape else desk.quote(48_499, 48_501))

    assert told[0] == "stop TRIGGERED"


@pytest.mark.parametrize("tape", [True, False])
def test_an_account_is_liquidated_by_the_price_once_the_mark_is_old(tape):
    desk = marked(tape=tape)
    desk.cancel("stop")
    assert fall(desk, 40_100, tape=tape) == []

    told = story(desk.trade(40_100) if tape else desk.quote(40_099, 40_101))

    assert told[0].startswith("autoclose-1")


def test_the_mark_counts_again_once_it_is_heard():
    desk = marked()
    desk.cancel("stop")
    fall(desk, 45_000)
    desk.trade(45_000)
    assert desk.exchange.mark_price(BTC) == 45_000
    assert desk.exchange.margin(MAIN).unrealized == Decimal(-5001)

    desk.mark(46_000)
    desk.trade(45_000)

    assert desk.exchange.mark_price(BTC) == 46_000


def test_nothing_is_passed_over_past_the_age_of_a_mark():
    desk = marked()
    heard_ts = desk.now
    low, high = desk.exchange.band(BTC, desk.now)
    assert low < 48_500 < high

    assert desk.exchange.marks_until(desk.now) == heard_ts + MARK_AGE_NS_MAX + 1
    low, high = desk.exchange.band(BTC, heard_ts + MARK_AGE_NS_MAX + 1)
    assert not low < 48_500 < high
    assert desk.exchange.marks_until(heard_ts + MARK_AGE_NS_MAX + 1) > desk.now + 10**15


def test_a_mark_that_is_old_is_not_told_as_of_now():
    desk = marked()

    [held] = desk.exchange.positions(MAIN, desk.now + MARK_AGE_NS_MAX - S)
    assert held.mark_price == 50_000
    [held] = desk.exchange.positions(MAIN, desk.now + MARK_AGE_NS_MAX + S)
    assert held.mark_price == 0


def fall_by_quotes(desk, price):
    """Show quotes alone at a price, the last of them a minute behind trades and marks."""
    desk.quote(price - 1, price + 1)
    desk.now += (MARK_AGE_NS_MAX // S - 2) * S
    return desk.quote(price - 1, price + 1)


@pytest.mark.parametrize("working_type", WorkingType)
def test_a_stop_goes_by_the_touch_once_trades_and_marks_are_old(working_type):
    """They come over one connection, and quotes over another."""
    desk = marked()
    desk.cancel("stop")
    kind = {"kind": OrderType.STOP_MARKET, "trigger_price": 49_000, "reduce_only": True}
    desk.sell(1, cl_ord_id="stop", working_type=working_type, **kind)
    assert fall_by_quotes(desk, 48_500) == []

    told = story(desk.quote(48_499, 48_501))

    assert told[0] == "stop TRIGGERED"


def test_an_account_is_liquidated_by_the_touch_once_trades_and_marks_are_old():
    desk = marked()
    desk.cancel("stop")
    assert fall_by_quotes(desk, 40_100) == []

    told = story(desk.quote(40_099, 40_101))

    assert told[0].startswith("autoclose-1")


def test_the_touch_stands_in_where_a_trade_was_the_last_that_came_too():
    """It ended the mark, and nothing of that connection has come since."""
    desk = marked()
    desk.cancel("stop")
    desk.now += MARK_AGE_NS_MAX
    desk.trade(50_000)
    assert fall_by_quotes(desk, 40_100) == []

    assert story(desk.quote(40_099, 40_101))[0].startswith("autoclose-1")


def test_the_last_trade_counts_again_once_there_is_one():
    desk = marked()
    fall_by_quotes(desk, 49_500)
    desk.quote(49_499, 49_501)
    assert desk.exchange.mark_price(BTC) == 49_500

    desk.trade(49_501)
    desk.quote(49_399, 49_401)

    assert desk.exchange.mark_price(BTC) == 49_501


@pytest.mark.parametrize("newest", ["trade", "mark"])
def test_quotes_stand_in_for_nothing_while_one_of_the_two_comes(newest):
    desk = marked()
    fall_by_quotes(desk, 48_500)
    desk.trade(50_000) if newest == "trade" else desk.mark(50_000)

    assert desk.quote(48_499, 48_501) == []


def test_quotes_stand_in_for_no_trades_of_a_market_without_marks():
    """A recording of quotes and trades: in a quiet market minutes pass between two trades."""
    desk = Desk()
    desk.quote(49_999, 50_001)
    desk.trade(50_000)
    desk.buy(1)
    desk.sell(1, kind=OrderType.STOP_MARKET, trigger_price=49_000, reduce_only=True)

    fall_by_quotes(desk, 48_500)

    assert desk.quote(48_499, 48_501) == []


def unpriced(desk):
    """Let the mark grow old where nothing else tells a price: one side of the touch is empty."""
    desk.now += MARK_AGE_NS_MAX
    desk.quote(49_999, 0)
    assert desk.exchange.mark_price(BTC) is None
    return desk


def test_funding_is_paid_by_the_last_mark_where_nothing_tells_a_price():
    desk, due = Desk(), START + 3_600 * S
    desk.mark(50_000, rate=0.001, next_ts=due)
    desk.quote(49_999, 50_001)
    desk.buy("0.1")
    unpriced(desk)

    (payment,) = desk.tick(due)

    assert payment.amount == -5
    assert desk.mark(40_000, rate=0.001, next_ts=due) == [], "once"


def test_who_buys_behind_a_funding_pays_none_of_it():
    desk, due = Desk(), START + 3_600 * S
    desk.mark(50_000, rate=0.001, next_ts=due)
    unpriced(desk).tick(due)
    desk.quote(49_999, 50_001)
    desk.buy("0.1")

    assert desk.mark(50_000, rate=0.001, next_ts=due + 28_800 * S) == []


def test_a_position_is_worth_its_last_mark_where_nothing_tells_a_price():
    desk = Desk()
    desk.mark(50_000)
    desk.quote(49_999, 50_001)
    desk.buy("0.1")
    desk.mark(49_000)

    unpriced(desk)

    assert desk.exchange.margin(MAIN).unrealized == Decimal("-100.1")


def test_a_position_is_worth_the_last_middle_once_a_side_is_empty():
    desk = Desk()
    desk.quote(49_999, 50_001)
    desk.buy("0.1")
    desk.quote(48_999, 49_001)

    desk.quote(48_999, 0)

    assert desk.exchange.margin(MAIN).unrealized == Decimal("-100.1")


def test_the_last_middle_is_known_to_the_digit():
    desk = Desk()
    desk.quote(2_599.94, 2_600)
    desk.buy(1)
    desk.quote(2_599.94, 0)

    assert desk.exchange.symbol_margin(MAIN, BTC).mark == Decimal("2599.97")
