from __future__ import annotations

import gzip
import itertools
import json
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.exchange import AccountUpdate, Liquidity, OrderUpdate, SelfTrade
from holdfast.exchange.liquidity import QUOTE_AGE_NS_MAX
from holdfast.model.market import Bar, BookDelta, BookSnapshot
from holdfast.model.values import MAIN, OrderStatus, OrderType, Side, TimeInForce
from tests.exchange.desk import BTC, ETH, OTHER, START, Desk, S, d, story


def test_a_market_order_takes_at_the_last_trade_and_the_half_spread_against_it():
    desk = Desk(liquidity=Liquidity(half_spread=Decimal("0.0001")))
    desk.trade(50_000)

    assert story(desk.buy("0.5")) == ["o1 NEW", "o1 0.5@50005"]
    assert desk.qty() == d("0.5")


def test_a_market_sell_takes_below_the_last_trade():
    desk = Desk(liquidity=Liquidity(half_spread=Decimal("0.0001")))
    desk.trade(50_000)

    assert desk.sell("0.5")[1].last_px == d("49995.0")


def test_a_market_order_walks_the_book():
    desk = Desk()
    desk.book([(49_999, 1)], [(50_000, "0.3"), (50_001, "0.4"), (50_010, 9)])

    assert story(desk.buy(1)) == ["o1 NEW", "o1 0.3@50000", "o1 0.4@50001", "o1 0.3@50010"]


def test_what_was_taken_from_the_book_is_gone_until_the_level_is_shown_anew():
    desk = Desk()
    desk.book([(49_999, 1)], [(50_000, 1), (50_001, 1)], update_id=5)
    desk.buy("0.6")

    assert story(desk.buy("0.6"))[1:] == ["o2 0.4@50000", "o2 0.2@50001"]

    desk.delta(asks=[(50_000, 2)], ids=(5, 6, 5))

    assert story(desk.buy("0.6"))[1:] == ["o3 0.6@50000"]


def test_a_market_order_past_the_end_of_the_book_expires():
    desk = Desk()
    desk.book([(49_999, 1)], [(50_000, "0.3")])

    reports = desk.buy(1)

    assert story(reports) == ["o1 NEW", "o1 0.3@50000", "o1 EXPIRED"]
    assert reports[-1].cum_qty == d("0.3")
    assert reports[-1].status is OrderStatus.EXPIRED


def test_past_the_touch_of_a_quote_the_rest_is_worse_by_a_fraction():
    desk = Desk(liquidity=Liquidity(beyond_touch=Decimal("0.001")))
    desk.quote(49_999, 50_000, ask_qty="0.4")

    assert story(desk.buy(1))[1:] == ["o1 0.4@50000", "o1 0.6@50050"]


def test_a_quote_can_be_all_there_is():
    desk = Desk(liquidity=Liquidity(beyond_touch=None))
    desk.quote(49_999, 50_000, ask_qty="0.4")

    assert story(desk.buy(1))[1:] == ["o1 0.4@50000", "o1 EXPIRED"]


def test_a_quote_whose_ask_did_not_change_does_not_renew_it():
    desk = Desk(liquidity=Liquidity(beyond_touch=None))
    desk.quote(49_999, 50_000, ask_qty="0.4")
    desk.buy("0.3")
    desk.quote("49999.5", 50_000, ask_qty="0.4")

    assert story(desk.buy(1))[1] == "o2 0.1@50000"


@pytest.mark.parametrize("trades", [1, 3])
def test_a_quote_whose_stream_is_silent_while_trades_go_on_is_not_taken_for_ever(trades):
    desk = Desk()
    desk.quote(49_999, 50_000)
    desk.now += QUOTE_AGE_NS_MAX
    for _ in range(trades):  # all but the first change nothing but the last price
        desk.trade(51_000)

    assert desk.exchange.touch(BTC, Side.BUY) is None
    assert story(desk.buy(1))[1] == "o1 1@51000"


def test_a_quote_may_be_as_old_as_the_bound():
    desk = Desk()
    desk.quote(49_999, 50_000)
    desk.now += QUOTE_AGE_NS_MAX - S
    desk.trade(51_000)

    assert story(desk.buy(1))[1] == "o1 1@50000"


def test_a_book_whose_stream_is_silent_while_trades_go_on_is_not_taken_for_ever():
    desk = Desk()
    desk.book([(49_999, 5)], [(50_000, 5)], update_id=5)
    desk.delta(asks=[(50_001, 5)], ids=(6, 6, 5))
    desk.now += QUOTE_AGE_NS_MAX - S
    desk.trade(51_000)
    assert story(desk.buy(1))[1] == "o1 1@50000"

    desk.trade(51_000)
    assert desk.exchange.touch(BTC, Side.BUY) is None
    assert story(desk.buy(1))[1] == "o2 1@51000"

    desk.quote(51_000, 51_001)
    assert story(desk.buy(1))[1] == "o3 1@51001"


def test_a_gap_in_the_deltas_drops_the_book():
    desk = Desk()
    desk.trade(51_000)
    desk.book([(49_999, 1)], [(50_000, 1)], update_id=5)
    desk.delta(asks=[(50_000, 2)], ids=(5, 6, 4))
    desk.delta(asks=[(50_000, 2)], ids=(9, 9, 8))

    assert desk.buy(1)[1].last_px == d(51_000)


def test_after_a_gap_a_quote_of_before_the_book_is_not_taken_for_the_present_one():
    """The book's last touch went with the old quote's quantities, and the same quote again did
    not renew it."""
    desk = Desk()
    desk.quote(50_000, 50_001)
    desk.book([(60_000, 5)], [(60_001, 5)], update_id=5)
    desk.delta(bids=[(60_000, 4)], ids=(9, 9, 8))

    assert story(desk.buy("0.1")) == ["o1 REJECTED -2020"]

    desk.quote(50_000, 50_001)

    assert story(desk.buy("0.1"))[1] == "o2 0.1@50001"


def test_after_a_gap_a_bar_of_before_the_book_is_no_price():
    """A market order got the close of a bar that could be hours old."""
    desk = Desk()
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.book([(60_000, 5)], [(60_001, 5)], update_id=5)
    desk.delta(bids=[(60_000, 4)], ids=(9, 9, 8))

    assert story(desk.buy("0.1")) == ["o1 REJECTED -2020"]
    assert desk.exchange.touch(BTC, Side.BUY) is None


def test_without_any_price_a_market_order_is_refused():
    assert story(Desk().buy(1)) == ["o1 REJECTED -2020"]


def test_a_trade_of_half_fills_half():
    desk = Desk()
    desk.trade(50_000)
    desk.buy(2, 49_900)

    assert story(desk.trade(49_890, "0.5")) == ["o1 0.5@49900"]
    assert desk.trade(49_890, "0.7")[0].status is OrderStatus.PARTIALLY_FILLED
    assert desk.qty() == d("1.2")


def test_without_partial_fills_a_print_through_fills_whole():
    desk = Desk(liquidity=Liquidity(partial_fills=False))
    desk.trade(50_000)
    desk.buy(2, 49_900)

    assert story(desk.trade(49_890, "0.5")) == ["o1 2@49900"]


def test_without_partial_fills_the_queue_still_comes_first():
    """A print of a thousandth filled an order whole behind five that stood before it."""
    desk = Desk(liquidity=Liquidity(half_spread=Decimal(0), partial_fills=False))
    desk.quote(50_000, 50_001, bid_qty=5)
    desk.buy(1, 50_000)

    assert desk.trade(50_000, "0.001") == []
    assert desk.trade(50_000, "4.999") == []
    assert story(desk.trade(50_000, "0.001")) == ["o1 1@50000"]


def test_one_trade_is_shared_by_price_and_then_time():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.3", 49_900)
    desk.buy("0.3", 49_950)
    desk.buy("0.3", 49_950, account=OTHER)

    assert story(desk.trade(49_800, "0.5")) == ["o2 0.3@49950", "o3 0.2@49950"]


def test_a_print_at_the_price_alone_does_not_fill_when_the_queue_is_unknown():
    desk = Desk()
    desk.trade(50_000)
    desk.buy(1, 49_900)

    assert desk.trade(49_900) == []
    assert story(desk.trade("49899.9")) == ["o1 1@49900"]


def test_a_print_at_the_price_fills_when_no_queue_is_assumed():
    desk = Desk(liquidity=Liquidity(unknown_queue=Decimal(0)))
    desk.trade(50_000)
    desk.buy(1, 49_900)

    assert story(desk.trade(49_900, "0.4")) == ["o1 0.4@49900"]


def test_what_was_displayed_before_the_order_trades_first():
    desk = Desk()
    desk.book([(49_900, "0.7")], [(50_000, 1)], update_id=1)
    desk.buy(1, 49_900)

    assert desk.trade(49_900, "0.5") == []
    assert story(desk.trade(49_900, "0.5")) == ["o1 0.3@49900"]
    assert story(desk.trade(49_900, "0.5")) == ["o1 0.5@49900"]


def test_what_the_queue_leaves_of_a_trade_is_on_the_lot():
    """The market may show quantities that no lot divides."""
    desk = Desk()
    desk.quote(49_999, 50_001, bid_qty=0.0015)
    desk.buy("0.01", 49_999)
    desk.trade(49_999, 0.005)

    assert desk.qty() == d("0.004")


def test_two_orders_in_one_line_share_one_queue():
    desk = Desk()
    desk.book([(49_900, "0.7")], [(50_000, 1)])
    desk.buy("0.2", 49_900)
    desk.buy("0.2", 49_900)

    assert story(desk.trade(49_900, "1")) == ["o1 0.2@49900", "o2 0.1@49900"]


def test_a_queue_that_was_cancelled_no_longer_stands_before_the_order():
    desk = Desk()
    desk.book([(49_900, 7)], [(50_000, 1)], update_id=1)
    desk.buy(1, 49_900)
    desk.delta(bids=[(49_900, "0.1")], ids=(1, 2, 1))

    assert story(desk.trade(49_900, "0.5")) == ["o1 0.4@49900"]


def test_an_ask_that_comes_down_fills_the_resting_buy_at_its_own_price():
    desk = Desk()
    desk.quote(49_950, 50_000)
    desk.buy(1, 49_900)

    reports = desk.quote(49_800, 49_850, ask_qty="0.4")

    assert story(reports) == ["o1 0.4@49900"]
    assert reports[0].is_maker


def test_the_same_crossing_quantity_fills_once():
    desk = Desk()
    desk.quote(49_950, 50_000)
    desk.buy(1, 49_900)
    desk.quote(49_800, 49_850, ask_qty="0.4")

    assert desk.quote(49_810, 49_850, ask_qty="0.4") == []


def test_a_book_that_crosses_fills_level_by_level():
    desk = Desk()
    desk.book([(49_950, 1)], [(50_000, 1)], update_id=1)
    desk.sell(1, 50_100)

    reports = desk.delta(
        bids=[(50_150, "0.3"), (50_120, "0.2"), (50_090, 9)], asks=[(50_000, 0)], ids=(1, 2, 1)
    )

    assert story(reports) == ["o1 0.5@50100"]


def test_a_crossing_limit_takes_within_its_price_and_rests_with_the_rest():
    desk = Desk()
    desk.book([(49_999, 1)], [(50_000, "0.3"), (50_005, 1)])

    reports = desk.buy(1, 50_001)

    assert story(reports) == ["o1 NEW", "o1 0.3@50000"]
    assert desk.open_ids() == ["o1"]


@pytest.mark.parametrize(
    ("time_in_force", "expected"),
    [
        (TimeInForce.IOC, ["o1 NEW", "o1 0.3@50000", "o1 EXPIRED"]),
        (TimeInForce.FOK, ["o1 REJECTED -5021"]),
        (TimeInForce.GTX, ["o1 REJECTED -5022"]),
        (TimeInForce.GTC, ["o1 NEW", "o1 0.3@50000"]),
    ],
)
def test_each_time_in_force_against_a_book_that_has_a_third(time_in_force, expected):
    desk = Desk()
    desk.book([(49_999, 1)], [(50_000, "0.3")])

    assert story(desk.buy(1, 50_000, time_in_force=time_in_force)) == expected


def test_fill_or_kill_fills_whole_where_it_can():
    desk = Desk()
    desk.book([(49_999, 1)], [(50_000, "0.3"), (50_001, 1)])

    reports = desk.buy(1, 50_001, time_in_force=TimeInForce.FOK)

    assert reports[-1].status is OrderStatus.FILLED


@pytest.mark.parametrize("mode", [SelfTrade.EXPIRE_TAKER, SelfTrade.EXPIRE_BOTH])
def test_fill_or_kill_is_refused_where_the_accounts_own_order_would_end_it(mode):
    """It was filled in part and then expired on its own account's order."""
    desk = Desk()
    desk.book([(49_990, 5)], [(50_010, 1), (50_020, 5)])
    desk.sell("0.1", 50_015)

    order = desk.order(Side.BUY, 2, 50_020, time_in_force=TimeInForce.FOK, cl_ord_id="fok")

    assert story(desk.submit(order, mode)) == ["fok REJECTED -5021"]
    assert story(desk.submit(order, SelfTrade.EXPIRE_MAKER))[-1] == "fok 1@50020"


def test_fill_or_kill_counts_a_position_once_that_several_orders_reduce():
    desk = Desk(balance=100_000, liquidity=Liquidity(half_spread=d(0), beyond_touch=None))
    desk.quote(50_000, 50_000)
    desk.buy(1)
    desk.quote(49_000, 52_000, 1, 1)
    desk.sell("0.8", 50_010, reduce_only=True)
    desk.sell("0.8", 50_020, reduce_only=True)
    terms = {"account": OTHER, "time_in_force": TimeInForce.FOK}

    assert story(desk.buy("1.5", 50_020, **terms)) == ["o4 REJECTED -5021"]
    assert desk.buy(1, 50_020, **terms)[-2].status is OrderStatus.FILLED


def test_a_post_only_order_that_does_not_cross_rests():
    desk = Desk()
    desk.quote(49_999, 50_000)

    assert story(desk.buy(1, 49_999, time_in_force=TimeInForce.GTX)) == ["o1 NEW"]


def test_good_till_date_expires_at_its_time():
    desk = Desk()
    desk.trade(50_000)
    expire_ts = desk.now + 700 * S
    desk.buy(1, 49_000, time_in_force=TimeInForce.GTD, expire_ts=expire_ts)

    assert desk.tick(expire_ts - 1) == []
    assert story(desk.tick(expire_ts)) == ["o1 EXPIRED"]


def test_good_till_date_expires_before_the_trade_that_comes_later():
    desk = Desk()
    desk.trade(50_000)
    desk.buy(1, 49_000, time_in_force=TimeInForce.GTD, expire_ts=desk.now + 700 * S)
    desk.now += 800 * S

    assert story(desk.trade(48_000)) == ["o1 EXPIRED"]


def test_a_market_order_does_not_walk_past_the_bound_at_the_mark():
    desk = Desk()
    desk.mark(50_000)
    desk.book([(49_000, 1)], [(52_000, "0.3"), (53_000, 5)])

    assert story(desk.buy("0.5")) == ["o1 NEW", "o1 0.3@52000", "o1 EXPIRED"]
    assert story(desk.buy("0.5")) == ["o2 REJECTED -4131"]


def test_two_accounts_trade_with_each_other_at_the_makers_price():
    desk = Desk()
    desk.quote(49_000, 51_000)
    desk.sell(1, 50_000, account=OTHER)

    reports = desk.buy(1, 50_100)

    assert story(reports) == ["o2 NEW", "o1 1@50000", "o2 1@50000"]
    assert reports[1].trade_id == reports[2].trade_id
    assert (reports[1].is_maker, reports[2].is_maker) == (True, False)
    assert desk.qty() == 1
    assert desk.qty(account=OTHER) == -1


def test_at_one_price_what_is_displayed_comes_before_what_rests():
    desk = Desk()
    desk.quote(49_000, 50_000, ask_qty="0.4")
    desk.sell(1, 50_000, account=OTHER)

    assert story(desk.buy(1)) == ["o2 NEW", "o2 0.4@50000", "o1 0.6@50000", "o2 0.6@50000"]


@pytest.mark.parametrize(
    ("mode", "expected", "left"),
    [
        (SelfTrade.EXPIRE_MAKER, ["o2 NEW", "o1 EXPIRED"], ["o2"]),
        (SelfTrade.EXPIRE_TAKER, ["o2 NEW", "o2 EXPIRED"], ["o1"]),
        (SelfTrade.EXPIRE_BOTH, ["o2 NEW", "o1 EXPIRED", "o2 EXPIRED"], []),
    ],
)
def test_an_account_never_trades_with_itself(mode, expected, left):
    desk = Desk()
    desk.quote(49_000, 51_000)
    desk.sell(1, 50_000)

    reports = desk.submit(desk.order(Side.BUY, 1, 50_100), mode)

    assert story(reports) == expected
    assert desk.open_ids() == left
    assert desk.qty() == 0


def test_after_self_match_prevention_the_taker_goes_on_to_others():
    desk = Desk()
    desk.quote(49_000, 51_000)
    desk.sell(1, 50_000)
    desk.sell(1, 50_050, account=OTHER)

    assert story(desk.buy(1, 50_100)) == ["o3 NEW", "o1 EXPIRED", "o2 1@50050", "o3 1@50050"]


def test_the_position_is_told_before_the_fill_and_the_taker_is_new_first():
    desk = Desk()
    desk.trade(50_000)
    desk.outputs.clear()
    desk.buy(1)

    kinds = [
        o.report.exec_type.value if isinstance(o, OrderUpdate) else type(o).__name__
        for o in desk.outputs
    ]
    update = next(o for o in desk.outputs if isinstance(o, AccountUpdate))

    assert kinds == ["NEW", "AccountUpdate", "TRADE"]
    assert [each.qty for each in update.positions] == [1]
    assert update.wallet == desk.wallet


def test_trade_ids_ascend_over_symbols():
    desk = Desk()
    desk.trade(50_000)
    desk.trade(3_000, symbol=ETH)
    desk.buy(1)
    desk.buy(1, symbol=ETH)

    assert [int(t.trade_id) for t in desk.exchange.trades_since(MAIN)] == [1, 2]


def test_a_message_with_numbers_that_cannot_be_changes_nothing():
    desk = Desk()
    desk.trade(50_000)
    desk.buy(1, 49_900)
    for price in (float("nan"), float("inf"), -1.0, 0.0):
        assert desk.trade(price) == []
        assert desk.quote(price, price) == [] or price == 0.0
        assert desk.mark(price) == []
    assert desk.trade(49_000, float("nan")) == []

    assert desk.exchange.mark_price(BTC) == 50_000
    assert desk.now > START


@pytest.mark.parametrize("volume", ["inf", "nan", "-1", "1e300"])
def test_a_bar_whose_volume_cannot_be_changes_nothing(volume):
    desk = Desk()
    desk.bar(50_000, 50_100, 49_900, 50_000)
    desk.buy(1, 49_500)

    assert desk.bar(50_000, 50_100, 49_000, 49_100, volume=volume) == []
    assert desk.exchange.mark_price(BTC) == 50_000


@pytest.mark.parametrize("rate", ["inf", "nan", "-1.5"])
def test_an_announced_rate_that_cannot_be_is_not_remembered(rate):
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")
    due = desk.now + 100 * S
    desk.mark(50_000, rate=0.0001, next_ts=due)
    desk.mark(50_000, rate=float(rate), next_ts=due)

    (payment,) = desk.tick(due)

    assert payment.amount == d("-0.5")


def test_bars_count_only_while_nothing_finer_was_heard():
    desk = Desk()
    desk.bar(50_000, 50_100, 49_900, 50_000)
    desk.buy(1, 49_500)
    desk.trade(50_000)

    assert desk.bar(50_000, 50_100, 40_000, 50_000) == []


@pytest.mark.parametrize("finer", ["trade", "quote", "book"])
def test_bars_count_again_where_nothing_finer_is_heard(finer):
    desk = Desk()
    desk.trade(50_000)
    if finer == "quote":
        desk.quote(49_999, 50_001)
    if finer == "book":
        desk.book([(49_999, 5)], [(50_001, 5)], update_id=5)
    desk.buy(1, 48_000)
    desk.now += S

    assert desk.bar(50_000, 50_000, 48_500, 49_000, volume=0) == []
    assert desk.exchange.mark_price(BTC) == 50_000
    assert desk.bar(50_000, 50_000, 48_500, 49_000) == []

    assert desk.exchange.mark_price(BTC) == 49_000
    assert story(desk.buy(1))[1] == "o2 1@49000"
    assert story(desk.bar(49_000, 49_000, 47_500, 49_000)) == ["o1 1@48000"]


def test_only_the_smallest_timeframe_counts():
    desk = Desk()
    desk.bar(50_000, 50_100, 49_900, 50_000)
    desk.buy(1, 49_500)

    assert desk.bar(50_000, 50_100, 40_000, 50_000, timeframe="5m") == []
    assert story(desk.bar(50_000, 50_100, 49_000, 50_000)) == ["o1 1@49500"]


def test_a_bars_volume_bounds_what_resting_orders_fill():
    desk = Desk()
    desk.bar(50_000, 50_100, 49_900, 50_000)
    desk.buy(2, 49_500)

    assert story(desk.bar(50_000, 50_100, 49_000, 50_000, volume="0.8")) == ["o1 0.8@49500"]


def test_in_a_bar_that_stands_still_without_volume_nothing_fills():
    desk = Desk(liquidity=Liquidity(unknown_queue=d(10)))
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.buy(1, 49_000)

    assert desk.bar(49_000, 49_000, 49_000, 49_000, volume=0) == []
    assert story(desk.bar(49_000, 49_000, 48_900, 49_000, volume=0)) == ["o1 1@49000"]  # not told


def test_a_bars_volume_works_a_queue_off_once():
    """It did so at each corner: a bar of 4 at one price traded through 10 that stood before."""
    desk = Desk(liquidity=Liquidity(half_spread=Decimal(0), unknown_queue=d(10)))
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.buy(1, 49_000)
    flat = [49_000] * 4

    assert desk.bar(*flat, volume=4) == []
    assert desk.exchange.open_orders(MAIN)[0].queue_ahead == 6
    assert desk.bar(*flat, volume=4) == []
    assert story(desk.bar(*flat, volume=3)) == ["o1 1@49000"]


def test_inside_a_bar_the_nearer_extreme_comes_first():
    stops = {"kind": OrderType.STOP_MARKET, "reduce_only": True}
    limits = {"reduce_only": True}
    stories = []
    for bar in ((50_000, 51_000, 48_000, 50_000), (50_000, 52_000, 49_000, 50_000)):
        desk = Desk(balance=100_000)
        desk.bar(50_000, 50_000, 50_000, 50_000)
        desk.buy(1)
        desk.sell(1, trigger_price=49_100, cl_ord_id="stop", **stops)
        desk.sell(1, 50_900, cl_ord_id="target", **limits)
        stories.append(story(desk.bar(*bar)))

    assert stories == [
        ["target 1@50900", "stop TRIGGERED", "stop EXPIRED"],
        ["stop TRIGGERED", "stop NEW", "stop 1@49100", "target EXPIRED"],
    ]


def test_inside_a_bar_a_stop_fills_where_it_stands_not_at_the_extreme():
    desk = Desk()
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.buy("0.1")
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price="49100.03", reduce_only=True)

    assert desk.bar(50_000, 50_001, 48_000, 49_000)[-1].last_px == d("49100.0")


def test_a_bar_that_opens_past_the_stop_fills_it_at_the_open():
    desk = Desk()
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.buy("0.1")
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_100, reduce_only=True)

    assert desk.bar(48_500, 50_001, 48_000, 49_000)[-1].last_px == d(48_500)


CAPTURE = Path(__file__).resolve().parents[2] / "../shared/data/ws_usdm/ethusdt_20240808.gz"
LINES = 12_000


def floats(levels):
    return tuple((float(price), float(qty)) for price, qty in levels)


def recorded(update):
    """Turn a recorded message into ours; None for what is not of the book."""
    if "lastUpdateId" in update:
        return BookSnapshot(
            symbol=ETH,
            ts=START,
            bids=floats(update["bids"]),
            asks=floats(update["asks"]),
            last_update_id=update["lastUpdateId"],
        )
    if update.get("e") != "depthUpdate":
        return None
    return BookDelta(
        symbol=ETH,
        ts=START,
        first_id=update["U"],
        final_id=update["u"],
        previous_id=update["pu"],
        bids=floats(update["b"]),
        asks=floats(update["a"]),
    )


def test_a_recorded_book_stays_whole_and_never_crosses_itself():
    """Its snapshot comes after deltas that follow it, as it does on the wire."""
    if not CAPTURE.exists():
        pytest.skip("the recorded streams are not beside the project")
    desk, seen = Desk(), 0
    display = desk.exchange._books.markets[ETH].display
    with gzip.open(CAPTURE, "rt") as lines:
        for line in itertools.islice(lines, LINES):
            message = json.loads(line.split(" ", 1)[1])
            update = recorded(message.get("data", message))
            if update is None:
                continue
            desk.market(update)
            if seen or isinstance(update, BookSnapshot):
                assert display.book is not None
                assert 0 < display.book.bids.best() < display.book.asks.best()
                seen += 1

    assert seen > 1000
    assert desk.buy(10, symbol=ETH)[-1].status is OrderStatus.FILLED


def late_bar(desk, o, h, l, c, *, seconds_ago=0):
    """Show a bar that is over already."""
    ts = desk.now - seconds_ago * S
    return desk.market(
        Bar(
            symbol=BTC,
            timeframe="1m",
            open_ts=ts - 60 * S,
            ts=ts,
            open=float(o),
            high=float(h),
            low=float(l),
            close=float(c),
            volume=1000.0,
        )
    )


@pytest.mark.parametrize("seconds_ago", [0, 5])
def test_a_bar_that_was_over_when_an_order_came_neither_fills_nor_triggers_it(seconds_ago):
    """As where several symbols are shown as bars: the first one's end is acted on before the second."""
    desk = Desk()
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.buy("0.1")
    desk.now += 60 * S
    desk.buy("0.1", 49_800)
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_500, reduce_only=True)
    desk.sell("0.1", kind=OrderType.TRAILING_STOP_MARKET, callback_rate="0.5", reduce_only=True)

    assert late_bar(desk, 50_000, 51_000, 49_000, 50_100, seconds_ago=seconds_ago) == []
    assert len(desk.open_ids()) == 3


def test_a_bar_that_was_over_triggers_by_its_close_what_came_behind_it():
    desk = Desk()
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.buy("0.1")
    desk.now += 60 * S
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_500, reduce_only=True)

    heard = late_bar(desk, 50_000, 50_000, 48_000, 49_000)

    assert story(heard) == ["o2 TRIGGERED", "o2 NEW", "o2 0.1@49000"]


def test_an_order_that_was_amended_behind_a_bar_is_not_filled_by_it():
    desk = Desk()
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.buy("0.1", 48_000)
    desk.now += 60 * S
    desk.amend("o1", "0.1", 49_500)

    assert late_bar(desk, 50_000, 50_000, 49_000, 50_000) == []
    assert story(desk.bar(50_000, 50_000, 49_000, 50_000)) == ["o1 0.1@49500"]


def test_what_came_behind_a_bar_ends_where_the_bar_left_it_nothing_to_reduce():
    desk = Desk()
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.buy("0.1")
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=49_500, reduce_only=True)
    desk.now += 60 * S
    desk.sell("0.1", 51_000, reduce_only=True)

    heard = late_bar(desk, 50_000, 50_000, 49_000, 50_000)

    assert story(heard) == ["o2 TRIGGERED", "o2 NEW", "o2 0.1@49500", "o3 EXPIRED"]
