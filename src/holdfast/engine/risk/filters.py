"""Refuse what the venue's filters would refuse: lots, ticks, sizes, the band around the mark."""

from __future__ import annotations

from decimal import Decimal

from ...model.instrument import Instrument
from ...model.values import NewOrder, OrderType, Side, Verdict, plain
from .base import RiskContext, passed, refused

NAME = "filters"

_PASSED = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Hold the order against its contract."""
    instrument = ctx.instrument(order)
    if instrument is None:
        return refused(NAME, f"{order.symbol} is not listed on account {order.account}")
    return (
        _check_qty(order, instrument, ctx)
        or _check_ticks(order, instrument)
        or _check_notional(order, instrument, ctx)
        or _check_band(order, instrument, ctx)
        or _PASSED
    )


def _check_qty(order: NewOrder, instrument: Instrument, ctx: RiskContext) -> Verdict | None:
    """Hold a quantity against the lot filters; a stop or a target of it goes at the market."""
    qty, lot = order.qty, instrument.lot
    if not instrument.is_on_lot(qty):
        return _refuse("quantity", qty, "must be a multiple of", lot)
    if qty < instrument.min_qty:
        return _refuse("quantity", qty, "must be at least", instrument.min_qty)
    is_market = not order.order_type.has_limit_price or ctx.protective(order) > 0
    most = instrument.max_market_qty if is_market else instrument.max_qty
    return _refuse("quantity", qty, "must be at most", most) if qty > most else None


def _check_ticks(order: NewOrder, instrument: Instrument) -> Verdict | None:
    for price in (order.price, order.trigger_price, order.activation_price):
        if price is not None and not instrument.is_on_tick(price):
            return _refuse("price", price, "must be a multiple of", instrument.tick)
    return None


def _check_notional(order: NewOrder, instrument: Instrument, ctx: RiskContext) -> Verdict | None:
    price, least = ctx.price(order), instrument.min_notional
    if price is None:
        return refused(NAME, f"no price of {order.symbol} yet to value it at", limit=least)
    notional = order.qty * price
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
