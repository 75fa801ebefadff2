"""What a taking order gets, from what is displayed and from what rests here, best price first."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from ..model.messages import ExecType
from ..model.values import ZERO, AccountId, OrderStatus, OrderType, Side, TimeInForce
from .books import Books, Fill
from .liquidity import Level
from .market import Market
from .orders import ORDINARY, Expiry, Fate, PositionSide, SelfTrade, VenueOrder


class Offer(NamedTuple):
    """Something a taker can have: a displayed level, or an order that rests here."""

    rank: tuple[Decimal, int, int]
    price: Decimal
    level: Level | None
    order: VenueOrder | None


def offers(market: Market, taker: Side, worst: Decimal | None) -> Iterator[Offer]:
    """Yield what a taker may have at `worst` or better, best first; None takes any price."""
    for offer in heapq.merge(_displayed(market, taker), _resting(market, taker)):
        if worst is not None and (offer.price - worst) * taker.sign > ZERO:
            return
        yield offer


def _displayed(market: Market, taker: Side) -> Iterator[Offer]:
    for number, level in enumerate(market.display.levels(taker)):
        yield Offer((taker.sign * level.price, 0, number), level.price, level, None)


def _resting(market: Market, taker: Side) -> Iterator[Offer]:
    for number, order in enumerate(tuple(market.side(taker.opposite))):
        assert order.price is not None
        yield Offer((taker.sign * order.price, 1, number), order.price, None, order)


def best_offer(market: Market, taker: Side) -> Decimal | None:
    """Return the price that a taker would get first; None on an empty side."""
    shown = next((l.price for l in market.display.levels(taker) if l.qty != ZERO), None)
    line = market.side(taker.opposite)
    resting = line[0].price if line else None
    if shown is None or resting is None:
        return resting if shown is None else shown
    return min(shown, resting) if taker is Side.BUY else max(shown, resting)


def crosses(market: Market, side: Side, price: Decimal) -> bool:
    """Tell whether an order at this price would take."""
    best = best_offer(market, side)
    return best is not None and (best - price) * side.sign <= ZERO


def obtainable(books: Books, order: VenueOrder, worst: Decimal | None) -> Decimal:
    """Return how much of an order would fill at once.

    The account's own orders do not count; where the order gives way to them, it ends there.
    """
    total = ZERO
    reduced: dict[tuple[AccountId, PositionSide], Decimal] = {}  # by what was counted already
    for offer in offers(books.markets[order.symbol], order.side, worst):
        if offer.order is None:
            assert offer.level is not None
            if offer.level.qty is None:
                return order.leaves_qty
            total += offer.level.qty
        elif offer.order.account != order.account:
            maker = offer.order.account, offer.order.position_side
            qty = room(books, offer.order, reduced.get(maker, ZERO))
            reduced[maker] = reduced.get(maker, ZERO) + qty
            total += qty
        elif order.self_trade is not SelfTrade.EXPIRE_MAKER:
            break
        if total >= order.leaves_qty:
            return order.leaves_qty
    return total


def room(books: Books, order: VenueOrder, reduced: Decimal = ZERO) -> Decimal:
    """Return how much of an order may still fill: a reduce-only order ends with its position.

    Args:
        reduced: what other orders are about to take of the position before it.
    """
    if not order.asked.reduce_only:
        return order.leaves_qty
    account = books.accounts[order.account]
    held = -account.qty(order.symbol, order.position_side) * order.side.sign
    return min(order.leaves_qty, max(ZERO, held - reduced))


def worst_price(market: Market, order: VenueOrder) -> Decimal | None:
    """Return how far an order may walk: its limit, or the bound of market orders at the mark."""
    if order.order_type is OrderType.LIMIT:
        return order.price
    mark = market.display.mark_price()
    if mark is None:
        return None
    return mark * (1 + order.side.sign * market.instrument.market_take_bound)


def take(books: Books, order: VenueOrder, now: int, shown_max: Decimal | None = None) -> None:
    """Fill an order from what there is, within its limit.

    Args:
        shown_max: the most that it gets from what the market displays; None is no bound.
    """
    market = books.markets[order.symbol]
    bound = None if shown_max is None else order.cum_qty + shown_max
    for offer in offers(market, order.side, worst_price(market, order)):
        wanted = room(books, order)
        if not order.is_open or not wanted > ZERO:
            return
        if offer.order is None:
            assert offer.level is not None
            if bound is not None:
                wanted = min(wanted, bound - order.cum_qty)
            _take_level(books, order, offer.level, wanted, now)
        elif offer.order.account == order.account:
            _part(books, order, offer.order, now)
        else:
            _take_order(books, order, offer.order, wanted, now)


def _take_level(books: Books, order: VenueOrder, level: Level, wanted: Decimal, now: int) -> None:
    qty = wanted if level.qty is None else min(wanted, level.qty)
    if not qty > ZERO:
        return
    books.markets[order.symbol].display.take(order.side, level, qty)
    trade_id = books.next_id("trade_id")
    books.fill(order, Fill(qty, level.price, now, trade_id))


def _take_order(
    books: Books, order: VenueOrder, maker: VenueOrder, wanted: Decimal, now: int
) -> None:
    qty = min(wanted, room(books, maker))
    if not qty > ZERO:
        return
    assert maker.price is not None
    trade_id = books.next_id("trade_id")
    display = books.markets[order.symbol].display
    if display.has_tape:
        display.last = float(maker.price)
    books.fill(maker, Fill(qty, maker.price, now, trade_id, is_maker=True))
    books.fill(order, Fill(qty, maker.price, now, trade_id))


def _part(books: Books, taker: VenueOrder, maker: VenueOrder, now: int) -> None:
    if taker.self_trade is not SelfTrade.EXPIRE_TAKER:
        books.end(maker, OrderStatus.EXPIRED, now, expiry=Expiry.SELF_TRADE)
    if taker.self_trade is not SelfTrade.EXPIRE_MAKER:
        books.end(taker, OrderStatus.EXPIRED, now, expiry=Expiry.SELF_TRADE)


def execute(books: Books, order: VenueOrder, now: int, fate: Fate = ORDINARY) -> None:
    """Tell that an order is in the book, let it take, and rest or end what is left."""
    books.say_of(order, ExecType.NEW, now)
    if fate.meets_itself:
        books.end(order, OrderStatus.EXPIRED, now, expiry=Expiry.SELF_TRADE)
        return
    shown_max = None
    if fate.taken_part is not None and order.asked.time_in_force is not TimeInForce.FOK:
        shown_max = part_of(books, order, fate.taken_part)
    take(books, order, now, shown_max)
    if not order.is_open:
        return
    if order.rests:
        stand(books, order)
    else:
        is_market = order.order_type is OrderType.MARKET
        why = Expiry.MARKET_REMAINDER if is_market else Expiry.UNFILLED
        books.end(order, OrderStatus.EXPIRED, now, expiry=why)


def part_of(books: Books, order: VenueOrder, part: Decimal) -> Decimal:
    """Return a part of what is left of an order: at least a lot, at most all of it."""
    instrument = books.markets[order.symbol].instrument
    qty = instrument.round_qty(order.leaves_qty * part)
    return min(order.leaves_qty, max(instrument.lot, qty))


def stand(books: Books, order: VenueOrder) -> None:
    """Put an order in line behind what is displayed at its price."""
    market = books.markets[order.symbol]
    assert order.price is not None
    displayed = market.display.displayed_at(order.side, order.price)
    order.queue_ahead = books.model.unknown_queue if displayed is None else displayed
    order.seq = books.next_id("seq")
    books.mark_order(order)
    market.rest(order)
