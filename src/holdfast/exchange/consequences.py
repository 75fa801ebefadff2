"""What a fill or a new price sets off: reduce-only orders are trimmed, conditional orders fire."""

from __future__ import annotations

from ..model.messages import ExecType
from ..model.values import ZERO, AccountId, OrderStatus, OrderType, Side, Symbol
from . import admission, conditional, filters, liquidation, matching, settlement
from .books import Books
from .market import Market
from .orders import Expiry, PositionSide, VenueOrder
from .refusals import Refusal


def on_price(books: Books, market: Market, now: int) -> None:
    """Let a new price do all that it does."""
    settle(books, market, now)
    on_balance(books, market, now)


def on_balance(books: Books, market: Market, now: int) -> None:
    """Liquidate whoever holds a position here and no longer covers its maintenance margin."""
    if market.holders:
        liquidation.watch(books, market, now)
        _trim_all(books, now)


def settle(books: Books, market: Market, now: int) -> None:
    """Let everything that is due happen, then work out when to look again.

    Each round fires one conditional order and none fires twice, so that this ends.
    """
    _observe(books, market)
    has_moved = False
    while True:
        has_moved = has_moved or bool(books.moved)
        _trim_all(books, now)
        order = _next_triggered(market)
        if order is None:
            break
        fire(books, market, order, now)
        _observe(books, market)
    market.calm()
    if has_moved or any(order.is_protected for order in market.waiting):
        # Who holds a position now may be bankrupt; what holds an order back may end with any price.
        market.disturb()


def _observe(books: Books, market: Market) -> None:
    """Let trailing stops see the price."""
    if not market.waiting:
        return
    prices = conditional.prices(market.display)
    for order in market.waiting:
        price = conditional.watched(prices, order)
        if price is not None and conditional.observe(order, price):
            books.mark_order(order)


def _next_triggered(market: Market) -> VenueOrder | None:
    if not market.waiting:
        return None
    prices = conditional.prices(market.display)
    for order in market.waiting:
        price = conditional.watched(prices, order)
        is_hit = price is not None and conditional.is_hit(order, price)
        if is_hit and not conditional.is_held_back(prices, order):
            return order
    return None


def fire(books: Books, market: Market, order: VenueOrder, now: int) -> None:
    """Turn a conditional order into the ordinary order that it asked to become."""
    market.remove(order)
    order.order_id = books.next_id("order_id")
    order.order_type = conditional.becomes(order.asked.order_type)
    order.triggered_ts = now
    books.by_id[order.order_id] = order
    order.status = OrderStatus.TRIGGERED
    books.say_of(order, ExecType.TRIGGERED, now)
    refusal = _refusal(books, market, order)
    if refusal is not None:
        order.code, order.reason = refusal
        books.end(order, OrderStatus.EXPIRED, now, expiry=Expiry.TRIGGER_REFUSED)
        return
    order.status = OrderStatus.NEW
    matching.execute(books, order, now)
    if order.is_open:
        books.moved[order.account, order.symbol] = None  # may crowd out another


def _refusal(books: Books, market: Market, order: VenueOrder) -> Refusal | None:
    refusal = settlement.refusal_of(order.asked, order.position_side, market)
    if refusal is not None:
        return refusal
    if order.order_type is OrderType.LIMIT:
        assert order.price is not None
        mark = market.display.mark_price()
        refusal = filters.band_refusal(order.side, order.price, market.instrument, mark)
        if refusal is not None:
            return refusal
    return admission.refusal_of(books, order)


def _trim_all(books: Books, now: int) -> None:
    while books.moved:
        account, symbol = next(iter(books.moved))
        del books.moved[account, symbol]
        trim(books, account, symbol, now)
        asset = books.markets[symbol].instrument.margin_asset
        liquidation.cover(books, books.accounts[account], asset, now)


def trim(books: Books, account: AccountId, symbol: Symbol, now: int) -> None:
    """End resting reduce-only orders that have nothing left to reduce.

    The better price comes first in line for the position; an order that is only partly covered
    stays, fills no more than the position, and ends with it.
    """
    market = books.markets[symbol]
    opened = books.accounts[account]
    for side in (Side.BUY, Side.SELL):
        left = {each: max(ZERO, -opened.qty(symbol, each) * side.sign) for each in PositionSide}
        for order in tuple(market.side(side)):
            if order.account != account or not order.asked.reduce_only:
                continue
            if left[order.position_side] <= ZERO:
                books.end(order, OrderStatus.EXPIRED, now, expiry=Expiry.REDUCE_ONLY)
            left[order.position_side] -= order.leaves_qty
