"""Keep the worst-case sum of absolute notionals over all accounts within a fraction of equity.

Counted is the order's margin asset: the contracts that it settles, on all of the session's
accounts, and the equity in it of those that have such contracts. An order that is open in one
which its account does not trade counts as if it filled, as elsewhere.
"""

from __future__ import annotations

from ...model.values import ZERO, NewOrder, Verdict
from ..portfolio import holders
from .base import RiskContext, passed, percent, refused

NAME = "portfolio_exposure"

_OFF = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare the accounts' gross notional over their equity with the limit."""
    limit = ctx.limits.max_portfolio_exposure_pct
    if limit is None:
        return _OFF
    case = ctx.case(order)
    if case.missing:
        return refused(NAME, case.missing, limit=limit)
    gross, equity = case.gross, case.equity
    asset = ctx.state.settled_in(order.key)
    trading = holders(ctx.state, asset)
    for account in ctx.state.named_accounts:
        keys = [key for key in ctx.exposure.keys(account) if ctx.state.settled_in(key) == asset]
        if account == order.account or not (keys or account in trading):
            continue
        equity += ctx.equity(account, asset)
        for key in keys:
            reach = ctx.exposure.reach(key)
            if reach.size and not reach.notional:
                reason = f"no price of {key[1]} on {account} yet to value it at"
                return refused(NAME, reason, limit=limit)
            gross += reach.notional
    if equity <= ZERO:
        return refused(NAME, f"the accounts' equity is {equity:f}", limit=limit)
    share = gross / equity
    if share <= limit:
        return passed(NAME, share, limit)
    reason = (
        f"gross exposure of all accounts could reach {percent(share)} of their equity, at most "
        f"{percent(limit)}"
    )
    return refused(NAME, reason, share, limit)
