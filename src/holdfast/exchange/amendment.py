"""Amending a resting limit order: both quantity and price are named, the quantity is the total."""

from __future__ import annotations

from decimal import Decimal

from ..model.messages import ExecType
from ..model.values import OrderStatus, OrderType, TimeInForce, plain
from . import admission, filters, matching
from . import refusals as no
from .books import Books
from .orders import VenueOrder
from .refusals import Refusal

MAX_AMENDMENTS = 10_000


def refusal_of(
    books: Books, order: VenueOrder | None, qty: Decimal, price: Decimal
) -> Refusal | None:
    """Return why the order stays as it is; None when it may be amended."""
    if order is None or order.is_waiting:
        return Refusal(no.NO_SUCH_ORDER, "there is no such open order")
    instrument = books.markets[order.symbol].instrument
    if not instrument.is_trading:
        return Refusal(no.AMEND_NOT_TRADING, f"{order.symbol} is {instrument.status}")
    if order.order_type is not OrderType.LIMIT:
        return Refusal(no.AMEND_LIMIT_ONLY, f"a {order.order_type.value} order can't be amended")
    if order.amendments >= MAX_AMENDMENTS:
        return Refusal(no.TOO_MANY_AMENDMENTS, f"it was amended {order.amendments} times")
    if (qty, price) == (order.qty, order.price):
        return Refusal(no.NOTHING_TO_AMEND, "quantity and price are what they were")
    return _filters(books, order, qty, price) or _admission(books, order, qty, price)


def _filters(books: Books, order: VenueOrder, qty: Decimal, price: Decimal) -> Refusal | None:
    market = books.markets[order.symbol]
    instrument, mark = market.instrument, market.display.mark_price()
    refusal = (
        filters.qty_refusal(qty, instrument, is_market=False)
        or filters.price_refusal(price, instrument)
        or filters.band_refusal(order.side, price, instrument, mark)
    )
    if refusal is not None or order.asked.reduce_only:
        return refusal
    return filters.notional_refusal(qty * price, instrument, no.AMEND_MIN_NOTIONAL)


def _admission(books: Books, order: VenueOrder, qty: Decimal, price: Decimal) -> Refusal | None:
    """Judge what stays as if it were a new order, in place of the old one."""
    if qty <= order.cum_qty:
        return None
    if order.asked.reduce_only:
        return admission.closing_refusal(books, order, qty - order.cum_qty)
    market, account = books.markets[order.symbol], books.account(order.account)
    line = market.side(order.side)
    others = [each for each in line if each is not order]
    before, line[:] = tuple(line), others
    try:
        wish = admission.Wish(
            account, market, order.side, qty - order.cum_qty, price, order.position_side
        )
        return admission.exposure_refusal(books, wish)
    finally:
        line[:] = before


def amend(books: Books, order: VenueOrder, qty: Decimal, price: Decimal, now: int) -> None:
    """Give an order its new quantity and price; it lines up anew, and takes where it crosses.

    What has executed already covers the new quantity, or a post-only order would take: then the
    order is cancelled instead, as Binance does.
    """
    market = books.markets[order.symbol]
    would_take = order.asked.time_in_force is TimeInForce.GTX and matching.crosses(
        market, order.side, price
    )
    if qty <= order.cum_qty or would_take:
        order.reason = (
            f"amended to {plain(qty)}, of which {plain(order.cum_qty)} is executed"
            if qty <= order.cum_qty
            else f"post-only and amended across the book to {plain(price)}"
        )
        books.end(order, OrderStatus.CANCELED, now)
        return
    market.remove(order)
    order.qty, order.price = qty, price
    order.amendments += 1
    books.say_of(order, ExecType.REPLACED, now)
    matching.take(books, order, now)
    if order.is_open:
        matching.stand(books, order)
        books.moved[order.account, order.symbol] = None
