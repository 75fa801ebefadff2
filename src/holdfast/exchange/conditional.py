"""When a conditional order is triggered (PROTOCOL of Binance's algo orders).

Stops wait for the price to run against them, take-profits for it to run their way: a stop-sell
and a take-profit-buy wait for a fall, the other two for a rise. A trailing stop follows the best
price since its activation and is triggered `callback_rate` percent from it.
"""

from __future__ import annotations

from decimal import Decimal

from ..model.values import OrderType, Side, WorkingType
from .liquidity import PRICE_MAX, Display
from .orders import VenueOrder

TRIGGER_PROTECT = Decimal("0.05")
"""How far the price may be from the mark, as a part of it, to trigger a protected order."""

_TAKE_PROFITS = (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET)
_LIMITS = (OrderType.STOP, OrderType.TAKE_PROFIT)


def becomes(order_type: OrderType) -> OrderType:
    """Return what a conditional order is once it was triggered."""
    return OrderType.LIMIT if order_type in _LIMITS else OrderType.MARKET


def waits_for_fall(order: VenueOrder) -> bool:
    """Tell which way the price must go to trigger the order."""
    is_sell = order.side is Side.SELL
    return is_sell != (order.asked.order_type in _TAKE_PROFITS)


def trigger_level(order: VenueOrder) -> Decimal | None:
    """Return the price that triggers the order; None while a trailing stop is not active."""
    if order.asked.order_type is not OrderType.TRAILING_STOP_MARKET:
        return order.asked.trigger_price
    if order.peak is None:
        return None
    assert order.asked.callback_rate is not None
    return order.peak * (1 - order.side.opposite.sign * order.asked.callback_rate / 100)


def observe(order: VenueOrder, price: Decimal) -> bool:
    """Let a trailing stop see a price; True when its peak has moved."""
    if order.asked.order_type is not OrderType.TRAILING_STOP_MARKET:
        return False
    falls = waits_for_fall(order)
    start = order.asked.activation_price
    if order.peak is None:
        is_active = start is None or (price >= start if falls else price <= start)
        order.peak = price if is_active else None
        return is_active
    if price > order.peak if falls else price < order.peak:
        order.peak = price
        return True
    return False


def is_hit(order: VenueOrder, price: Decimal) -> bool:
    """Tell whether a price triggers the order."""
    level = trigger_level(order)
    if level is None:
        return False
    return price <= level if waits_for_fall(order) else price >= level


Prices = tuple[Decimal | None, Decimal | None]
"""The contract's price and the mark; None while there is none."""


def prices(display: Display) -> Prices:
    """Return what orders go by at present."""
    return display.contract_price(), display.mark_price()


def watched(now: Prices, order: VenueOrder) -> Decimal | None:
    """Return the price that the order goes by; None while there is none."""
    return now[order.asked.working_type is WorkingType.MARK_PRICE]


def is_held_back(now: Prices, order: VenueOrder) -> bool:
    """Tell whether price and mark are too far apart for an order that is protected from that."""
    price, mark = now
    if not order.is_protected or price is None or mark is None:
        return False
    return abs(price - mark) > mark * TRIGGER_PROTECT


def bounds(order: VenueOrder) -> tuple[float, float]:
    """Return the prices between which the order neither moves nor is triggered."""
    level, falls = trigger_level(order), waits_for_fall(order)
    if order.asked.order_type is OrderType.TRAILING_STOP_MARKET:
        turn = order.peak if level is not None else order.asked.activation_price
        if turn is None:  # not active, though nothing holds it back: the next price starts it
            return PRICE_MAX, 0.0
        inner = float(level) if level is not None else None
        if falls:
            return (inner or 0.0), float(turn)
        return float(turn), (inner or PRICE_MAX)
    assert level is not None
    return (float(level), PRICE_MAX) if falls else (0.0, float(level))
