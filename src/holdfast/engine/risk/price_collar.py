"""Refuse prices far from the market, on either side: a slipped digit, a stale idea.

An order that names no price has nothing to compare. One that does needs a reference that is
fresh, as `stale_after_s` has it.
"""

from __future__ import annotations

from decimal import Decimal

from ...model.values import NS_PER_S, NewOrder, Verdict, plain
from .base import RiskContext, passed, percent, refused

NAME = "price_collar"

_NO_PRICE = passed(NAME)
_NONE = (None, None, None)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare limit, trigger and activation price with the reference."""
    named = (order.price, order.trigger_price, order.activation_price)
    if named == _NONE:
        return _NO_PRICE
    prices = [price for price in named if price is not None]
    limit = ctx.limits.price_collar_pct
    reference = _fresh_reference(order, ctx)
    if reference is None:
        reason = f"no fresh price of {order.symbol} to compare with"
        return refused(NAME, reason, limit=limit)
    furthest = max(prices, key=lambda price: abs(price - reference))
    share = abs(furthest - reference) / reference
    if share <= limit:
        return passed(NAME, share, limit)
    shown = Decimal(f"{reference:.10g}")  # a mean of floats has many digits
    reason = (
        f"{plain(furthest)} is {percent(share)} off the price of {plain(shown)}, "
        f"at most {percent(limit)}"
    )
    return refused(NAME, reason, share, limit)


def _fresh_reference(order: NewOrder, ctx: RiskContext) -> Decimal | None:
    age_ns = ctx.case(order).market.age_ns(ctx.now)
    if age_ns is None or age_ns > ctx.limits.stale_after_s * NS_PER_S:
        return None
    return ctx.case(order).reference
