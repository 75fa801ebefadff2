"""Keep the account's worst-case gross notional within a multiple of equity.

The contract's margin brackets must also allow the leverage that is configured for the symbol
at the size it could reach: past that the venue would refuse the order.
"""

from __future__ import annotations

from decimal import Decimal

from ...model.margin import bracket_of, max_notional_at
from ...model.values import ZERO, NewOrder, Verdict, plain
from .base import Case, RiskContext, passed, refused

NAME = "leverage"


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare gross notional over equity with the limit, then leverage with the bracket's."""
    limit = ctx.limits.max_leverage
    case = ctx.case(order)
    if case.missing:
        return refused(NAME, case.missing, limit=limit)
    leverage = case.gross / case.equity
    if leverage > limit:
        reason = f"leverage could reach {plain(leverage)}, at most {plain(limit)}"
        return refused(NAME, reason, leverage, limit)
    return _check_bracket(case, ctx) or passed(NAME, leverage, limit)


def _check_bracket(case: Case, ctx: RiskContext) -> Verdict | None:
    instrument, notional = case.instrument, case.notional
    if instrument is None or not instrument.brackets:
        return None
    configured = ctx.state.leverages.get(case.key, 1)
    bracket = bracket_of(instrument.brackets, notional)
    if notional <= bracket.notional_cap and configured <= bracket.max_leverage:
        return None  # almost always: then the other brackets need no look
    cap = max_notional_at(instrument.brackets, configured)
    if cap is not None and notional <= cap:
        return None
    allowed = ZERO if notional > bracket.notional_cap else Decimal(bracket.max_leverage)
    reason = (
        f"{case.order.symbol} is set to leverage {configured} and could reach a notional of "
        f"{plain(notional)}, where at most {allowed} is allowed"
    )
    return refused(NAME, reason, Decimal(configured), allowed)
