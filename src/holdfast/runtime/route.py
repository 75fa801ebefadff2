"""Who hears what of one symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.bars import Alarm
from ..model.order_book import OrderBook
from ..model.values import Symbol
from .attached import Attached
from .bar_routes import BarRoutes

if TYPE_CHECKING:
    from .block import Block


class Route:
    """The strategies that hear a symbol, in the order of adding, and its bars."""

    __slots__ = ("bars", "bars_of", "book", "books", "quotes", "trades")

    def __init__(
        self, symbol: Symbol, strategies: Sequence[Attached], alarm: Alarm, *, is_live: bool
    ) -> None:
        self.trades = tuple(one for one in strategies if one.on_trade is not None)
        self.quotes = tuple(one for one in strategies if one.on_quote is not None)
        self.books = tuple(one for one in strategies if one.on_book is not None)
        self.book = OrderBook(symbol)  # kept where somebody hears it
        wanted = dict.fromkeys(name for one in strategies for name in one.timeframes)
        self.bars_of = {
            name: tuple(one for one in strategies if name in one.timeframes) for name in wanted
        }
        self.bars = BarRoutes(symbol, tuple(wanted), alarm, is_live=is_live)

    @property
    def can_run(self) -> bool:
        """Tell whether `count` may take the trades of open bars."""
        builder = self.bars.trades
        return builder is None or builder.is_open

    def count(self, block: Block, start: int, stop: int) -> None:
        """Count trades, of which none starts or closes a bar, in the bars that they make."""
        builder = self.bars.trades
        if builder is not None:
            prices: list[float] = block.prices[start:stop].tolist()
            builder.on_trades(prices, block.qtys(start, stop))

    def drop(self, one: Attached) -> None:
        """Forget a strategy, and the bars that nobody else wants."""
        self.trades = tuple(other for other in self.trades if other is not one)
        self.quotes = tuple(other for other in self.quotes if other is not one)
        self.books = tuple(other for other in self.books if other is not one)
        for timeframe in one.timeframes:
            left = tuple(o for o in self.bars_of.get(timeframe, ()) if o is not one)
            self.bars_of[timeframe] = left
            if not left:
                self.bars.drop(timeframe)
