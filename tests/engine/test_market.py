"""What the engine sees of the market."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.engine import market as market_module
from holdfast.engine.market import MARK_LAG_NS, QUOTE_OLD_NS, Market
from holdfast.model.market import (
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    MarkPrice,
    Quote,
    Trade,
)
from holdfast.model.values import NS_PER_S, Symbol

X = Symbol("X")
T = 1_700_000_000 * NS_PER_S


def trade(price, ts=T):
    return Trade(symbol=X, ts=ts, price=price, qty=1.0)


def bar(close, ts=T):
    return Bar(
        symbol=X,
        timeframe="1m",
        open_ts=ts - 60 * NS_PER_S,
        ts=ts,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=1.0,
    )


def quote(bid, ask, ts=T):
    return Quote(symbol=X, ts=ts, bid=bid, bid_qty=1.0, ask=ask, ask_qty=1.0)


@pytest.fixture
def market():
    return Market(sample_s=60)


def test_nothing_is_known_before_the_first_message(market):
    assert market.price(X) is None
    assert market.mark(X) is None
    assert market.of(X).age_ns(T) is None


def test_history_that_comes_behind_the_first_trade_fills_the_periods_before_it(market):
    market.see(trade(103.0, ts=T + 100))
    for minute in (3, 2, 1):
        market.see(bar(100.0 + minute, ts=T - minute * 60 * NS_PER_S))

    seen = market.of(X)
    assert market.price(X) == 103
    assert sorted(seen.closes.values()) == [101.0, 102.0, 103.0, 103.0]


def test_history_that_comes_late_pushes_out_no_newer_sample(market, monkeypatch):
    monkeypatch.setattr(market_module, "SAMPLES_KEPT", 4)
    market.see(trade(110.0, ts=T))
    for minute in (4, 3, 2, 1):
        market.see(bar(100.0 + minute, ts=T - minute * 60 * NS_PER_S))

    assert sorted(market.of(X).closes.values()) == [101.0, 102.0, 103.0, 110.0]


def test_a_bar_that_is_told_late_does_not_hide_a_newer_trade(market):
    """A stream tells of a bar some time behind its end, when others have traded already."""
    ended = bar(100.0, ts=T)
    market.see(trade(100.0, ts=T - 1))
    market.see(trade(103.0, ts=T + 100))

    market.see(msgspec.structs.replace(ended, ts=T + 100))

    seen = market.of(X)
    assert market.price(X) == 103
    assert seen.closes[(T + 100) // (60 * NS_PER_S)] == 103.0
    assert seen.valid_ns == 0  # trades come: it is known at once that they don't


def test_the_reference_is_the_middle_of_the_quote_else_the_last_trade_else_the_mark(market):
    market.see(MarkPrice(symbol=X, ts=T, mark_price=90.0))
    assert market.price(X) == 90

    market.see(trade(100.0))
    assert market.price(X) == 100

    market.see(quote(101.0, 103.0))
    assert market.price(X) == 102


def test_a_quote_that_is_silent_while_trades_go_on_is_no_reference(market):
    market.see(quote(99.0, 101.0))
    market.see(trade(120.0, T + QUOTE_OLD_NS))
    assert market.price(X) == 100

    market.see(trade(121.0, T + QUOTE_OLD_NS + 1))
    assert market.price(X) == 121
    assert market.of(X).touch == (0.0, 0.0)

    market.see(quote(119.0, 121.0, T + QUOTE_OLD_NS + 1))
    assert market.price(X) == 120
    assert market.of(X).touch == (119.0, 121.0)


def test_positions_are_valued_at_the_mark_where_one_is_sent(market):
    market.see(trade(100.0))
    assert market.mark(X) == 100

    market.see(MarkPrice(symbol=X, ts=T, mark_price=99.5))
    assert market.mark(X) == Decimal("99.5")
    assert market.price(X) == 100


def test_a_mark_that_is_sent_no_more_is_no_value_while_the_market_goes_on(market):
    market.see(MarkPrice(symbol=X, ts=T, mark_price=99.5))
    market.see(trade(100.0, T + MARK_LAG_NS))
    assert market.mark(X) == Decimal("99.5")

    market.see(trade(80.0, T + MARK_LAG_NS + 1))
    assert market.mark(X) == 80

    market.see(MarkPrice(symbol=X, ts=T + MARK_LAG_NS + 2, mark_price=81.0))
    assert market.mark(X) == 81


def test_a_mark_stands_while_the_whole_market_is_silent(market):
    market.see(trade(100.0))
    market.see(MarkPrice(symbol=X, ts=T, mark_price=99.5))

    assert market.mark(X) == Decimal("99.5")


def test_the_mark_that_the_venues_books_name_stands_in_for_one_that_is_sent_no_more(market):
    market.see(MarkPrice(symbol=X, ts=T, mark_price=99.5))
    market.see(trade(80.0, T + 2 * MARK_LAG_NS))
    market.tell_mark(X, 82.0, T + 2 * MARK_LAG_NS)
    assert market.mark(X) == 82

    market.see(trade(70.0, T + 3 * MARK_LAG_NS + 1))
    assert market.mark(X) == 70


def test_a_price_becomes_the_decimal_that_it_shows(market):
    market.see(trade(0.1))

    assert market.price(X) == Decimal("0.1")


def test_a_book_says_what_a_quote_says(market):
    bids = ((99.0, 1.0), (98.0, 5.0))
    market.see(BookSnapshot(symbol=X, ts=T, bids=bids, asks=((101.0, 2.0),)))

    assert market.price(X) == 100

    market.see(BookSnapshot(symbol=X, ts=T, bids=(), asks=((105.0, 1.0),)))

    assert market.price(X) == 100  # half a book has no middle


def test_a_quote_from_before_a_whole_bar_is_no_price(market):
    market.see(quote(99.0, 101.0, T - 61 * NS_PER_S))
    market.see(bar(150.0))
    assert market.price(X) == 150

    market.see(quote(99.0, 101.0, T))
    market.see(bar(160.0, T + 30 * NS_PER_S))
    assert market.price(X) == 100  # it came within the bar


def test_the_top_of_a_book_that_has_changed_since_is_no_price(market):
    change = BookDelta(symbol=X, ts=T, first_id=2, final_id=2, previous_id=1, bids=(), asks=())
    market.see(BookSnapshot(symbol=X, ts=T, bids=((99.0, 1.0),), asks=((101.0, 2.0),)))
    market.see(trade(150.0))
    assert market.price(X) == 100

    market.see(change)
    assert market.price(X) == 150  # of the book nobody keeps the top

    market.see(quote(160.0, 162.0))
    market.see(change)
    assert market.price(X) == 161  # quotes go on telling it


def test_a_book_that_was_asked_for_is_no_newer_price_than_the_quote_that_came_meanwhile(market):
    old = BookSnapshot(symbol=X, ts=T - 1, bids=((90.0, 1.0),), asks=((92.0, 1.0),))
    market.see(quote(99.0, 101.0, T))
    market.see(old)
    assert market.price(X) == 100

    market.see(msgspec.structs.replace(old, ts=T + 1))
    assert market.price(X) == 91


@pytest.mark.parametrize(
    "message",
    [
        Funding(symbol=X, ts=T, rate=0.01),
        BookDelta(symbol=X, ts=T, first_id=1, final_id=2, previous_id=0, bids=(), asks=()),
    ],
)
def test_what_says_nothing_of_the_price_is_no_news(market, message):
    market.see(message)

    assert market.price(X) is None
    assert market.of(X).age_ns(T) is None


def test_news_age_and_late_messages_do_not_make_them_younger(market):
    market.see(trade(100.0, T))
    market.see(trade(99.0, T - NS_PER_S))

    assert market.of(X).age_ns(T + 3 * NS_PER_S) == 3 * NS_PER_S
    assert market.of(X).age_ns(T - NS_PER_S) == 0


def test_a_bar_is_news_until_the_next_one_is_due(market):
    market.see(bar(100.0, T))

    assert market.price(X) == 100
    assert market.of(X).age_ns(T + 60 * NS_PER_S) == 0
    assert market.of(X).age_ns(T + 61 * NS_PER_S) == NS_PER_S


@pytest.mark.parametrize(
    "message",
    [
        trade(101.0, T + 1),
        quote(100.0, 102.0, T + 1),
        BookSnapshot(symbol=X, ts=T + 1, bids=((100.0, 1.0),), asks=((102.0, 1.0),)),
    ],
)
def test_what_is_traded_behind_a_bar_of_the_past_grows_old_at_once(market, message):
    market.see(bar(100.0, T))  # a live session begins with history
    market.see(message)

    assert market.of(X).age_ns(T + 1 + 11 * NS_PER_S) == 11 * NS_PER_S


def test_a_mark_price_beside_bars_leaves_them_what_they_are(market):
    market.see(bar(100.0, T))
    market.see(MarkPrice(symbol=X, ts=T + 1, mark_price=101.0))

    assert market.of(X).age_ns(T + 50 * NS_PER_S) == 0


def test_a_bar_closes_the_period_that_it_ends(market):
    start = T - T % (60 * NS_PER_S)
    market.see(bar(100.0, start))
    market.see(trade(101.0, start))

    assert list(market.of(X).closes.values()) == [100.0, 101.0]


def test_samples_are_bounded(market, monkeypatch):
    monkeypatch.setattr(market_module, "SAMPLES_KEPT", 5)
    for number in range(9):
        market.see(trade(100.0 + number, T + number * 60 * NS_PER_S))

    assert list(market.of(X).closes.values()) == [104.0, 105.0, 106.0, 107.0, 108.0]


def test_a_book_that_is_not_known_is_no_news(market):
    market.see(quote(99.0, 101.0))
    market.see(BookSnapshot(symbol=X, ts=T + NS_PER_S, bids=(), asks=()))

    assert market.price(X) == Decimal(100)
    assert market.of(X).age_ns(T + NS_PER_S) == NS_PER_S
