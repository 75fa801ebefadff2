"""What the first look at an account trailed: executions of just before, which it did not show yet.

Books begin with what the venue has, and what is older is in that. Where the look trailed, what it
left out is older too, and in nothing.

Rule: such executions are booked where they are just what is missing, of all that differs, shortly
        behind the beginning; and not else. None is ever made up: the venue lists each.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..model.messages import ExecutionReport, VenueSnapshot
from ..model.values import NS_PER_S, ZERO
from .core import Core
from .forgetting import trade_name

BEGUN_NS = 60 * NS_PER_S
"""How long behind the beginning a difference may be of what the first look trailed."""

Differing = tuple[str, Decimal, Decimal]
"""What differs, what we have of it, and what the venue has."""


def trailed_by_the_first_look(
    core: Core, snapshot: VenueSnapshot, found: Sequence[Differing]
) -> list[ExecutionReport]:
    """Return the latest executions of before the books that differences are the sum of."""
    books = core.state.account(snapshot.account)
    if not books.begun_ts or core.now - books.begun_ts > BEGUN_NS:
        return []
    since, gaps = books.opened_ts - core.overlap_ns, {what: b - a for what, a, b in found}
    seen, moved = core.state.trades_seen, dict[str, Decimal]()
    before = [t for t in snapshot.trades if since <= t.venue_ts < books.opened_ts]
    trailed: list[ExecutionReport] = []
    for trade in sorted(before, key=lambda trade: trade.venue_ts, reverse=True):
        if trade_name(trade.account, trade.symbol, trade.trade_id) in seen:
            continue
        trailed.insert(0, trade)
        for what, amount in _moves(core, trade):
            moved[what] = moved.get(what, ZERO) + amount
        if {what: amount for what, amount in moved.items() if amount} == gaps:
            return trailed
    return []


def _moves(core: Core, trade: ExecutionReport) -> list[tuple[str, Decimal]]:
    """Return what an execution moved, and by how much."""
    asset = core.state.settled_in((trade.account, trade.symbol))
    return [
        (f"position {trade.symbol}", trade.last_qty * trade.side.sign),
        (f"balance {asset}", trade.realized_pnl or ZERO),
        (f"balance {trade.fee_asset}", -trade.fee),
    ]
