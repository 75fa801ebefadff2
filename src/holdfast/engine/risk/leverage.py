"""Keep the account's worst-case gross notional within a multiple of equity.

The contract's margin brackets must also allow the leverage that is configured for the symbol
at the size it could reach: past that the venue would refuse the order.
"""

from __future__ import annotations

from decimal import Decimal

from ...model.margin import bracket_of, max_notional_at
from ...model.values import ZERO, NewOrder, Verdict, plain
from .base import RiskContext, passed, refused

NAME = "leverage"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare gross notional over equity with the limit, then leverage with the bracket's."""
    limit = ctx.limits.max_leverage
    if missing := ctx.missing(order):
        return refused(NAME, missing, limit=limit)
    worst = ctx.worst(order)
    leverage = worst.gross / ctx.equity(order.account)
    if leverage > limit:
        reason = f"leverage could reach {plain(leverage)}, at most {plain(limit)}"
        return refused(NAME, reason, leverage, limit)
    return _check_bracket(order, ctx, worst.notionals[order.key]) or passed(NAME, leverage, limit)


def _check_bracket(order: NewOrder, ctx: RiskContext, notional: Decimal) -> Verdict | None:
    instrument = ctx.instrument(order)
    if instrument is None or not instrument.brackets:
        return None
    configured = ctx.state.leverages.get(order.key, 1)
    cap = max_notional_at(instrument.brackets, configured)
    if cap is not None and notional <= cap:
        return None
    bracket = bracket_of(instrument.brackets, notional)
    allowed = ZERO if notional > bracket.notional_cap else Decimal(bracket.max_leverage)
    reason = (
        f"{order.symbol} is set to leverage {configured} and could reach a notional of "
        f"{plain(notional)}, where at most {allowed} is allowed"
    )
    return refused(NAME, reason, Decimal(configured), allowed)
