"""Whether an account may place an order: reduce-only, caps, margin, and what its kind demands."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ..model.margin import max_notional_at
from ..model.values import ZERO, NewOrder, OrderType, Side, TimeInForce, plain
from . import conditional, matching
from . import refusals as no
from .books import Books
from .ledger import Account, SymbolMargin, symbol_margin, tied_up
from .market import Market
from .orders import PositionSide, VenueOrder
from .pools import pool_margin
from .refusals import Refusal

MAX_OPEN_ORDERS = 200
"""Resting orders of one account in one symbol."""

MAX_CONDITIONAL_ORDERS = 200
"""Untriggered conditional orders of one account over all symbols."""


class Wish(NamedTuple):
    """What an order would add to the account's risk."""

    account: Account
    market: Market
    side: Side
    qty: Decimal
    price: Decimal
    position_side: PositionSide = PositionSide.BOTH


def slot_refusal(books: Books, order: NewOrder) -> Refusal | None:
    """Check that the id is free and that there is room for one more order."""
    account = books.account(order.account)
    if order.cl_ord_id in account.orders:
        return Refusal(
            no.DUPLICATE_CLIENT_ID, f"client order id {order.cl_ord_id} is on an open order"
        )
    if order.order_type.is_conditional:
        count = sum(1 for each in account.orders.values() if each.is_waiting)
        if count >= MAX_CONDITIONAL_ORDERS:
            return Refusal(no.TOO_MANY_CONDITIONAL, f"{count} conditional orders are open")
        return None
    count = sum(
        1 for each in account.orders.values() if each.symbol == order.symbol and not each.is_waiting
    )
    if count >= MAX_OPEN_ORDERS:
        return Refusal(no.TOO_MANY_ORDERS, f"{count} orders are open in {order.symbol}")
    return None


def refusal_of(books: Books, order: VenueOrder) -> Refusal | None:
    """Return why an order may not enter the book now; None when it may."""
    market, account = books.markets[order.symbol], books.account(order.account)
    price = _reference(market, order)
    if price is None:
        return Refusal(no.UNABLE_TO_FILL, f"no price of {order.symbol} is known yet")
    refusal = _reduce_only(books, order) or _executable(books, order)
    if refusal is not None or order.asked.reduce_only:
        return refusal
    wish = Wish(account, market, order.side, order.leaves_qty, price, order.position_side)
    return exposure_refusal(books, wish)


def _reference(market: Market, order: VenueOrder) -> Decimal | None:
    if order.order_type is OrderType.LIMIT:
        return order.price
    best = matching.best_offer(market, order.side)
    return best if best is not None else market.display.mark_price()


def _reduce_only(books: Books, order: VenueOrder) -> Refusal | None:
    if not order.asked.reduce_only:
        return None
    held = -books.account(order.account).qty(order.symbol, order.position_side) * order.side.sign
    if held <= ZERO:
        return Refusal(no.REDUCE_ONLY, f"there is no position in {order.symbol} to reduce")
    refusal = None if order.algo_id else closing_refusal(books, order, order.qty)
    if refusal is not None:
        return refusal
    if order.rests and held <= _reduced_before(books, order):
        return Refusal(
            no.REDUCE_ONLY, f"open reduce-only orders already reduce all of {plain(held)}"
        )
    return None


def closing_refusal(books: Books, order: VenueOrder, qty: Decimal) -> Refusal | None:
    """Refuse to close more of one side of a hedge than there is."""
    held = abs(books.account(order.account).qty(order.symbol, order.position_side))
    if order.position_side is PositionSide.BOTH or qty <= held:
        return None
    side = order.position_side.value
    text = f"{plain(qty)} is more than the {side} position of {plain(held)}"
    return Refusal(no.REDUCE_ONLY, text)


def _reduced_before(books: Books, order: VenueOrder) -> Decimal:
    """Return what better reduce-only orders of the account would reduce."""
    ahead = books.markets[order.symbol].side(order.side)
    assert order.price is not None
    own = (
        each
        for each in ahead
        if each.account == order.account
        and each.asked.reduce_only
        and each.position_side is order.position_side
    )
    rank = -order.price if order.side is Side.BUY else order.price
    return sum((each.leaves_qty for each in own if each.priority()[0] <= rank), ZERO)


def _executable(books: Books, order: VenueOrder) -> Refusal | None:
    """Check what post-only, fill-or-kill and market orders ask of the other side."""
    market = books.markets[order.symbol]
    worst = matching.worst_price(market, order)
    if order.order_type is OrderType.MARKET:
        best = matching.best_offer(market, order.side)
        if best is None:
            return Refusal(no.UNABLE_TO_FILL, f"nothing is offered in {order.symbol}")
        if worst is not None and (best - worst) * order.side.sign > ZERO:
            return Refusal(
                no.BEYOND_BOUND, f"the best price {plain(best)} is past the bound {plain(worst)}"
            )
        return None
    assert order.price is not None
    tif = order.asked.time_in_force
    if tif is TimeInForce.GTX and matching.crosses(market, order.side, order.price):
        return Refusal(no.POST_ONLY_CROSSES, f"at {plain(order.price)} the order would take")
    if tif is TimeInForce.FOK and matching.obtainable(books, order, worst) < order.leaves_qty:
        return Refusal(no.FOK_UNFILLED, f"{plain(order.qty)} can't be had at once")
    return None


def would_trigger(order: VenueOrder, market: Market) -> Refusal | None:
    """Refuse a conditional order that the present price would trigger at once."""
    price = conditional.watched(conditional.prices(market.display), order)
    if price is None:
        return None
    start = order.asked.activation_price
    if start is None:
        is_hit = conditional.is_hit(order, price)
    else:
        is_hit = price >= start if conditional.waits_for_fall(order) else price <= start
    if not is_hit:
        return None
    return Refusal(no.WOULD_TRIGGER, f"at {plain(price)} the order would trigger at once")


def exposure_refusal(books: Books, wish: Wish) -> Refusal | None:
    """Check the position that the leverage allows, and the margin that the account has."""
    row = symbol_margin(wish.account, wish.market, books.default_leverage, wish.position_side)
    return _position_refusal(wish, row) or _margin_refusal(books, wish, row)


def _position_refusal(wish: Wish, row: SymbolMargin) -> Refusal | None:
    """Check that the position, were everything on the side to fill, suits the leverage."""
    most = max_notional_at(wish.market.instrument.brackets, row.leverage)
    if most is None:
        return None
    resting = row.bid_notional if wish.side is Side.BUY else row.ask_notional
    reach = row.notional * wish.side.sign + resting + wish.qty * wish.price
    if reach <= most:
        return None
    return Refusal(
        no.MAX_POSITION,
        f"notional {plain(reach)} is above {plain(most)}, the most at {row.leverage}x",
    )


def _margin_refusal(books: Books, wish: Wish, row: SymbolMargin) -> Refusal | None:
    """Check that the account can tie up what the order adds, and bear what it loses at once."""
    side, added = wish.side, wish.qty * wish.price
    bids = row.bid_notional + (added if side is Side.BUY else ZERO)
    asks = row.ask_notional + (added if side is Side.SELL else ZERO)
    before = row.position_margin + row.order_margin
    more = tied_up(row.notional, bids, asks, row.leverage) - before
    if more <= ZERO:
        return None  # it reduces: that is always possible
    mark = wish.market.display.mark_price() or wish.price
    needed = more + max(ZERO, wish.qty * (wish.price - mark) * side.sign)
    asset = wish.market.instrument.margin_asset
    total = pool_margin(books, wish.account, asset)
    if needed <= total.headroom:
        return None
    return Refusal(
        no.MARGIN, f"margin {plain(needed)} {asset} is above {plain(total.available)} available"
    )
