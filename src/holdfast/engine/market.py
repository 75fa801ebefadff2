"""What the engine sees of the market: last prices and samples of returns.

Inputs, not facts: after a restart it is filled anew by history and by the feed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from ..model.market import (
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    MarketData,
    MarkPrice,
    Quote,
    Trade,
    timeframe_ns,
)
from ..model.settings import RETURNS_COUNTED_MAX
from ..model.values import NS_PER_S, AccountId, Key, Symbol

SAMPLES_KEPT = RETURNS_COUNTED_MAX + 2  # the running period has no return yet
QUOTE_LAG_NS_MAX = 60 * NS_PER_S
"""How much older than the last trade a quote may be: trades change what is quoted."""

QUOTE_OLD_NS = 5 * NS_PER_S
"""How much older than the last trade a quote may be that stands for the price; behind that, the
trade does. Where both come, each trade is followed by a quote.
"""

MARK_LAG_NS = 60 * NS_PER_S
"""How much older than the last news of its market a mark price may be: else it would hide what is
lost since. A market that is silent as a whole keeps its mark.
"""

TOLD_BEHIND_NS = 5 * NS_PER_S
"""How far behind the last news of its market the books may tell a mark price that is judged by it:
history's last bar says nothing of one at a start.
"""

DECIMALS_KEPT = 8
"""Prices of a symbol that are not turned into decimals again: one order asks for each often."""


class SymbolMarket:
    """One symbol's prices (float64) and the closes of its sampling periods.

    `cut_off` says what of its data does not come, "" where all comes. `told` is the mark price that
    the venue's books named last, at `told_ts`: it counts for what is held, while the market itself
    has said nothing since, such as at a start, where history's last bar is a minute old, or where
    its mark prices are silent.
    `valid_ns` is for how long the source stays silent by design: a bar says nothing more until
    the next one, unless trades or quotes come too. Prices are 0.0 and `last_ts` 0 before the
    first message.
    """

    __slots__ = (
        "_decimals",
        "_sample_ns",
        "ask",
        "bid",
        "closes",
        "cut_off",
        "last",
        "last_ts",
        "mark",
        "marked_ts",
        "quoted_ts",
        "told",
        "told_ts",
        "traded_ts",
        "valid_ns",
    )

    def __init__(self, sample_ns: int) -> None:
        self.last = self.bid = self.ask = self.mark = self.told = 0.0
        self.last_ts = self.quoted_ts = self.traded_ts = self.marked_ts = self.told_ts = 0
        self.valid_ns = 0
        self.cut_off = ""
        self.closes: dict[int, float] = {}  # number of the period since 1970 -> last price in it
        self._sample_ns = sample_ns
        self._decimals: dict[float, Decimal] = {}

    def decimal(self, price: float) -> Decimal | None:
        """Return a price of this symbol as the decimal that it shows; None where there is none."""
        if price <= 0.0:
            return None
        found = self._decimals.get(price)
        if found is None:
            if len(self._decimals) >= DECIMALS_KEPT:
                self._decimals.clear()
            found = self._decimals[price] = Decimal(repr(price))
        return found

    @property
    def reference(self) -> float:
        """Return the middle of the quote, else the last trade, else the mark; 0.0 for none.

        Where quotes are silent and trades go on, these tell what it is.
        """
        if self.bid > 0.0 and self.ask > 0.0 and not self._is_quote_old:
            return (self.bid + self.ask) / 2
        return self.last or self.mark

    @property
    def touch(self) -> tuple[float, float]:
        """Return best bid and ask; 0.0 where they are not known, or not any more."""
        return (0.0, 0.0) if self._is_quote_old else (self.bid, self.ask)

    @property
    def _is_quote_old(self) -> bool:
        return 0 < self.quoted_ts < self.traded_ts - QUOTE_OLD_NS

    @property
    def marked(self) -> float:
        """Return the mark price that is not too old; 0.0 where there is none."""
        if not self.mark or self.last_ts - self.marked_ts <= MARK_LAG_NS:
            return self.mark
        return self.told if self.last_ts - self.told_ts <= MARK_LAG_NS else 0.0

    @property
    def valued(self) -> float:
        """Return the price positions are valued at: a mark, else the reference; 0.0 for none."""
        if self.told and self.told_ts > self.last_ts:
            return self.told
        return self.marked or self.reference or self.told

    @property
    def is_outlived(self) -> bool:
        """Tell whether the books have told a mark price long behind all news of the market."""
        return self.told_ts - self.last_ts > TOLD_BEHIND_NS

    def age_ns(self, now: int) -> int | None:
        """Return how long ago news was last due; None before the first message."""
        if not self.last_ts:
            return None
        return max(0, now - self.last_ts - self.valid_ns)

    @property
    def lags_behind(self) -> bool:
        """Tell whether quotes have fallen silent while trades go on."""
        return 0 < self.quoted_ts < self.traded_ts - QUOTE_LAG_NS_MAX

    def see_price(self, price: float, ts: int) -> None:
        """Take a price as the close, so far, of its sampling period."""
        closes = self.closes
        closes[ts // self._sample_ns] = price
        if len(closes) > SAMPLES_KEPT:
            del closes[min(closes)]

    def see_past(self, price: float, ts: int) -> None:
        """Take a price of before the last trade: history comes when trades are heard already."""
        if ts // self._sample_ns != self.traded_ts // self._sample_ns:
            self.see_price(price, ts)

    def returns(self, count: int) -> dict[int, float]:
        """Return the last log returns between neighbouring periods, by period."""
        periods = sorted(self.closes)[-(count + 1) :]
        return {
            period: math.log(self.closes[period] / self.closes[before])
            for before, period in pairwise(periods)
        }


class CutOff(NamedTuple):
    """Why an account's reports do not come; `up_ts` is when they came again, 0 before."""

    reason: str
    up_ts: int


class Isolated(NamedTuple):
    """What stands for a position alone, and the quantity that it was told of."""

    wallet: Decimal
    qty: Decimal


class Market:
    """All symbols' prices, which accounts' reports do not come, and what is isolated.

    `isolated` is what stands for a position alone, as the venue told last, and of what size.
    `awaits_past` says that history is still asked for.

    Args:
        sample_s: length of a sampling period of returns, seconds.
    """

    def __init__(self, sample_s: int) -> None:
        self._sample_ns = sample_s * NS_PER_S
        self._symbols: dict[Symbol, SymbolMarket] = {}
        self.accounts_cut_off: dict[AccountId, CutOff] = {}
        self.isolated: dict[Key, Isolated] = {}
        self.awaits_past = False

    def of(self, symbol: Symbol) -> SymbolMarket:
        """Return a symbol's prices; empty ones at its first mention."""
        market = self._symbols.get(symbol)
        if market is None:
            market = self._symbols[symbol] = SymbolMarket(self._sample_ns)
        return market

    def see(self, message: MarketData) -> None:
        """Take in one market message."""
        market = self._symbols.get(message.symbol) or self.of(message.symbol)
        if type(message) is Trade:  # by far the most: few calls are made for them
            ts, closes, market.valid_ns = message.ts, market.closes, 0
            market.last = closes[ts // self._sample_ns] = message.price
            if len(closes) > SAMPLES_KEPT:
                del closes[min(closes)]  # history may have come last
            market.last_ts = max(market.last_ts, ts)
            market.traded_ts = ts
        elif _take_in(market, message):
            market.last_ts = max(market.last_ts, message.ts)

    def pass_over(self, trades: Iterable[Trade]) -> None:
        """Take in some of a symbol's trades for all: the last of each sampling period."""
        for trade in trades:
            self.see(trade)

    @property
    def sample_ns(self) -> int:
        """Return the length of a sampling period."""
        return self._sample_ns

    def price(self, symbol: Symbol) -> Decimal | None:
        """Return the reference price orders are judged by; None before the first."""
        market = self.of(symbol)
        return market.decimal(market.reference)

    def mark(self, symbol: Symbol) -> Decimal | None:
        """Return the mark price positions are valued at; the reference where none is sent."""
        market = self.of(symbol)
        return market.decimal(market.valued)

    def tell_mark(self, symbol: Symbol, price: float, ts: int) -> None:
        """Note the mark price that the venue's books name."""
        market = self.of(symbol)
        market.told, market.told_ts = price, ts


def _take_in(market: SymbolMarket, message: MarketData) -> bool:
    """Note what a message says of the price, if it says anything."""
    if type(message) is Quote:
        market.bid, market.ask, market.valid_ns = message.bid, message.ask, 0
        market.quoted_ts = message.ts
        if not market.last:  # a source without trades: the middle stands for them
            market.see_price((message.bid + message.ask) / 2, message.ts)
    elif type(message) is Bar:
        length = timeframe_ns(message.timeframe)
        if market.traded_ts > message.open_ts + length:  # a trade behind its end says more
            market.see_past(message.close, message.open_ts + length - 1)
            return False
        market.last, market.valid_ns = message.close, length
        if market.quoted_ts < message.open_ts:
            market.bid = market.ask = 0.0  # of before all that the bar tells of
        market.see_price(message.close, message.ts - 1)
    elif type(message) is MarkPrice:
        market.mark, market.marked_ts = message.mark_price, message.ts
    elif type(message) is BookSnapshot:
        if not _says_touch(message, market.quoted_ts):
            return False
        market.bid, market.ask, market.valid_ns = message.bids[0][0], message.asks[0][0], 0
    elif type(message) is BookDelta and not market.quoted_ts:
        market.bid = market.ask = 0.0  # of the book before, and no quote says the one behind
    return type(message) not in _SAY_NO_PRICE


def _says_touch(book: BookSnapshot, quoted_ts: int) -> bool:
    """Tell whether a book is known, and newer than a quote that came while it was asked for."""
    is_known = bool(book.bids and book.asks)
    return is_known and not (quoted_ts and book.ts <= quoted_ts)


_SAY_NO_PRICE = (BookDelta, Funding)
