"""What a look at an account's books proves: that it may trade, at a start or behind a lost link.

Rule: a look that compared nothing, since something moved meanwhile, proves nothing. An account that
        never rests would never trade then: so many of these in a row are taken for a proof, or all
        of so long.
"""

from __future__ import annotations

from typing import NamedTuple

from ..model.messages import VenueSnapshot
from ..model.values import NS_PER_S
from .comparing import has_differed, has_unbooked
from .core import Core

UNCOMPARED_MAX = 10
"""How many looks in a row may have compared nothing before one of these has to do."""

UNCOMPARED_NS = 60 * NS_PER_S
"""For how long at most: a look that takes long finds less rest, and there are fewer of them."""


class Uncompared(NamedTuple):
    """How many looks in a row compared nothing, and since when."""

    looks: int
    since_ts: int


def note_look(core: Core, snapshot: VenueSnapshot, *, is_compared: bool) -> None:
    """Note what a look proves of an account whose books have begun: that it is ready at a start,
    and in touch again behind a lost link.
    """
    account = snapshot.account
    is_begun = bool(core.state.account(account).opened_ts)
    is_proof = is_begun and _is_proof(core, snapshot, is_compared=is_compared)
    _note_link(core, snapshot, is_proof=is_proof)
    core.start_looks.discard(account)
    if is_proof and not has_differed(core, account) and not has_unbooked(core, snapshot):
        core.start_looks.add(account)


def _is_proof(core: Core, snapshot: VenueSnapshot, *, is_compared: bool) -> bool:
    if is_compared:
        core.uncompared.pop(snapshot.account, None)
        return True
    before = core.uncompared.get(snapshot.account, Uncompared(0, core.now))
    core.uncompared[snapshot.account] = now = before._replace(looks=before.looks + 1)
    return now.looks > UNCOMPARED_MAX or core.now - now.since_ts >= UNCOMPARED_NS


def _note_link(core: Core, snapshot: VenueSnapshot, *, is_proof: bool) -> None:
    """Take a link for whole once the books were compared that were asked for behind its loss."""
    cut_off = core.market.accounts_cut_off.get(snapshot.account)
    if not cut_off or not cut_off.up_ts or snapshot.asked_ts < cut_off.up_ts:
        return
    if is_proof:
        del core.market.accounts_cut_off[snapshot.account]
    else:
        core.resync(snapshot.account, "the look behind a lost link compared nothing")
