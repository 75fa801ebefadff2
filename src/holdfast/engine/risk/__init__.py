"""Pre-trade risk. To add a rule: write one file here and add one line to `RULES`."""

from __future__ import annotations

from collections.abc import Iterable

from ...model.values import NewOrder, Verdict
from . import (
    account_mode,
    breaker,
    correlation,
    daily_loss,
    drawdown,
    duplicate,
    execution_throttle,
    filters,
    gross_exposure,
    kill_switch,
    leverage,
    link,
    margin,
    max_positions,
    message_throttle,
    net_exposure,
    open_orders,
    order_notional,
    order_qty,
    order_shape,
    portfolio_drawdown,
    portfolio_exposure,
    portfolio_loss,
    position_size,
    price_collar,
    self_match,
    session,
    slippage,
    stale_data,
    strategy,
    volatility,
)
from .base import RiskContext, Rule, Samples

__all__ = [
    "ALL_RULES",
    "PORTFOLIO_RULES",
    "RULES",
    "RiskContext",
    "Rule",
    "Samples",
    "assess",
    "first_refusal",
]

RULES: dict[str, Rule] = {
    kill_switch.NAME: kill_switch.check,
    session.NAME: session.check,
    strategy.NAME: strategy.check,
    breaker.NAME: breaker.check,
    link.NAME: link.check,
    account_mode.NAME: account_mode.check,
    filters.NAME: filters.check,
    position_size.NAME: position_size.check,
    leverage.NAME: leverage.check,
    margin.NAME: margin.check,
    daily_loss.NAME: daily_loss.check,
    drawdown.NAME: drawdown.check,
    max_positions.NAME: max_positions.check,
    gross_exposure.NAME: gross_exposure.check,
    net_exposure.NAME: net_exposure.check,
    correlation.NAME: correlation.check,
    volatility.NAME: volatility.check,
    order_qty.NAME: order_qty.check,
    order_notional.NAME: order_notional.check,
    price_collar.NAME: price_collar.check,
    slippage.NAME: slippage.check,
    stale_data.NAME: stale_data.check,
    open_orders.NAME: open_orders.check,
    duplicate.NAME: duplicate.check,
    message_throttle.NAME: message_throttle.check,
    execution_throttle.NAME: execution_throttle.check,
    self_match.NAME: self_match.check,
}
"""Every rule about an order and its account, in the order in which verdicts are reported."""

PORTFOLIO_RULES: dict[str, Rule] = {
    portfolio_exposure.NAME: portfolio_exposure.check,
    portfolio_loss.NAME: portfolio_loss.check,
    portfolio_drawdown.NAME: portfolio_drawdown.check,
}
"""Those that look across accounts; asked behind the others, where such a limit is set."""

ALL_RULES = {**RULES, **PORTFOLIO_RULES}
"""Every rule that can be disabled."""


def assess(order: NewOrder, ctx: RiskContext) -> tuple[Verdict, ...]:
    """Ask every enabled rule about an order that could add risk.

    An order of impossible amounts gets that verdict alone: no other rule could reckon with it.
    """
    shape = order_shape.check(order)
    if not shape.passed:
        return (shape,)
    disabled, rules = ctx.limits.disabled, ALL_RULES if ctx.limits.has_portfolio else RULES
    if disabled:
        return tuple([check(order, ctx) for name, check in rules.items() if name not in disabled])
    return tuple([check(order, ctx) for check in rules.values()])


def first_refusal(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return the first verdict that refuses; None where all pass."""
    for verdict in verdicts:
        if not verdict.passed:
            return verdict
    return None
