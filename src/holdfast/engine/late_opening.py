"""What the first look at an account trailed: what happened just before and it did not show yet.

Books begin with what the venue has, and what is older is in that. Where the look trailed, what it
left out is older too, and in nothing. So is funding that was paid behind the beginning, and is
dated with the full hour before it.

Rule: where a difference that stays, shortly behind the beginning, is just what the latest
        executions, or payments, of before it moved, the books begin with that as well. None is
        ever made up: the venue lists each, and its books are those that are taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

from ..model.messages import FundingPayment, VenueSnapshot
from ..model.values import NS_PER_S, ZERO
from .core import Core
from .moves import Cause, moved_by

BEGUN_NS = 60 * NS_PER_S
"""How long behind the beginning a difference may be of what the first look trailed."""

PAID_LATE_NS = 60 * NS_PER_S
"""How far behind its date funding may be paid."""


def is_what_the_first_look_trailed(
    core: Core, snapshot: VenueSnapshot, what: str, gap: Decimal
) -> bool:
    """Tell whether a difference is the sum of what the latest of those moved.

    Positions and balances are read apart: the one may have shown what the other did not.
    """
    books = core.state.account(snapshot.account)
    if not books.begun_ts or core.now - books.begun_ts > BEGUN_NS:
        return False
    since, seen = books.opened_ts - core.overlap_ns, books.changes_seen
    paid = [c for c in snapshot.changes if isinstance(c, FundingPayment)]
    funding = [c for c in paid if c.payment_id not in seen and c.venue_ts >= since - PAID_LATE_NS]
    others = [c for c in snapshot.changes if not isinstance(c, FundingPayment)]
    latest = [c for c in (*snapshot.trades, *others) if c.venue_ts >= since]
    sums = _sums(core, latest, what, books.opened_ts)
    return any(gap - each in sums for each in _sums(core, funding, what, books.opened_ts))


def _sums(core: Core, causes: Sequence[Cause], what: str, until: int) -> set[Decimal]:
    """Return what the latest causes of before a time moved: none of them, one, two, and so on."""
    before = [cause for cause in causes if cause.venue_ts < until]
    before.sort(key=lambda cause: cause.venue_ts)
    moved = (moved_by(core.state, cause, what) for cause in reversed(before))
    return {*accumulate(moved, initial=ZERO)}
