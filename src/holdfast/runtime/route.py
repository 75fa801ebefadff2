"""Who hears what of one symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.bars import Alarm
from ..model.market import timeframe_ns
from ..model.order_book import OrderBook
from ..model.values import Symbol
from ..ports import Complete, Feed
from .attached import Attached
from .bar_routes import BarRoutes
from .fetching import known_from
from .series import Series

if TYPE_CHECKING:
    from .block import Block


class Route:
    """The strategies that hear a symbol, in the order of adding, and its bars.

    Args:
        feed: where the session hears of the symbol.
        now: up to when the strategies were shown what there was.
    """

    __slots__ = ("bars", "bars_of", "book", "books", "quotes", "series", "trades")

    def __init__(
        self,
        symbol: Symbol,
        strategies: Sequence[Attached],
        alarm: Alarm,
        feed: Feed,
        now: int,
    ) -> None:
        self.trades = tuple(one for one in strategies if one.on_trade is not None)
        self.quotes = tuple(one for one in strategies if one.on_quote is not None)
        self.books = tuple(one for one in strategies if one.on_book is not None)
        self.book = OrderBook(symbol)  # kept where somebody hears it
        wanted = dict.fromkeys(name for one in strategies for name in one.timeframes)
        self.bars_of = {
            name: tuple(one for one in strategies if name in one.timeframes) for name in wanted
        }
        self.bars = BarRoutes(
            symbol,
            tuple(wanted),
            alarm,
            known_from(feed, symbol, now),
            is_numbered=isinstance(feed, Complete) and feed.is_numbered(symbol),
            is_live=feed.is_live,
        )
        if feed.is_live:  # what a new connection tells of before is not heard in full
            self.bars.come_back(now)
        self.series = {
            name: Series(symbol, name, _shown_ts(symbol, name, self.bars_of[name], now))
            for name in wanted
        }

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
            first, last = block.at(start), block.at(stop - 1)
            builder.on_trades(prices, block.qtys(start, stop), first, last)

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


def _shown_ts(symbol: Symbol, timeframe: str, strategies: Sequence[Attached], now: int) -> int:
    """Return where the first bar begins that nobody was shown."""
    shown = [one.window.last_ts(symbol, timeframe) for one in strategies]
    return max(shown, default=0) or now - now % timeframe_ns(timeframe)
