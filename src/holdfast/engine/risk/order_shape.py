"""Refuse amounts that are no amounts, and fields that contradict the order's type.

The other rules reckon with these fields, so this one comes before them and can't be disabled.
"""

from __future__ import annotations

from decimal import Decimal

from ...model.values import LARGEST_AMOUNT, MARKET, NewOrder, OrderType, Verdict
from .base import passed, refused

NAME = "order_shape"

SMALLEST_AMOUNT = Decimal("1e-15")
"""No tick or lot is finer."""

_EXPECTED = f"from {SMALLEST_AMOUNT} to {LARGEST_AMOUNT:f}"
_PASSED = passed(NAME)
_NONE = (None, None, None)


def check(order: NewOrder) -> Verdict:
    """Ask for finite amounts above zero, and for the prices that the type calls for."""
    named = (order.price, order.trigger_price, order.activation_price)
    if named == _NONE and order.order_type is MARKET and _is_amount(order.qty):
        return _PASSED  # most are like this
    wrong = _wrong_amount(order) or _wrong_prices(order)
    return refused(NAME, wrong) if wrong else _PASSED


def _wrong_amount(order: NewOrder) -> str:
    if not _is_amount(order.qty):
        return f"quantity must be {_EXPECTED}, was {order.qty}"
    for price in (order.price, order.trigger_price, order.activation_price):
        if price is not None and not _is_amount(price):
            return f"a price must be {_EXPECTED}, was {price}"
    return ""


def _is_amount(number: Decimal) -> bool:
    return number.is_finite() and SMALLEST_AMOUNT <= number <= LARGEST_AMOUNT


def _wrong_prices(order: NewOrder) -> str:
    kind = order.order_type
    if kind.has_limit_price is not (order.price is not None):
        needs = "needs a" if kind.has_limit_price else "takes no"
        return f"{kind.value} {needs} limit price, was {order.price}"
    if kind is OrderType.TRAILING_STOP_MARKET:
        return ""  # it follows the price and may be active at once
    if kind.is_conditional is not (order.trigger_price is not None):
        needs = "needs a" if kind.is_conditional else "takes no"
        return f"{kind.value} {needs} trigger price, was {order.trigger_price}"
    return ""
