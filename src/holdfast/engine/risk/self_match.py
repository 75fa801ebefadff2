"""Refuse to trade with ourselves: an order that would meet one of the account's own.

In the worst case: orders in flight and in doubt count as resting, amendments at their nearer
price. A market order is taken to walk `slippage_tolerance` past the other side's best price.
Conditional orders are not in the book, and immediate ones (IOC, FOK) never rest there.
"""

from __future__ import annotations

from decimal import Decimal

from ...model.values import (
    BUY,
    NewOrder,
    OrderStatus,
    Side,
    TimeInForce,
    Verdict,
    plain,
)
from ..order import Order
from .base import RiskContext, passed, refused

NAME = "self_match"

_PASSED = passed(NAME)
_UNTRIGGERED = (OrderStatus.PENDING_NEW, OrderStatus.NEW)
_IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Look for a resting order of the account that this one would reach."""
    others = ctx.state.open_orders.get(ctx.case(order).key)
    if not others or order.order_type.is_conditional:
        return _PASSED
    price = order.price or _market_bound(order, ctx)
    for cl_ord_id in others:
        other = ctx.state.orders[cl_ord_id]
        if other.request.side is order.side or cl_ord_id == order.cl_ord_id:
            continue
        resting = _nearest_price(other)
        if resting is not None and _reaches(order.side, price, resting):
            own = plain(price) if price is not None else "the market"
            reason = (
                f"at {own} it would meet our {other.cl_ord_id}, which rests at {plain(resting)}"
            )
            return refused(NAME, reason, price, resting)
    return _PASSED


def _reaches(side: Side, price: Decimal | None, resting: Decimal) -> bool:
    if price is None:
        return True
    return price >= resting if side is Side.BUY else price <= resting


def _nearest_price(order: Order) -> Decimal | None:
    """Return the price at which an order may stand in the book; None where it does not."""
    request = order.request
    if order.price is None or order.ending or request.time_in_force in _IMMEDIATE:
        return None
    if request.order_type.is_conditional and order.status in _UNTRIGGERED:
        return None
    asked = order.replace_price or order.price
    return max(order.price, asked) if order.side is Side.BUY else min(order.price, asked)


def _market_bound(order: NewOrder, ctx: RiskContext) -> Decimal | None:
    market = ctx.case(order).market
    bid, ask = market.touch
    best = (ask if order.side is BUY else bid) or market.reference
    price = market.decimal(best)
    if price is None:
        return None
    return price * (1 + order.side.sign * ctx.settings.slippage_tolerance)
