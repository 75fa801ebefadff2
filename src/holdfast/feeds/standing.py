"""The order books that stand where a recording begins to be shown.

A capture has a snapshot at its head and changes from then on: who begins behind it would be shown
no book at all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from ..model.market import BookDelta, BookSnapshot
from ..model.order_book import LEVELS_MAX, OrderBook
from ..model.values import Symbol
from .pace import ts_of
from .source import Chunk


def after_with_books(chunks: Iterable[Chunk], ts: int, end_ts: int) -> Iterator[Chunk]:
    """Leave out what is not later than `ts`; show the books as they stood then first.

    Args:
        end_ts: where nothing else is to be shown before it, the books are not either.
    """
    books: dict[Symbol, OrderBook] = {}
    for chunk in chunks:
        place = bisect_right(chunk, ts, key=ts_of)
        _follow(books, chunk[:place])
        if place == len(chunk):
            continue
        if chunk[place].ts < end_ts and (standing := _snapshots(books, ts + 1)):
            yield standing
        books.clear()
        yield chunk[place:] if place else chunk


def _follow(books: dict[Symbol, OrderBook], chunk: Chunk) -> None:
    for message in chunk:
        if isinstance(message, BookSnapshot | BookDelta):
            book = books.get(message.symbol)
            if book is None:
                book = books[message.symbol] = OrderBook(message.symbol)
            book.apply(message)


def _snapshots(books: dict[Symbol, OrderBook], ts: int) -> list[BookSnapshot]:
    return [
        BookSnapshot(
            symbol=symbol,
            ts=ts,
            bids=tuple(book.bids(LEVELS_MAX)),
            asks=tuple(book.asks(LEVELS_MAX)),
            last_update_id=book.update_id,
        )
        for symbol, book in books.items()
        if book.is_whole
    ]
