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


def touch(market: Market, taker: Side) -> tuple[float, float] | None:
    """Return price and quantity of the best that a taker may have, quickly.

    None where it takes a closer look: nothing is displayed, or less than a lot.
    """
    display, lot = market.display, float(market.instrument.lot)
    display.forget_old_touch()
    if display.book is not None:
        ladder = display.book.asks if taker is Side.BUY else display.book.bids
        price = ladder.best()
        qty = ladder.qty_at(price) or 0.0
    elif display.quote is None:
        return None
    elif taker is Side.BUY:
        price, qty = display.ask, display.ask_left
    else:
        price, qty = display.bid, display.bid_left
    if not (price > 0.0 and qty >= lot):
        return None
    for order in market.sells if taker is Side.BUY else market.buys:
        assert order.price is not None
        resting = float(order.price)
        if resting != price:
            if (resting > price) is (taker is Side.BUY):
                break
            price, qty = resting, 0.0
        qty += float(order.leaves_qty)
    return price, qty
