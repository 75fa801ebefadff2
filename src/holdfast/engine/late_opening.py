"""What the first look at an account showed otherwise than when it began says.

Books begin with what the venue has, and what is older is in that. Where the look trailed, what it
left out is older too, and in nothing. So is funding that was paid behind the beginning, and is
dated with the full hour before it. And what happened while the look was on its way may be in what
it showed already, and is counted once more: a balance is read later than it was asked for.

Rule: where a difference that stays, shortly behind the beginning, is just what the latest
        executions, or payments, of before it moved, the books begin with that as well; where it is
        just what the earliest of those in the look moved, without that. None is ever made up: the
        venue lists each, and its books are those that are taken over. What our own orders do that
        were sent behind the beginning is no part of it, nor what differs once books have agreed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

from ..model.events import OrderFilled
from ..model.messages import ExecutionReport, FundingPayment, VenueSnapshot
from ..model.values import NS_PER_S, ZERO
from .core import Core
from .moves import Cause, moved_by

BEGUN_NS = 180 * NS_PER_S
"""How long behind the beginning a difference may be of what the first look trailed: for as long the
lists reach back to it where others trade on, and nothing compares (see `RESTLESS_NS`).
"""

PAID_LATE_NS = 60 * NS_PER_S
"""How far behind its date funding may be paid."""


def is_of_the_first_look(core: Core, snapshot: VenueSnapshot, what: str, gap: Decimal) -> bool:
    """Tell whether a difference is what the first look trailed, or showed before its time.

    Positions and balances are read apart: the one may have shown what the other did not.
    """
    books = core.state.account(snapshot.account)
    if not books.begun_ts or core.now - books.begun_ts > BEGUN_NS:
        return False
    return _is_trailed(core, snapshot, what, gap) or _is_shown(core, snapshot, what, gap)


def _has_agreed(core: Core, snapshot: VenueSnapshot) -> bool:
    """Tell whether it is on record that they agreed behind all that the first look may trail."""
    books = core.state.account(snapshot.account)
    return books.trades_until > books.begun_ts


def _is_trailed(core: Core, snapshot: VenueSnapshot, what: str, gap: Decimal) -> bool:
    """Tell whether a difference is the sum of what the latest of before the books moved."""
    books = core.state.account(snapshot.account)
    since, seen = books.opened_ts - core.overlap_ns, books.changes_seen
    paid = [c for c in snapshot.changes if isinstance(c, FundingPayment)]
    funding = [c for c in paid if c.payment_id not in seen and c.venue_ts >= since - PAID_LATE_NS]
    others = [c for c in snapshot.changes if not isinstance(c, FundingPayment)]
    latest = [c for c in (*snapshot.trades, *others) if c.venue_ts >= since]
    if _has_agreed(core, snapshot):
        latest = []  # funding alone may be paid behind that
    latest = [c for c in latest if not _is_sent_behind(core, c, books.begun_ts)]
    sums = _sums(core, latest, what, books.opened_ts)
    return any(gap - each in sums for each in _sums(core, funding, what, books.opened_ts))


def _sums(core: Core, causes: Sequence[Cause], what: str, until: int) -> set[Decimal]:
    """Return what the latest causes of before a time moved: none of them, one, two, and so on."""
    before = [cause for cause in causes if cause.venue_ts < until]
    before.sort(key=lambda cause: cause.venue_ts)
    moved = (moved_by(core.state, cause, what) for cause in reversed(before))
    return {*accumulate(moved, initial=ZERO)}


def _is_shown(core: Core, snapshot: VenueSnapshot, what: str, gap: Decimal) -> bool:
    """Tell whether what is too much is the sum of what the earliest in the first look moved."""
    books = core.state.account(snapshot.account)
    if books.opened_ts == books.begun_ts or _has_agreed(core, snapshot):
        return False  # the first: one moment, and one clock
    until = books.begun_ts + core.settings.clock_skew_ns
    within = [c for c in causes(core, snapshot) if books.opened_ts <= c.venue_ts <= until]
    within = [c for c in within if not _is_sent_behind(core, c, books.begun_ts)]
    within.sort(key=lambda cause: cause.venue_ts)
    return -gap in accumulate(moved_by(core.state, cause, what) for cause in within)


def _is_sent_behind(core: Core, cause: Cause, begun_ts: int) -> bool:
    """Tell whether an order of ours did it that was sent behind the beginning, by any clock."""
    if not isinstance(cause, OrderFilled | ExecutionReport):
        return False
    order = core.state.orders.get(cause.cl_ord_id)
    return order is not None and not order.is_adopted and order.created_ts >= begun_ts


def causes(core: Core, snapshot: VenueSnapshot) -> list[Cause]:
    """Return the executions, heard or listed, and the money that a look knows of."""
    account = snapshot.account
    found: dict[object, Cause] = {(t.symbol, t.trade_id): t for t in snapshot.trades}
    found |= {(f.symbol, f.trade_id): f for f in core.fills if f.account == account}
    return [*found.values(), *snapshot.changes]
