"""What the first look at an account trailed: executions of just before, which it did not show yet.

Books begin with what the venue has, and what is older is in that. Where the look trailed, what it
left out is older too, and in nothing.

Rule: where a difference that stays, shortly behind the beginning, is just what the latest
        executions of before it moved, the books begin with that as well. None is ever made up: the
        venue lists each, and its books are those that are taken over.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import accumulate

from ..model.messages import VenueSnapshot
from ..model.values import NS_PER_S
from .core import Core
from .moves import moved_by

BEGUN_NS = 60 * NS_PER_S
"""How long behind the beginning a difference may be of what the first look trailed."""


def is_what_the_first_look_trailed(
    core: Core, snapshot: VenueSnapshot, what: str, gap: Decimal
) -> bool:
    """Tell whether a difference is the sum of what the latest of those executions moved.

    Positions and balances are read apart: the one may have shown what the other did not.
    """
    books = core.state.account(snapshot.account)
    if not books.begun_ts or core.now - books.begun_ts > BEGUN_NS:
        return False
    since = books.opened_ts - core.overlap_ns
    before = [t for t in snapshot.trades if since <= t.venue_ts < books.opened_ts]
    before.sort(key=lambda trade: trade.venue_ts, reverse=True)
    return gap in accumulate(moved_by(core.state, trade, what) for trade in before)
