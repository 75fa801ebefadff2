"""Order books that are told before any strategy has begun: as a whole once, and changes then."""

from __future__ import annotations

from ..model.market import BookDelta, BookSnapshot, MarketData
from ..model.order_book import OrderBook
from ..model.values import Symbol


class EarlyBooks:
    """Keeps them until routes take them over; once that `is_over`, nobody wants any."""

    def __init__(self) -> None:
        self.is_over = False
        self._books: dict[Symbol, OrderBook] = {}

    def hear(self, message: MarketData) -> None:
        """Take in what is told of a book."""
        if not self.is_over and isinstance(message, BookSnapshot | BookDelta):
            symbol = message.symbol
            book = self._books.get(symbol) or self._books.setdefault(symbol, OrderBook(symbol))
            book.apply(message)

    def take(self, symbol: Symbol) -> OrderBook:
        """Hand a book over; an empty one where nothing was told."""
        return self._books.pop(symbol, None) or OrderBook(symbol)
