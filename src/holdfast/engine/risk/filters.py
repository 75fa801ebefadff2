"""Refuse what the venue's filters would refuse: lots, ticks, sizes, the band around the mark."""

from __future__ import annotations

from decimal import Decimal

from ...model.instrument import Instrument
from ...model.values import ENTRY, ZERO, NewOrder, OrderType, Side, Verdict, plain
from ..endings import shut
from .base import Case, RiskContext, passed, refused

NAME = "filters"

_PASSED = passed(NAME)
_NONE = (None, None, None)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Hold the order against its contract."""
    case = ctx.case(order)
    instrument = case.instrument
    if instrument is None:
        return refused(NAME, f"{order.symbol} is not listed on account {order.account}")
    if why := shut(instrument, ctx.now, ctx.settings.end_notice_ns):
        return refused(NAME, why)
    named = (order.price, order.trigger_price, order.activation_price)
    return (
        _check_qty(order, instrument, ctx)
        or (named != _NONE and _check_prices(named, instrument))
        or _check_notional(case, instrument, ctx)
        or (order.price is not None and _check_band(order, instrument, ctx))
        or _PASSED
    )


def _check_qty(order: NewOrder, instrument: Instrument, ctx: RiskContext) -> Verdict | None:
    """Hold a quantity against the lot filters; a stop or a target of it goes at the market."""
    qty, lot = ctx.whole_qty(order), instrument.lot
    if qty % lot:
        return _refuse("quantity", qty, "must be a multiple of", lot)
    if qty < instrument.min_qty:
        return _refuse("quantity", qty, "must be at least", instrument.min_qty)
    is_market = not order.order_type.has_limit_price or ctx.protective(order) > 0
    most = instrument.max_market_qty if is_market else instrument.max_qty
    if qty > most:
        return _refuse("quantity", qty, "must be at most", most)
    together = _guarded_qty(order, ctx)
    what = "quantity, with its other parts,"
    return _refuse(what, together, "must be at most", most) if together > most else None


def _guarded_qty(order: NewOrder, ctx: RiskContext) -> Decimal:
    """Return what one stop has to cover once an order has filled, with the other parts that were
    sent of the same wish; 0 where it has neither a stop nor a target.
    """
    parent = ctx.state.parents.get(order.parent_id)
    if parent is None or not parent.legs:
        return ZERO
    entries = (each for each in ctx.state.children(parent) if each.role is ENTRY)
    others = (each.leaves_qty for each in entries if each.cl_ord_id != order.cl_ord_id)
    return parent.open_qty + order.qty + sum(others, ZERO)


def _check_prices(named: tuple[Decimal | None, ...], instrument: Instrument) -> Verdict | None:
    for price in named:
        if price is None:
            continue
        if not instrument.is_on_tick(price):
            return _refuse("price", price, "must be a multiple of", instrument.tick)
        if outside := instrument.outside(price):
            is_low = price < instrument.min_price
            bound = instrument.min_price if is_low else instrument.max_price
            return refused(NAME, f"price {plain(price)} {outside}", price, bound)
    return None


def _check_notional(case: Case, instrument: Instrument, ctx: RiskContext) -> Verdict | None:
    order, least = case.order, instrument.min_notional
    if case.price is None:
        return refused(NAME, f"no price of {order.symbol} yet to value it at", limit=least)
    notional = ctx.whole_qty(order) * case.price
    return _refuse("notional", notional, "must be at least", least) if notional < least else None


def _check_band(order: NewOrder, instrument: Instrument, ctx: RiskContext) -> Verdict | None:
    """Binance's PERCENT_PRICE: a buy has a ceiling, a sell has a floor.

    An order that waits for a trigger meets the market there, so it is held against that price.
    """
    is_resting = order.order_type is OrderType.LIMIT
    mark = ctx.market.mark(order.symbol) if is_resting else order.trigger_price
    if order.price is None or mark is None:
        return None
    if order.side is Side.BUY:
        ceiling = mark * instrument.price_up
        too_high = order.price > ceiling
        return _refuse("price", order.price, "must be at most", ceiling) if too_high else None
    floor = mark * instrument.price_down
    return _refuse("price", order.price, "must be at least", floor) if order.price < floor else None


def _refuse(what: str, value: Decimal, must: str, limit: Decimal) -> Verdict:
    return refused(NAME, f"{what} {plain(value)} {must} {plain(limit)}", value, limit)
