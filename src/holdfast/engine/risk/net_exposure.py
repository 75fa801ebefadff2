"""Keep what longs and shorts do not offset within a fraction of equity.

Judged in the order's own direction: a buy by "every buy fills, no sell does", a sell by the
reverse. So an order that hedges is never refused for what lies on the other side.
"""

from __future__ import annotations

from decimal import Decimal

from ...model.values import ZERO, Key, NewOrder, Side, Verdict
from ..exposure import Reach
from .base import RiskContext, passed, percent, refused

NAME = "net_exposure"

_OFF = passed(NAME)


def check(order: NewOrder, ctx: RiskContext) -> Verdict:
    """Compare worst-case net notional over equity with the limit."""
    limit = ctx.limits.max_net_exposure_pct
    if limit is None:
        return _OFF
    case = ctx.case(order)
    if case.missing:
        return refused(NAME, case.missing, limit=limit)
    net = ZERO
    for key in case.notionals:
        net += _towards(order.side, key, case.reaches[key], ctx)
    share = max(net, ZERO) / case.equity
    if share <= limit:
        return passed(NAME, share, limit)
    reason = f"net exposure could reach {percent(share)} of equity, at most {percent(limit)}"
    return refused(NAME, reason, share, limit)


def _towards(side: Side, key: Key, reach: Reach, ctx: RiskContext) -> Decimal:
    """Return a symbol's notional towards a side; below zero where it offsets.

    An offset is worth the mark, not the highest price that its orders ask for.
    """
    qty = reach.longest if side is Side.BUY else -reach.shortest
    return qty * (reach.price if qty > ZERO else ctx.exposure.mark(key))
