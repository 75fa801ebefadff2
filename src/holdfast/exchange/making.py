"""When resting orders fill: a trade at or through their price, or an opposite touch across it."""

from __future__ import annotations

from decimal import Decimal

from ..model.values import ZERO, Side
from . import matching
from .books import Books, Fill
from .liquidity import Level
from .market import Market
from .orders import VenueOrder


def on_print(
    books: Books, market: Market, price: Decimal, budget: Decimal | None, now: int
) -> Decimal | None:
    """Let resting orders take part in a trade.

    Args:
        budget: the trade's quantity; None where it is not known and bounds nothing.

    Returns:
        What of the budget is left; what traded before the orders' turn came is not.
    """
    before_us = ZERO
    for orders in (market.buys, market.sells):
        for order in tuple(orders):
            assert order.price is not None
            through = (order.price - price) * order.side.sign
            if through < ZERO:
                break
            can = budget if through > ZERO else _behind_queue(books, order, budget)
            if through == ZERO and budget is not None and order.queue_ahead is not None:
                before_us = max(before_us, budget - (can or ZERO))
            if not books.model.partial_fills:
                can = None if through > ZERO or can is None or can > ZERO else ZERO
                _fill(books, order, can, now)
                continue
            qty = _fill(books, order, can, now)
            budget = None if budget is None else budget - qty
    return None if budget is None else max(ZERO, budget - before_us)


def _behind_queue(books: Books, order: VenueOrder, budget: Decimal | None) -> Decimal | None:
    """Work off what stands before the order and return what of the trade reaches it."""
    if order.queue_ahead is None:
        return ZERO
    if budget is None:
        return None
    reaches = max(ZERO, budget - order.queue_ahead)
    if order.queue_ahead > ZERO:
        order.queue_ahead = max(ZERO, order.queue_ahead - budget)
        books.mark_order(order)
    return reaches


def _fill(books: Books, order: VenueOrder, can: Decimal | None, now: int) -> Decimal:
    """Fill an order as maker, up to `can`, and return how much it was."""
    wanted = matching.room(books, order)
    qty = wanted if can is None else min(wanted, can)
    if not qty > ZERO:
        return ZERO
    assert order.price is not None
    trade_id = books.next_id("trade_id")
    books.fill(order, Fill(qty, order.price, now, trade_id, is_maker=True))
    return qty


def fill_first(books: Books, order: VenueOrder, part: Decimal, now: int) -> None:
    """Let a part of a resting order fill at its own price, though nothing has met it."""
    _fill(books, order, matching.part_of(books, order, part), now)


def on_touch(books: Books, market: Market, now: int) -> None:
    """Let resting orders fill where the opposite side of the display has come across them."""
    for side in (Side.BUY, Side.SELL):
        for order in tuple(market.side(side)):
            assert order.price is not None
            if not market.display.may_reach(side, order.price):
                break
            if not _cross(books, market, order, now):
                break
        _shorten_queues(books, market, side)


def _cross(books: Books, market: Market, order: VenueOrder, now: int) -> bool:
    """Fill one order from the display; False when the display does not reach its price."""
    assert order.price is not None
    reached = False
    total = ZERO
    wanted = matching.room(books, order)
    for level in market.display.levels(order.side):
        if (level.price - order.price) * order.side.sign > ZERO or level.qty is None:
            break
        reached = True
        if not books.model.partial_fills:
            total = wanted
            break
        qty = min(wanted - total, level.qty)
        _consume(market, order, level, qty)
        total += qty
    _fill(books, order, total, now)
    return reached


def _consume(market: Market, order: VenueOrder, level: Level, qty: Decimal) -> None:
    if qty > ZERO:
        market.display.take(order.side, level, qty)


def _shorten_queues(books: Books, market: Market, side: Side) -> None:
    """What is displayed at a price now bounds what can still stand before an order there."""
    for order in market.side(side):
        assert order.price is not None
        ahead, qty = order.queue_ahead, market.display.qty_at(side, float(order.price))
        if qty is None or (ahead is not None and qty >= float(ahead)):
            continue
        shown = market.display.displayed_at(side, order.price)
        if shown is not None and (ahead is None or shown < ahead):
            order.queue_ahead = shown
            books.mark_order(order)
