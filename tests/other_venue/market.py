"""The frames of the market streams, for the streams that a socket asked for."""

from __future__ import annotations

from .contracts import LIFE
from .rows import text
from .writing import write

MARKS_EVERY = 10
"""Mark prices come once a second or so, quotes and trades at every beat."""


NO_INDEX = frozenset({LIFE})
"""Contracts on what nobody else trades have no index; it is told as zero."""


def market_frames(venue, names, turn):
    """Yield what a socket is shown at one beat."""
    for name in sorted(names):
        symbol, _, kind = name.partition("@")
        price = venue.books.prices.get(symbol.upper())
        if price is None:
            continue
        if kind.startswith("depth"):
            event = None if venue.is_book_lost else venue.changes.get(symbol.upper())
        else:
            event = event_of(kind, symbol.upper(), price, venue.now(), turn)
        if kind == "bookTicker" and venue.books.depths:
            event |= quote_of(venue.books.depths[symbol.upper()])
        if event is not None:
            yield write({"stream": name, "data": event}, venue.habits)
    if "foreign_frames" in venue.habits:
        yield '{"stream":"!x@arr","data":[{"e":"tradingSession","E":1},{"e":"24hrTicker"}]}'
        yield '{"stream":"doge@aggTrade","data":{"e":"newEvent","E":1,"s":"BTCUSDT","p":"0"}}'


def quote_of(depth):
    bid, ask = depth.sides[-1][0], depth.sides[1][0]
    return {"b": text(bid[0]), "B": text(bid[1]), "a": text(ask[0]), "A": text(ask[1])}


def event_of(kind, symbol, price, now, turn):
    at = {"E": now, "T": now, "s": symbol}
    if kind == "bookTicker":
        sides = {"b": text(price), "B": "5.1", "a": text(price), "A": "4.2"}
        return {"e": "bookTicker", "u": now, **at, "ps": symbol, **sides, "st": 1}
    if kind == "aggTrade":
        rest = {"p": text(price), "q": "0.010", "nq": "0.010", "f": turn, "l": turn}
        return {"e": "aggTrade", **at, "a": turn + 1, **rest, "m": turn % 2 == 0, "st": 1}
    if kind.startswith("markPrice") and turn % MARKS_EVERY == 0:
        index = "0.00000000" if symbol in NO_INDEX else text(price)
        rest = {"p": text(price), "ap": text(price), "i": index, "P": index}
        return {"e": "markPriceUpdate", **at, **rest, "r": "0.00010000", "T": now + 3_600_000}
    return None
