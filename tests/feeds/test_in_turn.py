"""What waits for its reader is sorted by time, and not against its own order."""

from __future__ import annotations

from holdfast.feeds.in_turn import in_turn
from holdfast.model.market import BookDelta, BookSnapshot, Quote, Trade
from holdfast.model.order_book import OrderBook
from holdfast.model.values import Symbol

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")


def trade(symbol, number, ts):
    return Trade(symbol, ts, 100.0, 1.0, number)


def test_what_waits_is_shown_by_its_time():
    quote = Quote(symbol=BTC, ts=6, bid=1.0, bid_qty=1.0, ask=2.0, ask_qty=1.0)
    first, second, third = trade(BTC, 1, 5), trade(BTC, 2, 7), trade(ETH, 1, 4)

    assert in_turn([first, second, quote, third]) == [third, first, quote, second]


def test_trades_stay_in_their_order_though_the_venues_clock_was_set_back():
    trades = [trade(BTC, 1, 5), trade(BTC, 2, 3), trade(BTC, 3, 6)]

    assert in_turn([*trades, trade(ETH, 1, 4)]) == [trade(ETH, 1, 4), *trades]


def test_a_book_that_was_lost_and_read_again_while_it_waited_is_whole():
    """It stayed empty until the next gap: what had emptied it was later than the snapshot."""
    lost = BookSnapshot(symbol=BTC, ts=9_000, bids=(), asks=())  # by our clock
    again = BookSnapshot(
        symbol=BTC, ts=8, bids=((1.0, 1.0),), asks=((2.0, 1.0),), last_update_id=20
    )
    change = BookDelta(
        symbol=BTC, ts=9, first_id=20, final_id=21, previous_id=19, bids=((1.5, 1.0),), asks=()
    )
    book = OrderBook(BTC)
    for message in in_turn([lost, again, change]):
        assert isinstance(message, BookSnapshot | BookDelta)
        book.apply(message)

    assert book.is_whole
    assert (book.update_id, book.best_bid) == (21, (1.5, 1.0))
