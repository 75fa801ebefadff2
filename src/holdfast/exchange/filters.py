"""Whether an order is well-formed and passes the contract's filters; knows no account."""

from __future__ import annotations

import re
from decimal import Decimal

from ..model.instrument import Instrument
from ..model.values import (
    LARGEST_AMOUNT,
    NS_PER_S,
    ZERO,
    NewOrder,
    OrderType,
    Side,
    TimeInForce,
    plain,
)
from . import refusals as no
from .refusals import Refusal

GTD_AHEAD_NS = 600 * NS_PER_S
"""A good-till date must lie further ahead than this."""

GTD_LAST_NS = 253_402_300_799 * NS_PER_S

CALLBACK_MIN, CALLBACK_MAX = Decimal("0.1"), Decimal(20)  # percent

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")


def refusal_of(
    order: NewOrder, instrument: Instrument, mark: Decimal | None, now: int
) -> Refusal | None:
    """Return why an order is not taken as it is written; None when it is."""
    return (
        _shape(order)
        or _client_id(order.cl_ord_id)
        or _amounts(order, instrument)
        or _expiry(order.expire_ts, now)
        or _callback(order.callback_rate)
        or _price_band(order, instrument, mark)
        or _notional(order, instrument, mark)
    )


def _shape(order: NewOrder) -> Refusal | None:
    kind = order.order_type
    wants = {
        "price": (order.price, kind.has_limit_price),
        "trigger_price": (
            order.trigger_price,
            kind.is_conditional and kind is not OrderType.TRAILING_STOP_MARKET,
        ),
        "callback_rate": (order.callback_rate, kind is OrderType.TRAILING_STOP_MARKET),
        "expire_ts": (order.expire_ts, order.time_in_force is TimeInForce.GTD),
    }
    for name, (value, is_wanted) in wants.items():
        if value is None and is_wanted:
            return Refusal(no.MANDATORY_MISSING, f"{name} is missing on a {kind.value} order")
        if value is not None and not is_wanted:
            return Refusal(no.NOT_WANTED, f"{name} has no meaning on a {kind.value} order")
    return None


def _client_id(text: str) -> Refusal | None:
    if _CLIENT_ID.fullmatch(text):
        return None
    return Refusal(
        no.BAD_CLIENT_ID,
        f"client order id must be 1 to 36 of A-Z a-z 0-9 . : / _ -, was {text!r}",
    )


def _amounts(order: NewOrder, instrument: Instrument) -> Refusal | None:
    is_market = not order.order_type.has_limit_price
    return (
        (None if order.close_position else qty_refusal(order.qty, instrument, is_market=is_market))
        or (price_refusal(order.price, instrument) if order.price is not None else None)
        or _positive(order.trigger_price, "trigger price", no.TRIGGER_BELOW_ZERO)
        or _outside(order.trigger_price, instrument, no.TRIGGER_ABOVE_MAX)
        or _positive(order.activation_price, "activation price", no.BAD_ACTIVATION)
    )


def _positive(price: Decimal | None, name: str, code: int) -> Refusal | None:
    if price is None or (price.is_finite() and ZERO < price <= LARGEST_AMOUNT):
        return None
    return Refusal(code, f"{name} must be > 0 and at most {LARGEST_AMOUNT:f}, was {price}")


def _outside(price: Decimal | None, instrument: Instrument, above: int) -> Refusal | None:
    if price is None or not (why := instrument.outside(price)):
        return None
    code = no.PRICE_BELOW_MIN if price < instrument.min_price else above
    return Refusal(code, f"price {plain(price)} {why}")


def qty_refusal(qty: Decimal, instrument: Instrument, *, is_market: bool) -> Refusal | None:
    """Apply the lot filters."""
    if not qty.is_finite() or qty <= ZERO:
        return Refusal(no.QTY_BELOW_ZERO, f"quantity must be > 0, was {qty}")
    most = instrument.max_market_qty if is_market else instrument.max_qty
    if qty > most:
        return Refusal(no.QTY_ABOVE_MAX, f"quantity {plain(qty)} is above {plain(most)}")
    if qty < instrument.min_qty:
        return Refusal(
            no.QTY_BELOW_MIN, f"quantity {plain(qty)} is below {plain(instrument.min_qty)}"
        )
    if not instrument.is_on_lot(qty):
        return Refusal(
            no.OFF_LOT, f"quantity {plain(qty)} is no multiple of {plain(instrument.lot)}"
        )
    return None


def price_refusal(price: Decimal, instrument: Instrument) -> Refusal | None:
    """Apply the price filter: its bounds and its tick."""
    refusal = _positive(price, "price", no.PRICE_BELOW_ZERO) or _outside(
        price, instrument, no.PRICE_ABOVE_MAX
    )
    if refusal is None and not instrument.is_on_tick(price):
        return Refusal(
            no.OFF_TICK, f"price {plain(price)} is no multiple of {plain(instrument.tick)}"
        )
    return refusal


def _expiry(expire_ts: int | None, now: int) -> Refusal | None:
    if expire_ts is None or now + GTD_AHEAD_NS < expire_ts < GTD_LAST_NS:
        return None
    return Refusal(
        no.BAD_EXPIRY,
        f"the good-till date must be more than 600 s ahead, was {expire_ts} at {now}",
    )


def _callback(rate: Decimal | None) -> Refusal | None:
    if rate is None or (rate.is_finite() and CALLBACK_MIN <= rate <= CALLBACK_MAX):
        return None
    return Refusal(
        no.BAD_PARAMETER,
        f"callback rate must be {CALLBACK_MIN} to {CALLBACK_MAX} percent, was {rate}",
    )


def _price_band(order: NewOrder, instrument: Instrument, mark: Decimal | None) -> Refusal | None:
    if order.price is None or order.order_type.is_conditional:  # those are judged when triggered
        return None
    return band_refusal(order.side, order.price, instrument, mark)


def band_refusal(
    side: Side, price: Decimal, instrument: Instrument, mark: Decimal | None
) -> Refusal | None:
    """Apply the percent-price filter: a buy not too high, a sell not too low."""
    if mark is None:
        return None
    cap, floor = mark * instrument.price_up, mark * instrument.price_down
    if side is Side.BUY and price > cap:
        return Refusal(no.PRICE_ABOVE_CAP, f"price {plain(price)} is above {plain(cap)}")
    if side is Side.SELL and price < floor:
        return Refusal(no.PRICE_BELOW_FLOOR, f"price {plain(price)} is below {plain(floor)}")
    return None


def _notional(order: NewOrder, instrument: Instrument, mark: Decimal | None) -> Refusal | None:
    price = order.price or order.trigger_price or order.activation_price or mark
    if order.reduce_only or price is None:
        return None
    return notional_refusal(order.qty * price, instrument, no.MIN_NOTIONAL)


def notional_refusal(notional: Decimal, instrument: Instrument, code: int) -> Refusal | None:
    """Apply the minimum notional, from which reduce-only orders are exempt."""
    if notional >= instrument.min_notional:
        return None
    return Refusal(
        code,
        f"notional {plain(notional)} is below {plain(instrument.min_notional)}"
        " (reduce-only orders are exempt)",
    )
