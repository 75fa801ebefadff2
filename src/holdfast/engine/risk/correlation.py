"""Refuse a bet that the account has already made under another name.

Correlation counts with its sign and the directions: a short of what moves with a long is a
hedge and passes. What can't be measured is refused: too few returns in common, or a price that
stood still. But a stranger's order that rests in a symbol of which nothing can be measured is no
bet of the account yet: it stops nobody here, and every other limit counts it as if it filled. A
limit of 1 switches the rule off.
"""

from __future__ import annotations

from decimal import Decimal

from ...model.values import ZERO, Key, NewOrder, Symbol, Verdict, plain
from ..exposure import Reach
from .base import RiskContext, passed, refused

NAME = "correlation"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare with every other symbol that has, or could come to have, a position."""
    limit = ctx.limits.max_correlation
    highest, nearest = -2.0, ""
    if limit >= 1:
        return passed(NAME, limit=limit)
    for key, reach in ctx.case(order).reaches.items():
        if key == order.key or not reach.size:
            continue
        count, together = ctx.correlation(order.symbol, key[1])
        if together is None or count < ctx.limits.correlation_returns_min:
            if _has_strangers_alone(key, ctx):
                continue
            return _refuse_unmeasured(order, key[1], count, ctx)
        aligned = _align(together * order.side.sign, reach)
        if aligned > highest:
            highest, nearest = aligned, key[1]
    if not nearest:
        return passed(NAME, limit=limit)
    value = Decimal(repr(round(highest, 9)))
    if value <= limit:
        return passed(NAME, value, limit)
    reason = f"{plain(value)} with the exposure to {nearest}, at most {plain(limit)}"
    return refused(NAME, reason, value, limit)


def _has_strangers_alone(key: Key, ctx: RiskContext) -> bool:
    """Tell whether a symbol has no position, and no open order but those of others."""
    state = ctx.state
    return not state.position(key).qty and not any(o.is_ours for o in state.open_orders_of(key))


def _align(together: float, reach: Reach) -> float:
    """Return how alike the bets are; the worse of the two where the other could go both ways."""
    if reach.longest > ZERO and reach.shortest < ZERO:
        return abs(together)
    return together if reach.longest > ZERO else -together


def _refuse_unmeasured(order: NewOrder, other: Symbol, count: int, ctx: RiskContext) -> Verdict:
    least, pair = ctx.limits.correlation_returns_min, f"{order.symbol} and {other}"
    if count < least:
        reason = f"{least - count} of {least} common returns of {pair} are missing"
        if ctx.market.price(other) is None:
            reason += f", and {other}, where there is a position or an order, shows no price"
    else:
        reason = f"a price of {pair} stood still over {count} returns"
    return refused(NAME, reason, limit=ctx.limits.max_correlation)
