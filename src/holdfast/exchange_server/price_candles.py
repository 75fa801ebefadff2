"""Candles of prices that nobody trades at: the mark, the index, and their difference."""

from __future__ import annotations

from ..model.market import MarkPrice, Trade
from ..model.values import Symbol
from .tape import CANDLES_KEPT, MINUTES_KEPT, Series

MARK, INDEX, PREMIUM = "mark", "index", "premium"


class PriceCandles:
    """One symbol's, from the start of the exchange on. A price counts as a trade of no quantity."""

    def __init__(self) -> None:
        self._minutes = {kind: Series("1m", MINUTES_KEPT) for kind in (MARK, INDEX, PREMIUM)}
        self._others: dict[tuple[str, str], Series] = {}

    def on_mark(self, message: MarkPrice) -> None:
        mark, index = message.mark_price, message.index_price
        prices = {MARK: mark}
        if index:
            prices |= {INDEX: index, PREMIUM: (mark - index) / index}
        for kind, price in prices.items():
            shown = Trade(symbol=Symbol(message.symbol), ts=message.ts, price=price, qty=0.0)
            self._minutes[kind].add(shown)
            for (other, _), series in self._others.items():
                if other == kind:
                    series.add(shown)

    def series(self, kind: str, interval: str) -> Series:
        """Return the candles of a kind of price; they are kept up to date from now on."""
        minutes = self._minutes[kind]
        if interval == minutes.interval:
            return minutes
        found = self._others.get((kind, interval))
        if found is None:
            found = Series(interval, CANDLES_KEPT, minutes.candles)
            self._others[kind, interval] = found
        return found
