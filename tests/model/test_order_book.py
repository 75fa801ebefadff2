"""An order book out of snapshots and changes, against the plainest one there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model import order_book
from holdfast.model.market import BookDelta, BookSnapshot
from holdfast.model.order_book import OrderBook
from holdfast.model.values import Symbol

BTC = Symbol("BTCUSDT")


def snapshot(bids=(), asks=(), *, at=10, ts=1):
    return BookSnapshot(symbol=BTC, ts=ts, bids=tuple(bids), asks=tuple(asks), last_update_id=at)


def delta(final, previous, bids=(), asks=(), *, ts=2):
    return BookDelta(
        symbol=BTC,
        ts=ts,
        first_id=previous + 1,
        final_id=final,
        previous_id=previous,
        bids=tuple(bids),
        asks=tuple(asks),
    )


def test_a_book_begins_with_a_snapshot_and_follows_its_changes():
    book = OrderBook(BTC)
    assert not book.apply(delta(5, 4, bids=[(1.0, 1.0)]))
    assert (book.is_whole, book.best_bid, book.bids()) == (False, None, [])

    book.apply(snapshot([(100.0, 1.0), (99.0, 2.0)], [(101.0, 3.0)]))
    book.apply(delta(12, 8, bids=[(100.0, 0.0), (99.5, 4.0)], asks=[(100.5, 5.0), (102.0, 1.0)]))

    assert book.is_whole
    assert book.bids() == [(99.5, 4.0), (99.0, 2.0)]
    assert book.asks(2) == [(100.5, 5.0), (101.0, 3.0)]
    assert (book.best_bid, book.best_ask) == ((99.5, 4.0), (100.5, 5.0))
    assert (book.ts, book.update_id) == (2, 12)


def test_a_change_that_is_old_or_repeated_changes_nothing():
    book = OrderBook(BTC)
    book.apply(snapshot([(100.0, 1.0)]))

    assert not book.apply(delta(10, 9, bids=[(100.0, 0.0)]))
    assert book.apply(delta(11, 10, bids=[(99.0, 1.0)]))
    assert not book.apply(delta(11, 10, bids=[(99.0, 7.0)]))
    assert book.bids() == [(100.0, 1.0), (99.0, 1.0)]


def test_a_gap_empties_the_book_until_the_next_snapshot():
    book = OrderBook(BTC)
    book.apply(snapshot([(100.0, 1.0)]))
    book.apply(delta(11, 10))
    assert book.apply(delta(14, 13, bids=[(99.0, 1.0)]))
    assert (book.is_whole, book.bids()) == (False, [])
    assert not book.apply(delta(15, 14, bids=[(99.0, 1.0)]))

    book.apply(snapshot([(98.0, 1.0)], at=20))
    assert (book.is_whole, book.best_bid) == (True, (98.0, 1.0))


def test_a_snapshot_that_comes_late_takes_in_the_changes_heard_before_it():
    """It is asked for over REST while changes come: a capture has those since before it."""
    book = OrderBook(BTC)
    book.apply(delta(9, 8, bids=[(97.0, 1.0)]))
    book.apply(delta(11, 9, bids=[(99.0, 5.0)], ts=4))  # spans the snapshot
    book.apply(delta(12, 11, bids=[(100.0, 0.0)], ts=5))
    assert not book.is_whole

    assert book.apply(snapshot([(100.0, 1.0), (98.0, 2.0)], ts=3))

    assert book.bids() == [(99.0, 5.0), (98.0, 2.0)]
    assert (book.ts, book.update_id) == (5, 12)
    assert book.apply(delta(14, 12, bids=[(98.0, 0.0)]))
    assert (book.is_whole, book.bids()) == (True, [(99.0, 5.0)])


def test_a_later_snapshot_that_comes_late_does_so_too():
    book = OrderBook(BTC)
    book.apply(snapshot([(100.0, 1.0)]))
    book.apply(delta(11, 10, bids=[(99.0, 1.0)]))
    book.apply(delta(13, 11, bids=[(99.0, 2.0)]))

    book.apply(snapshot([(100.0, 1.0), (99.0, 1.0)], at=11))

    assert (book.update_id, book.bids()) == (13, [(100.0, 1.0), (99.0, 2.0)])


def test_a_book_is_not_whole_while_changes_behind_its_snapshot_are_missing():
    book = OrderBook(BTC)
    book.apply(snapshot([(100.0, 1.0)]))
    assert book.apply(delta(14, 12, bids=[(99.0, 1.0)]))
    assert (book.is_whole, book.bids()) == (False, [])

    late = OrderBook(BTC)
    late.apply(delta(14, 12, bids=[(99.0, 1.0)]))
    assert late.apply(snapshot([(100.0, 1.0)]))
    assert (late.is_whole, late.bids()) == (False, [])


def test_a_book_that_was_lost_may_begin_with_lower_numbers():
    book = OrderBook(BTC)
    book.apply(snapshot([(100.0, 1.0)]))
    book.apply(delta(11, 10))
    book.lose(ts=3)

    book.apply(snapshot([(98.0, 1.0)], at=2))

    assert (book.is_whole, book.best_bid) == (True, (98.0, 1.0))


def test_levels_furthest_from_the_touch_are_let_go_of_first(monkeypatch):
    monkeypatch.setattr(order_book, "LEVELS_MAX", 3)
    book = OrderBook(BTC)
    levels = [(float(price), 1.0) for price in (5, 1, 4, 2, 3)]
    book.apply(snapshot(levels, levels))

    assert [price for price, _ in book.bids()] == [5.0, 4.0, 3.0]
    assert [price for price, _ in book.asks()] == [1.0, 2.0, 3.0]


levels = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3)), max_size=8)


@given(st.lists(st.tuples(levels, levels), max_size=20))
def test_levels_are_those_of_a_plain_dict_sorted(changes):
    book, bids, asks = OrderBook(BTC), {}, {}
    book.apply(snapshot([(15.0, 1.0)], [(16.0, 1.0)]))
    bids[15.0], asks[16.0] = 1.0, 1.0
    for number, (lower, upper) in enumerate(changes):
        for side, changed in ((bids, lower), (asks, upper)):
            for price, qty in changed:
                side[float(price)] = float(qty)
        book.apply(
            delta(
                11 + number,
                10 + number,
                [(float(p), float(q)) for p, q in lower],
                [(float(p), float(q)) for p, q in upper],
            )
        )

        assert book.bids(100) == sorted(((p, q) for p, q in bids.items() if q), reverse=True)
        assert book.asks(100) == sorted((p, q) for p, q in asks.items() if q)
