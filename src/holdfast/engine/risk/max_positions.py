"""Limit how many symbols of an account hold a position, or could once their orders fill."""

from __future__ import annotations

from decimal import Decimal

from ...model.values import NewOrder, Verdict
from .base import RiskContext, passed, refused

NAME = "max_positions"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Count symbols, the order's included."""
    limit = ctx.limits.max_positions
    count = ctx.case(order).positions
    if count <= limit:
        return passed(NAME, Decimal(count), Decimal(limit))
    reason = f"{count} symbols could hold a position, at most {limit}"
    return refused(NAME, reason, Decimal(count), Decimal(limit))
