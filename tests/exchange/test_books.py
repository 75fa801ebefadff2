"""What a book of limited depth does not show, and what holds where a book is lost."""

from __future__ import annotations

import pytest

from holdfast.exchange import OrderKey
from holdfast.exchange.liquidity import QUOTE_AGE_NS_MAX
from holdfast.model.values import MAIN, OrderStatus, OrderType, Side
from tests.exchange.desk import BTC, Desk, S, d, story


def shallow(levels=20):
    """Return a desk whose book ends so many ticks below and above the touch."""
    desk = Desk()
    bids = [(round(50_000 - i / 10, 1), 8) for i in range(levels)]
    asks = [(round(50_000.1 + i / 10, 1), 8) for i in range(levels)]
    desk.book(bids, asks, update_id=10)
    return desk, [(price, 0) for price, _ in bids], [(price, 0) for price, _ in asks]


def ahead(desk, cl_ord_id="o1"):
    order = desk.exchange.query(OrderKey(MAIN, BTC, cl_ord_id))
    assert order is not None
    return order.queue_ahead


def test_an_order_deeper_than_the_book_shows_is_not_the_first_in_line():
    desk, gone, _ = shallow()
    desk.buy("0.1", 49_900)
    assert ahead(desk) is None
    desk.delta(bids=[*gone, (49_950, 1)], asks=[(49_950.1, 5)], ids=(11, 12, 10))

    assert desk.trade(49_900, "0.1") == [], "its place in line is unknown"
    assert story(desk.trade("49899.9")) == ["o1 0.1@49900"]


def test_of_sells_too():
    desk, _, gone = shallow()
    desk.sell("0.1", 50_100)
    assert ahead(desk) is None
    desk.delta(asks=[*gone, (50_050, 1)], bids=[(50_049, 5)], ids=(11, 12, 10))

    assert desk.trade(50_100, "0.1") == []
    assert story(desk.trade("50100.1")) == ["o1 0.1@50100"]


def test_an_order_deeper_than_the_book_shows_has_its_place_once_a_change_tells_of_its_price():
    desk, *_ = shallow()
    desk.buy("0.1", 49_900)
    desk.delta(bids=[(49_900, 60)], ids=(11, 12, 10))

    assert ahead(desk) == 60
    desk.delta(bids=[(49_900, 0)], ids=(13, 14, 12))
    assert ahead(desk) == 0


def test_inside_of_what_a_book_shows_nothing_is_nothing():
    desk, *_ = shallow()
    desk.delta(bids=[(49_998.5, 0)], ids=(11, 12, 10))

    desk.buy("0.1", 49_998.5)
    desk.buy("0.1", 49_998.1)

    assert (ahead(desk), ahead(desk, "o2")) == (0, 8)


def whole(*, quoted):
    """Return a desk with a position and its stop, whose whole book was lost."""
    desk = Desk()
    desk.book([(50_000, 8)], [("50000.1", 8)], update_id=10)
    desk.trade(50_000)
    desk.buy("0.1")
    desk.sell(
        "0.1", kind=OrderType.STOP_MARKET, trigger_price=49_900, reduce_only=True, cl_ord_id="stop"
    )
    if quoted:
        desk.quote(49_999, "49999.1", 8, 8)
    desk.book([], [])
    return desk


def test_a_stop_is_filled_while_a_book_is_lost():
    desk = whole(quoted=False)
    desk.quote(49_895, "49895.1", 8, 8)

    assert story(desk.trade(49_895))[-1] == "stop 0.1@49895"


@pytest.mark.parametrize(("quoted", "price"), [(True, 49_999), (False, 50_000)])
def test_a_position_can_be_closed_the_moment_a_book_is_lost(quoted, price):
    desk = whole(quoted=quoted)

    reports = desk.sell("0.1", reduce_only=True)

    assert (reports[-1].status, reports[-1].last_px) == (OrderStatus.FILLED, d(price))


def test_a_book_that_comes_again_is_gone_by():
    desk = whole(quoted=True)
    desk.quote(49_000, "49000.1", 8, 8)
    desk.book([(50_000, 8)], [("50000.1", 8)], update_id=1)

    assert desk.sell("0.1", reduce_only=True)[-1].last_px == 50_000


def test_deltas_of_before_a_loss_are_not_played_into_the_next_book():
    """The venue may count anew."""
    desk = Desk()
    desk.book([(50_000, 8)], [("50000.1", 8)], update_id=10)
    desk.delta(bids=[(50_000, 9)], ids=(500, 501, 10))
    desk.book([], [])
    desk.book([(50_000, 7)], [("50000.1", 7)], update_id=20)
    desk.delta(bids=[(50_000, 6)], ids=(20, 21, 20))

    assert desk.exchange.shown(BTC, Side.SELL) == {50_000.0: 6.0}


def test_where_a_book_falls_silent_while_quotes_go_on_they_are_taken():
    desk = Desk()
    desk.book([(50_000, 8)], [("50000.1", 8)], update_id=10)
    desk.trade(50_000)
    desk.now += QUOTE_AGE_NS_MAX
    desk.quote(49_000, "49000.1", 8, 8)
    desk.now -= S
    desk.trade(49_000)

    assert desk.buy("0.1")[-1].last_px == d("49000.1")


def test_a_quote_of_long_before_a_books_loss_is_not_taken():
    desk = Desk()
    desk.book([(50_000, 8)], [("50000.1", 8)], update_id=10)
    desk.quote(49_999, "49999.1", 8, 8)
    desk.now += QUOTE_AGE_NS_MAX
    desk.delta(bids=[(50_000, 9)], ids=(11, 12, 10))
    desk.book([], [])

    assert desk.exchange.touch(BTC, Side.BUY) is None
