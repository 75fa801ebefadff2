"""Whole order books out of a snapshot and the stream's changes."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.exchange.book import Book
from holdfast.model.market import BookDelta, BookSnapshot
from holdfast.model.values import Symbol
from holdfast.venues.binance_futures import depth_sync
from holdfast.venues.binance_futures.depth_sync import DepthBooks, DepthSync
from tests.venues.binance_futures.adapter_desk import BTC, PATIENCE_S, desk, no_jitter, scripted


def delta(first, final, previous, price=100.0, qty=1.0):
    return BookDelta(
        symbol=BTC,
        ts=final,
        first_id=first,
        final_id=final,
        previous_id=previous,
        bids=((price, qty),),
        asks=(),
    )


def snapshot(last_id, bids=((99.0, 1.0),)):
    return BookSnapshot(symbol=BTC, ts=last_id, bids=bids, asks=(), last_update_id=last_id)


def ids(shown):
    return [each.final_id if isinstance(each, BookDelta) else "book" for each in shown]


def test_changes_wait_for_the_snapshot_and_old_ones_are_dropped():
    book = DepthSync(BTC)
    assert not book.hear(delta(1, 10, 0))
    assert not book.hear(delta(11, 30, 10))
    assert not book.hear(delta(40, 50, 30))

    assert ids(book.begin(snapshot(20))) == ["book", 30, 50]
    assert ids(book.hear(delta(60, 70, 50))) == [70]
    assert not book.needs_snapshot


def test_snapshot_that_is_older_than_every_change_does_not_fit():
    book = DepthSync(BTC)
    book.hear(delta(30, 40, 25))

    assert not book.begin(snapshot(20))
    assert book.needs_snapshot
    assert ids(book.begin(snapshot(35))) == ["book", 40]


def test_change_that_ends_at_the_snapshots_id_spans_it():
    book = DepthSync(BTC)
    book.hear(delta(10, 20, 9))

    assert ids(book.begin(snapshot(20))) == ["book", 20]
    assert ids(book.hear(delta(25, 30, 20))) == [30]


def test_snapshot_may_come_before_the_change_that_spans_it():
    book = DepthSync(BTC)
    assert ids(book.begin(snapshot(20))) == ["book"]
    assert not book.hear(delta(1, 10, 0))
    assert ids(book.hear(delta(15, 30, 10))) == [30]


def test_gap_shows_an_empty_book_and_begins_anew():
    book = DepthSync(BTC)
    book.begin(snapshot(20))
    book.hear(delta(15, 30, 10))

    (lost,) = book.hear(delta(50, 60, 45))
    assert isinstance(lost, BookSnapshot)
    assert not lost.bids
    assert not lost.asks
    assert book.needs_snapshot
    assert ids(book.begin(snapshot(55))) == ["book", 60]


def test_repeated_change_is_shown_once():
    """While one connection replaces another, both tell the same."""
    book = DepthSync(BTC)
    book.begin(snapshot(20))
    first, second = delta(15, 30, 10), delta(31, 40, 30)

    assert ids([*book.hear(first), *book.hear(first), *book.hear(second), *book.hear(first)]) == [
        30,
        40,
    ]


def test_kept_changes_are_bounded(monkeypatch):
    monkeypatch.setattr(depth_sync, "KEPT_MAX", 2)
    book = DepthSync(BTC)
    for n in range(5):
        book.hear(delta(n * 10, n * 10 + 9, n * 10 - 1))

    assert not book.begin(snapshot(5))
    assert ids(book.begin(snapshot(35))) == ["book", 39, 49]


def test_a_change_of_another_count_keeps_no_book_waiting():
    """A new connection tells of before a venue began to count anew: no snapshot fitted for minutes."""
    book = DepthSync(BTC)
    for change in (delta(1001, 1010, 1000), delta(3, 5, 2), delta(6, 9, 5)):
        book.hear(change)

    assert ids(book.begin(snapshot(5))) == ["book", 5, 9]


class Market:
    """A true book, its changes, and snapshots of it."""

    def __init__(self, moves):
        self.changes: list[BookDelta] = []
        self.states: list[tuple[int, dict[float, float]]] = [(100, {})]
        levels: dict[float, float] = {}
        last = 100
        for jump, width, price, qty in moves:
            first = last + jump
            final = first + width
            levels = {**levels, float(price): float(qty)}
            levels = {p: q for p, q in levels.items() if q}
            self.changes.append(delta(first, final, last, float(price), float(qty)))
            self.states.append((final, levels))
            last = final

    def snapshot(self, place):
        final, levels = self.states[place]
        return snapshot(final, tuple(sorted(levels.items(), reverse=True)))


MOVES = st.lists(
    st.tuples(st.integers(1, 20), st.integers(0, 9), st.integers(1, 6), st.integers(0, 3)),
    min_size=1,
    max_size=30,
)


@given(MOVES, st.data())
def test_shown_book_is_the_true_one_whatever_is_lost(moves, data):
    """Changes are lost and repeated, snapshots come late and from any time."""
    market, sync = Market(moves), DepthSync(BTC)
    book: Book | None = None
    shown_id = 0
    for place, change in enumerate(market.changes):
        fate = data.draw(st.sampled_from(["told", "told", "told", "lost", "twice"]))
        shown = [] if fate == "lost" else [*sync.hear(change)]
        if fate == "twice":
            shown += sync.hear(change)
        if sync.needs_snapshot and data.draw(st.booleans()):
            shown += sync.begin(market.snapshot(data.draw(st.integers(0, place + 1))))
        for each in shown:
            if isinstance(each, BookSnapshot):
                book = Book(each) if each.last_update_id else None
                shown_id = each.last_update_id
            else:
                assert book is not None
                assert book.apply(each)
                shown_id = each.final_id
        if book is None:
            continue
        truth = dict(market.states)[shown_id]
        assert {price: qty for price, qty in book.bids.levels() if qty} == truth


class Asked:
    """Books over a scripted REST, and what they show."""

    def __init__(self):
        self.shown = []
        self.news = asyncio.Event()

    def show(self, message):
        self.shown.append(message)
        self.news.set()

    async def has(self, wanted):
        async with asyncio.timeout(PATIENCE_S):
            while ids(self.shown) != wanted:
                self.news.clear()
                await self.news.wait()


def depth(last_id):
    return {"lastUpdateId": last_id, "E": 1, "T": 1, "bids": [["99", "1"]], "asks": [["101", "1"]]}


async def test_books_ask_again_until_a_snapshot_fits(monkeypatch):
    monkeypatch.setattr(depth_sync, "PAUSE_S", 0.01)
    answers = [(200, depth(5)), (400, {"code": -1130, "msg": "no"}), (200, "{}"), (200, depth(20))]
    async with scripted(**{"GET__/fapi/v1/depth": answers}) as server, desk(server.url) as one:
        told = Asked()
        books = DepthBooks((BTC,), one.asker, told.show, no_jitter)
        keeping = asyncio.ensure_future(books.keep())
        books.hear(delta(15, 30, 10))
        await told.has(["book", 30])
        books.hear(delta(40, 50, 35))  # a gap
        await told.has(["book", 30, "book"])
        books.lose((BTC,))
        keeping.cancel()

    assert len(server.requests) >= 4
    assert {params["limit"] for _, _, params in server.requests} == {"1000"}


ETH = Symbol("ETHUSDT")


def of_eth(message):
    return msgspec.structs.replace(message, symbol=ETH)


async def test_no_book_is_asked_for_while_its_stream_is_lost():
    """A hundred of them would take a minute's weight, and be shown though nothing follows."""
    answers = [(200, depth(20)), (200, depth(20)), (200, depth(45))]
    async with scripted(**{"GET__/fapi/v1/depth": answers}) as server, desk(server.url) as one:
        told = Asked()
        books = DepthBooks((BTC, ETH), one.asker, told.show, no_jitter)
        keeping = asyncio.ensure_future(books.keep())
        books.hear(delta(15, 30, 10))
        books.hear(of_eth(delta(15, 30, 10)))
        await told.has(["book", 30, "book", 30])
        books.lose((ETH,))
        books.hear(delta(40, 50, 35))  # a gap
        await told.has(["book", 30, "book", 30, "book", "book", "book", 50])
        await asyncio.sleep(0.05)
        assert [params["symbol"] for _, _, params in server.requests] == [BTC, ETH, BTC]

        books.hear(of_eth(delta(40, 50, 35)))
        await told.has(["book", 30, "book", 30, "book", "book", "book", 50, "book", 50])
        keeping.cancel()


async def test_book_whose_stream_was_lost_before_its_snapshot_came_is_not_shown(monkeypatch):
    asked, answer = asyncio.Event(), asyncio.Event()

    async def read(symbol):
        asked.set()
        await answer.wait()
        return snapshot(20)

    async with scripted() as server, desk(server.url) as one:
        told = Asked()
        books = DepthBooks((BTC,), one.asker, told.show, no_jitter)
        monkeypatch.setattr(books, "_read", read)
        keeping = asyncio.ensure_future(books.keep())
        books.hear(delta(15, 30, 10))
        await asked.wait()
        books.lose((BTC,))
        answer.set()
        await asyncio.sleep(0.05)
        assert told.shown == []

        books.hear(delta(15, 30, 10))
        await told.has(["book", 30])
        keeping.cancel()


async def test_a_book_that_was_asked_for_before_its_stream_was_lost_and_back_is_not_shown(
    monkeypatch,
):
    """A venue that counts anew has lower numbers then: all that followed was taken for old."""
    asked, answer, numbers = asyncio.Event(), asyncio.Event(), [500, 3]

    async def read(symbol):
        asked.set()
        number = numbers.pop(0)
        if numbers:
            await answer.wait()
        return snapshot(number)

    monkeypatch.setattr(depth_sync, "PAUSE_S", 0.01)
    async with scripted() as server, desk(server.url) as one:
        told = Asked()
        books = DepthBooks((BTC,), one.asker, told.show, no_jitter)
        monkeypatch.setattr(books, "_read", read)
        keeping = asyncio.ensure_future(books.keep())
        books.hear(delta(490, 500, 489))
        await asked.wait()
        books.lose((BTC,))
        books.hear(delta(1, 3, 0))
        answer.set()
        await told.has(["book", 3])
        keeping.cancel()


@pytest.mark.parametrize("lost", [True, False])
def test_lost_stream_empties_only_books_that_were_shown(lost):
    book = DepthSync(BTC)
    if lost:
        book.begin(snapshot(20))

    assert len(book.lose(7)) == lost
    assert book.needs_snapshot
