"""How market data moves the exchange, one function for each kind of message.

Messages with prices or quantities that can't be (not finite, not above zero) are dropped.
"""

from __future__ import annotations

from ..model.market import (
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    MarketData,
    MarkPrice,
    Quote,
    Trade,
)
from ..model.values import to_decimal
from . import bars, consequences, funding, making, quiet
from .book import Book
from .books import Books
from .liquidity import PRICE_MAX
from .market import Market


def take_in(books: Books, market: Market, message: MarketData, now: int) -> None:
    """Let one message do what it does."""
    if not books.heard_since:
        books.heard_since = now
    match message:
        case Trade():
            on_trade(books, market, message, now)
        case Quote():
            on_quote(books, market, message, now)
        case BookDelta():
            on_delta(books, market, message, now)
        case BookSnapshot():
            on_snapshot(books, market, message, now)
        case MarkPrice():
            on_mark(books, market, message, now)
        case Bar():
            on_bar(books, market, message, now)
        case Funding():
            on_funding(books, market, message, now)


def on_trade(books: Books, market: Market, trade: Trade, now: int) -> None:
    if not (0.0 < trade.price < PRICE_MAX and 0.0 < trade.qty < PRICE_MAX):
        return
    display = market.display
    display.last, display.last_ts = trade.price, trade.ts
    display.has_tape = True
    if trade.ts > display.mark_until:
        display.forget_mark()
    if market.buys or market.sells:
        qty = market.instrument.round_qty(to_decimal(trade.qty))
        making.on_print(books, market, to_decimal(trade.price), qty, now)
    consequences.on_price(books, market, now)


def on_quote(books: Books, market: Market, quote: Quote, now: int) -> None:
    display = market.display
    display.forget_old_touch()
    if not (
        0.0 <= quote.bid < PRICE_MAX
        and 0.0 <= quote.ask < PRICE_MAX
        and 0.0 <= quote.bid_qty < PRICE_MAX
        and 0.0 <= quote.ask_qty < PRICE_MAX
    ):
        return
    if display.book is not None:
        display.aside = quote
        return
    display.show(quote)
    _on_touch(books, market, quote.ts, now)


def on_snapshot(books: Books, market: Market, snapshot: BookSnapshot, now: int) -> None:
    """Take a whole book in; an empty one tells that the feed has lost it."""
    if not (snapshot.bids or snapshot.asks):
        market.recent_deltas.clear()  # the venue may count anew
        _lose_book(books, market, now)
        return
    book, display = Book(snapshot), market.display
    # A snapshot is asked for and comes late: the deltas since it may have been heard already.
    recent = market.recent_deltas if snapshot.last_update_id else ()
    if not all(book.apply(delta) for delta in recent):
        _lose_book(books, market, now)
        return
    if display.book is None:
        display.quote = display.aside = None  # while there is a book they would grow old
    display.book, display.book_ts = book, snapshot.ts
    display.show_top()
    _on_touch(books, market, snapshot.ts, now)


def on_delta(books: Books, market: Market, delta: BookDelta, now: int) -> None:
    display = market.display
    market.recent_deltas.append(delta)
    if display.book is None:
        return
    if not display.book.apply(delta):
        _lose_book(books, market, now)  # a gap
        return
    display.book_ts = delta.ts
    display.show_top()
    _on_touch(books, market, delta.ts, now)


def _lose_book(books: Books, market: Market, now: int) -> None:
    """Go by quotes and the tape until the next snapshot."""
    display = market.display
    if display.book is None:
        return
    display.lose_book()
    if display.quote is not None:
        _on_touch(books, market, display.quote.ts, now)


def _on_touch(books: Books, market: Market, ts: int, now: int) -> None:
    market.touched_ts = ts
    if market.display.has_tape and market.display.is_left_to_touch(ts):
        market.display.has_tape = False  # until the next trade
        market.disturb()
    if ts > market.display.mark_until and not market.display.has_tape:
        market.display.forget_mark()
        market.disturb()
    market.display.remember_middle()
    if market.buys or market.sells:
        making.on_touch(books, market, now)
    is_price = not market.display.has_tape and bool(market.waiting or market.holders)
    is_inside = market.low < market.display.contract_float() < market.high
    if books.moved or (is_price and not is_inside):
        consequences.on_price(books, market, now)
    elif is_price and not market.display.has_mark:
        consequences.on_balance(books, market, now)


def on_mark(books: Books, market: Market, message: MarkPrice, now: int) -> None:
    mark, display = message.mark_price, market.display
    if not 0.0 < mark < PRICE_MAX:
        return
    if funding.is_due(books, market, message.ts):  # the venue's clock is ahead of ours
        funding.pay(books, market, market.rate, market.next_funding_ts, now)
    if display.hear_mark(mark, message.ts):
        market.disturb()
    funding.announce(books, market, message)
    if market.next_funding_ts < books.alarm and funding.is_unpaid(books, market):
        books.alarm = market.next_funding_ts
    if not market.mark_low < mark < market.mark_high:
        consequences.on_price(books, market, now)
    elif market.holders:
        consequences.on_balance(books, market, now)


def on_funding(books: Books, market: Market, message: Funding, now: int) -> None:
    if not funding.is_possible(message.rate):
        return
    funding.pay(books, market, message.rate, message.ts, now)
    consequences.on_balance(books, market, now)


def on_bar(books: Books, market: Market, bar: Bar, now: int) -> None:
    if not 0.0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        return
    is_possible = bar.high < PRICE_MAX and 0.0 <= bar.volume < PRICE_MAX
    if not is_possible or not bars.counts(market, bar):
        return
    market.display.forget_touch()  # it is from before the bar
    is_concerned = market.buys or market.sells or market.waiting or market.holders
    if is_concerned and not quiet.stays(books, market, bar, now):
        bars.walk(books, market, bar, now)
    else:
        market.display.last = bar.close
