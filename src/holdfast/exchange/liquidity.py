"""What a taker may have and when a resting order fills: the model of the market's liquidity.

**Takers** (market orders and crossing limits) take from the finest thing known:

1. a book (snapshots and deltas): level by level, and no further than the book goes. An empty
   snapshot says that the feed has lost it: the quotes heard beside it, and the tape, do then;
2. a quote: the touch's quantity, then the rest `beyond_touch` worse (None: nothing is there).
   It, or a book, that is older than `QUOTE_AGE_NS_MAX` when trades go on is gone: a trade changes
   what is displayed, so that its stream must have fallen silent;
3. the last trade or bar: any quantity at `half_spread` from it, against the taker. A bar is too
   old for that once a quote or a book was heard, even if both are gone.

What was taken from a displayed quantity is gone until the market shows that level anew. Orders
of other accounts that rest here are taken in line with it: better price first, and at the same
price what the market displays comes before what rests here.

**Resting orders** fill at their own price, as maker:

- when a trade prints through the price, up to the trade's quantity;
- when a trade prints at the price, once the quantity that was displayed there when the order
  came has traded or has gone. Where it can't be known, beyond the touch of a quote or what a
  book's snapshot shows, it is `unknown_queue`;
- when the opposite quote or book crosses the price, up to the quantity displayed.

**Bars** count only for a time in which no trade, quote or book of the symbol was heard, and then
only those of the smallest timeframe; what was quoted before them is gone. Inside a bar the price
goes from the open to the nearer extreme, to the other extreme and to the close, through every
price between; the bar's volume bounds what resting orders fill.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..model.instrument import Instrument
from ..model.market import Quote
from ..model.values import LARGEST_AMOUNT, NS_PER_S, Side, to_decimal
from .book import Book

PRICE_MAX = float(LARGEST_AMOUNT)
NEVER = 2**63 - 1

MARK_AGE_NS_MAX = 60 * NS_PER_S
"""How much older than the last trade a mark may be; than the last touch both may be together."""

QUOTE_AGE_NS_MAX = 60 * NS_PER_S
"""How much older than the last trade a quote, or a book's last change, may be."""


class Liquidity(msgspec.Struct, frozen=True, kw_only=True):
    """How generous the market is where the data does not say. Fractions of the price."""

    half_spread: Decimal = Decimal("0.0001")
    beyond_touch: Decimal | None = Decimal("0.0005")  # None: a quote is all there is
    unknown_queue: Decimal | None = None  # None: only a print through the price fills
    partial_fills: bool = True  # False: whatever fills, fills whole


class Level(NamedTuple):
    """A price a taker can have; `qty` None is no bound, `key` is the price as displayed."""

    price: Decimal
    qty: Decimal | None
    key: float


class Display:
    """What the market shows of one symbol, and what of it is still there to take."""

    __slots__ = (
        "aside",
        "ask",
        "ask_left",
        "bid",
        "bid_left",
        "book",
        "book_ts",
        "has_mark",
        "has_tape",
        "instrument",
        "kept_mark",
        "known_mark",
        "last",
        "last_ts",
        "mark",
        "mark_ts",
        "mark_until",
        "model",
        "quote",
    )

    def __init__(self, instrument: Instrument, model: Liquidity) -> None:
        self.instrument = instrument
        self.model = model
        self.book: Book | None = None
        self.book_ts = 0  # of its last change
        self.quote: Quote | None = None
        self.aside: Quote | None = None  # the newest while a book stands, for when it is gone
        self.bid = self.bid_left = self.ask = self.ask_left = 0.0
        self.last = 0.0  # of the tape, or of bars; 0 before the first
        self.last_ts = 0  # of the last trade on the tape
        self.mark = 0.0  # of the mark stream
        self.mark_ts = 0  # of the last one that was heard
        self.mark_until = NEVER  # it counts, unless it is heard again
        self.known_mark = 0.0  # the last of this life, for when nothing tells one
        self.kept_mark = 0.0  # of the life before, from storage; 0 where there is none
        self.has_tape = False
        self.has_mark = False

    def contract_price(self) -> Decimal | None:
        """Return the last trade's price; without a tape the middle of the touch."""
        if self._has_middle:
            return (to_decimal(self.bid) + to_decimal(self.ask)) / 2
        return to_decimal(self.last) if self.last > 0.0 else None

    def contract_float(self) -> float:
        """Return the contract's price for quick looks; 0 where there is none."""
        return (self.bid + self.ask) / 2 if self._has_middle else self.last

    @property
    def _has_middle(self) -> bool:
        """Tell whether the touch says more than the last price, which is a bar's then."""
        return not self.has_tape and self.bid > 0.0 and self.ask > 0.0

    def mark_price(self) -> Decimal | None:
        """Return what margin goes by: the mark; where none is heard the contract's price."""
        return to_decimal(self.mark) if self.has_mark else self.contract_price()

    def mark_float(self) -> float:
        """Return the mark for quick looks; 0 where there is none."""
        return self.mark if self.has_mark else self.contract_float()

    def hear_mark(self, mark: float, ts: int) -> bool:
        """Take a mark in; tell whether there was none before."""
        is_first = not self.has_mark
        self.mark, self.has_mark, self.mark_ts = mark, True, ts
        self.mark_until = ts + MARK_AGE_NS_MAX
        return is_first

    def forget_mark(self) -> None:
        """Go by the contract's price: the mark's stream has fallen silent."""
        self.has_mark, self.mark_until, self.known_mark = False, NEVER, self.mark

    def remember_middle(self) -> None:
        """Keep the middle of the touch where it counts as the mark: the next may have one side."""
        if not self.has_mark and self._has_middle:
            self.known_mark = float((to_decimal(self.bid) + to_decimal(self.ask)) / 2)

    def is_left_to_touch(self, ts: int) -> bool:
        """Tell whether a touch is the only thing heard of late. Where no marks come at all, minutes
        without a trade say nothing.
        """
        oldest_ts = ts - MARK_AGE_NS_MAX
        return self.last_ts < oldest_ts and 0 < self.mark_ts < oldest_ts

    def told_mark(self, now: int) -> float:
        """Return the mark to be told; 0 where there is none, or none of late."""
        return 0.0 if self.mark_until < now else self.mark_float()

    def worth(self) -> Decimal | None:
        """Return what a position is valued at: the mark, where there is none the last one known."""
        worth = self.worth_float()
        return self.mark_price() or (to_decimal(worth) if worth > 0.0 else None)

    def worth_float(self) -> float:
        """Return that for quick looks; 0 where there is none."""
        return self.mark_float() or self.known_mark or self.kept_mark

    def show(self, quote: Quote) -> None:
        """Take a quote in. A side that did not change stays as far eaten as it is."""
        before, self.quote = self.quote, quote
        if before is None or quote.bid != before.bid or quote.bid_qty != before.bid_qty:
            self.bid, self.bid_left = quote.bid, quote.bid_qty
        if before is None or quote.ask != before.ask or quote.ask_qty != before.ask_qty:
            self.ask, self.ask_left = quote.ask, quote.ask_qty

    def show_top(self) -> None:
        """Take the touch from the book."""
        assert self.book is not None
        self.bid, self.ask = self.book.bids.best(), self.book.asks.best()

    def forget_old_touch(self) -> None:
        """Take a quote or a book away whose stream has fallen silent while trades went on."""
        oldest_ts = self.last_ts - QUOTE_AGE_NS_MAX
        if self.book is not None and self.book_ts < oldest_ts:
            self.lose_book()
            if self.quote is None:
                self.forget_touch()
        if self.quote is not None and self.quote.ts < oldest_ts:
            self.forget_touch()

    def lose_book(self) -> None:
        """Give the book up; the quotes that were heard beside it do until the next."""
        aside, self.book, self.aside = self.aside, None, None
        if aside is not None and aside.ts >= self.book_ts - QUOTE_AGE_NS_MAX:
            self.show(aside)

    def forget_touch(self) -> None:
        """Take away what was displayed."""
        self.book = self.quote = self.aside = None
        self.bid = self.bid_left = self.ask = self.ask_left = 0.0

    def levels(self, taker: Side) -> Iterator[Level]:
        """Yield what a taker may have, best first."""
        self.forget_old_touch()
        if self.book is not None:
            ladder = self.book.asks if taker is Side.BUY else self.book.bids
            for key, qty in ladder.levels():
                yield Level(to_decimal(key), self._on_lot(qty), key)
        elif self.quote is not None:
            yield from self._quoted(taker)
        elif self.last > 0.0 and not self._has_middle:
            price = to_decimal(self.last) * (1 + taker.sign * self.model.half_spread)
            yield Level(self.instrument.round_price(price, taker.opposite), None, 0.0)

    def _quoted(self, taker: Side) -> Iterator[Level]:
        key, left = (self.ask, self.ask_left) if taker is Side.BUY else (self.bid, self.bid_left)
        if not key > 0.0:
            return
        yield Level(to_decimal(key), self._on_lot(left), key)
        if self.model.beyond_touch is not None:
            price = to_decimal(key) * (1 + taker.sign * self.model.beyond_touch)
            yield Level(self.instrument.round_price(price, taker.opposite), None, 0.0)

    def take(self, taker: Side, level: Level, qty: Decimal) -> None:
        """Remove what a taker had from what is displayed."""
        if level.qty is None:
            return
        left = float(level.qty - qty)
        if self.book is not None:
            (self.book.asks if taker is Side.BUY else self.book.bids).set(level.key, left)
            self.show_top()
        elif taker is Side.BUY:
            self.ask_left = left
        else:
            self.bid_left = left

    def displayed_at(self, side: Side, price: Decimal) -> Decimal | None:
        """Return the quantity shown on `side` at a price; None where it can't be known."""
        qty = self.qty_at(side, float(price))
        return None if qty is None else self._on_lot(qty)

    def qty_at(self, side: Side, price: float) -> float | None:
        """Return what `displayed_at` rounds to the lot, quickly."""
        self.forget_old_touch()
        if self.book is not None:
            return (self.book.bids if side is Side.BUY else self.book.asks).qty_at(price)
        if self.quote is None:
            return None
        touch, qty = (self.bid, self.bid_left) if side is Side.BUY else (self.ask, self.ask_left)
        if price == touch:
            return qty
        is_inside = price > touch if side is Side.BUY else price < touch
        return 0.0 if is_inside else None

    def may_reach(self, taker: Side, price: Decimal) -> bool:
        """Tell quickly whether the touch may be at a price that an order on its side bears."""
        self.forget_old_touch()
        touch = self.ask if taker is Side.BUY else self.bid
        if not touch > 0.0:
            return False
        return touch <= float(price) if taker is Side.BUY else touch >= float(price)

    def _on_lot(self, qty: float) -> Decimal:
        return self.instrument.round_qty(to_decimal(qty))
