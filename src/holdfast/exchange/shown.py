"""One side of the book as the public sees it: what is displayed, and what rests here."""

from __future__ import annotations

from ..model.values import Side
from . import matching
from .market import Market


def shown(market: Market, taker: Side) -> dict[float, float]:
    """Return quantity by price of what a taker may have, in no order.

    A quantity without bound, behind which nothing lies, counts as the largest market order.
    """
    book = market.display.book
    if book is None:
        return _few(market, taker)
    levels = dict((book.asks if taker is Side.BUY else book.bids).levels())
    for order in market.side(taker.opposite):
        assert order.price is not None
        price = float(order.price)
        levels[price] = levels.get(price, 0.0) + float(order.leaves_qty)
    return levels


def _few(market: Market, taker: Side) -> dict[float, float]:
    levels: dict[float, float] = {}
    for offer in matching.offers(market, taker, None):
        price = float(offer.price)
        qty = offer.order.leaves_qty if offer.order else offer.level and offer.level.qty
        if qty is None:
            levels[price] = float(market.instrument.max_market_qty)
            break
        if qty > 0:
            levels[price] = levels.get(price, 0.0) + float(qty)
    return levels
