"""How far our books and the venue's lie apart."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from ..model import events as ev
from ..model.values import NS_PER_S
from .moves import moved_by

if TYPE_CHECKING:
    from .state import State


CLOCKS_NS = NS_PER_S
"""How far the venue's clock may be ahead of ours: see `clock_skew_ns`."""


class Difference(msgspec.Struct, frozen=True):
    """By how much the venue's books lie above ours, and how often in a row; see `BooksDiffered`.

    `ts` is when it was seen last. A fill from before then explains it, as far as anybody knows, and
    so does money of just that amount: the same gap behind it is another one. `gap` is what no such
    fill has explained so far; where nothing is left of it, none has been seen in a row.
    """

    gap: Decimal
    sightings: int
    in_a_row: int
    ts: int = 0


def explain(state: State, fill: ev.OrderFilled) -> None:
    """Begin anew with differences seen after a fill that nobody had told of then."""
    for name, found in state.differences.items():
        what = name.removeprefix(f"{fill.account} ")
        if what == name or fill.venue_ts > found.ts + CLOCKS_NS:
            continue
        if what.startswith("balance ") or what == f"position {fill.symbol}":
            state.differences[name] = _less(found, moved_by(state, fill, what))


def _less(found: Difference, moved: Decimal) -> Difference:
    """Return what a cause that was not known then leaves of a difference."""
    left = found.gap - moved
    return Difference(left, 0, found.in_a_row if left else 0, found.ts)


def explain_money(
    state: State, change: ev.WalletChanged | ev.FundingPaid | ev.SettlementPaid
) -> None:
    """Begin anew with a difference that money which is told of only now was the whole of."""
    name = f"{change.account} balance {change.asset}"
    found = state.differences.get(name)
    if found is not None and found.gap == change.amount:
        state.differences[name] = _less(found, change.amount)
