"""Ours held against the venue's, exactly: what agrees, what differs, what a policy makes of it."""

from __future__ import annotations

from decimal import Decimal

from ..model import events as ev
from ..model.messages import VenueSnapshot
from ..model.values import (
    NS_PER_S,
    ZERO,
    AccountId,
    Symbol,
    TradingSessionStatus,
)
from . import exits
from .account import OPENING
from .closing import close_position
from .contracts import take_settled
from .core import Core
from .late_opening import causes, is_of_the_first_look
from .moves import Cause, moved_by
from .order import Order
from .reports import is_news

UNBOOKED_LOOKS_MAX = 5
"""How often in a row nothing is compared, since an execution waits for its order's size."""

SIGHTINGS_MAX = 2
"""How often in a row the books may differ by one amount before new risk is stopped.

Another amount each time is what fills look like that the venue's lists do not show yet.
"""

CHANGING_MAX = 5
"""How often in a row they may differ at all."""

SIGHTINGS_BELIEVED = 5
"""How often in a row a difference may come back after it was settled by policy."""

FILLS_PATIENCE_NS = 60 * NS_PER_S
"""How long fills that the venue has named may keep a comparison waiting."""

AGREEMENT_INTERVAL_NS = 60 * NS_PER_S
"""How far the known past moves before an agreement is worth a fact."""

ENTRY_PRICE_OFF = Decimal("0.0001")
"""By which share an entry price may be off the venue's, which is rounded."""

RESTLESS_NS = 180 * NS_PER_S
"""How far the known past trails where looks can compare nothing: an account that never rests. All
since then is read at each look, and a look that takes long finds less rest.
"""

ADOPTED = "adopted by policy"

READ_MARGIN_NS = 120 * NS_PER_S
"""How far it stays behind then: what is listed late has no agreement to be missed by."""


def has_moved(core: Core, snapshot: VenueSnapshot) -> bool:
    """Tell whether anything was booked, or traded, after the question, or is not told yet: then
    nothing compares.
    """
    if snapshot.is_partial or core.state.account(snapshot.account).moved_ts > snapshot.asked_ts:
        return True
    since = snapshot.sure_ts or snapshot.asked_ts
    later = [trade for trade in snapshot.trades if trade.venue_ts > since]
    if not snapshot.sure_ts and snapshot.taken_ts == snapshot.asked_ts:
        # One moment, and one clock, which began anew: what is booked is in those books.
        return any(is_news(core, trade) for trade in later)
    return bool(later)


def compare(core: Core, snapshot: VenueSnapshot, *, is_stale: bool) -> bool:
    """Compare, unless something moved meanwhile or fills are still on their way; tell whether.

    Args:
        is_stale: whether something had moved before what was missed was booked.
    """
    if is_stale or _owes_fills(core, snapshot.account) or _holds_back(core, snapshot):
        _move_on(core, snapshot)
        return False
    _compare(core, snapshot)
    return True


def _move_on(core: Core, snapshot: VenueSnapshot) -> None:
    """Let the known past follow without an agreement.

    It is read anew at each look, and by names of trades of which so many alone are remembered.
    """
    account = snapshot.account
    books = core.state.account(account)
    known_until = max(books.trades_until, books.opened_ts)
    if not 0 < snapshot.trades_since <= known_until <= snapshot.asked_ts - RESTLESS_NS:
        return
    is_owing = _owing(core, account) or has_unbooked(core, snapshot)
    if not has_differed(core, account) and not is_owing:
        until = snapshot.asked_ts - core.overlap_ns - READ_MARGIN_NS
        core.emit(ev.TradesRead(ts=core.now, account=account, trades_until=until))


def has_differed(core: Core, account: AccountId) -> bool:
    """Tell whether an account's books differed when they were compared last."""
    return any(what.startswith(f"{account} ") for what in core.state.differences)


def _compare(core: Core, snapshot: VenueSnapshot) -> None:
    """Hold positions and balances against the venue's, exactly."""
    take_settled(core, snapshot)
    found = _differences(core, snapshot)
    if not found:
        _agree(core, snapshot)
        return
    for what, ours, theirs in found:
        before = core.state.differences.get(f"{snapshot.account} {what}")
        is_late = _trails(core, snapshot, what, theirs - ours)
        is_same = before is not None and before.gap == theirs - ours
        seen = 0 if is_late else before.sightings + 1 if before and is_same else 1
        has_halted = core.state.status is TradingSessionStatus.ERROR
        in_a_row = max(before.in_a_row + (not is_late and not has_halted), 1) if before else 1
        core.emit(
            ev.BooksDiffered(
                ts=core.now,
                account=snapshot.account,
                what=what,
                ours=ours,
                theirs=theirs,
                sightings=seen,
                in_a_row=in_a_row,
            )
        )
        if has_halted and seen != SIGHTINGS_MAX:
            continue  # it is on record, and was told
        if seen >= SIGHTINGS_MAX or in_a_row >= CHANGING_MAX:
            _settle_difference(core, snapshot, what, ours, theirs)
        if in_a_row > SIGHTINGS_BELIEVED:
            core.fail(f"{what} has differed {in_a_row} times in a row")
    if core.state.status not in (TradingSessionStatus.ERROR, TradingSessionStatus.STOPPED):
        core.resync(snapshot.account, "another look at a difference")


def _begin_with(core: Core, snapshot: VenueSnapshot, what: str, gap: Decimal) -> None:
    """Have the books begin with what the first look left out, or without what it had already."""
    kind, _, name = what.partition(" ")
    if kind == "position":
        adopt_position(core, snapshot, Symbol(name), OPENING)
    else:
        change_id = f"trailed-{name}-{snapshot.taken_ts}"
        _adopt_balance(core, snapshot.account, name, gap, change_id, f"{OPENING} balance")


def _owes_fills(core: Core, account: AccountId) -> bool:
    """Tell whether fills that the venue has named are still on their way."""
    owing = _owing(core, account)
    return any(core.now - order.heard_ts < FILLS_PATIENCE_NS for order in owing)


def _owing(core: Core, account: AccountId) -> list[Order]:
    return [
        order
        for order in core.state.all_open_orders()
        if order.request.account == account and order.reported_qty > order.cum_qty
    ]


def has_unbooked(core: Core, snapshot: VenueSnapshot) -> bool:
    """Tell whether executions wait for their order's size: see `amendments`."""
    return any(t.venue_ts <= snapshot.taken_ts and is_news(core, t) for t in snapshot.trades)


def _holds_back(core: Core, snapshot: VenueSnapshot) -> bool:
    """Tell whether to compare later, since there are such executions; not for ever."""
    if not has_unbooked(core, snapshot):
        del core.unbooked_looks[snapshot.account]
        return False
    core.unbooked_looks[snapshot.account] += 1
    return core.unbooked_looks[snapshot.account] <= UNBOOKED_LOOKS_MAX


def positions_of(
    core: Core, snapshot: VenueSnapshot
) -> tuple[dict[Symbol, Decimal], dict[Symbol, Decimal]]:
    """Return theirs and ours by symbol; one that is not there is flat."""
    theirs = {p.symbol: p.qty for p in snapshot.positions}
    keys = core.state.positions.items()
    return theirs, {key[1]: p.qty for key, p in keys if key[0] == snapshot.account}


def _differences(core: Core, snapshot: VenueSnapshot) -> list[tuple[str, Decimal, Decimal]]:
    account = snapshot.account
    theirs, ours = positions_of(core, snapshot)
    found = [
        (f"position {symbol}", ours.get(symbol, ZERO), theirs.get(symbol, ZERO))
        for symbol in sorted({*theirs, *ours})
        if ours.get(symbol, ZERO) != theirs.get(symbol, ZERO)
    ]
    books = core.state.account(account)
    found += [
        (f"balance {asset}", books.wallet(asset), snapshot.balances.get(asset, ZERO))
        for asset in sorted({*snapshot.balances, *books.assets()})
        if books.wallet(asset) != snapshot.balances.get(asset, ZERO)
    ]
    return found


def _trails(core: Core, snapshot: VenueSnapshot, what: str, gap: Decimal) -> bool:
    """Tell whether a gap is just what has moved them last: theirs is then of before that.

    What fills, or is paid, one after the other, in one size, leaves the same gap at each look. A
    list of fills trails too: what was heard of them counts.
    """
    missing = ZERO
    for each in sorted(_latest(core, snapshot), key=lambda each: each.venue_ts, reverse=True):
        missing += moved_by(core.state, each, what)
        if missing + gap == ZERO:
            return True
    return False


def _latest(core: Core, snapshot: VenueSnapshot) -> list[Cause]:
    """Return what may not be in a look yet: executions, heard or listed, and money."""
    since = snapshot.asked_ts - core.overlap_ns
    return [each for each in causes(core, snapshot) if each.venue_ts > since]


def _agree(core: Core, snapshot: VenueSnapshot) -> None:
    until = snapshot.asked_ts - core.overlap_ns
    books = core.state.account(snapshot.account)
    is_news = until - books.trades_until >= AGREEMENT_INTERVAL_NS
    prices = _other_entries(core, snapshot)
    if (
        is_news
        or prices
        or has_differed(core, snapshot.account)
        or exits.is_unproven(core.state, snapshot.account)
    ):
        core.emit(
            ev.BooksAgreed(
                ts=core.now, account=snapshot.account, trades_until=until, entry_prices=prices
            )
        )


def _other_entries(core: Core, snapshot: VenueSnapshot) -> tuple[ev.EntryPrice, ...]:
    """Return the venue's entry prices that are not ours.

    An average depends on the order of the fills; the profit in the wallet is by the venue's.
    """
    found = []
    for each in snapshot.positions:
        ours = core.state.position((snapshot.account, each.symbol)).entry_price
        is_off = abs(each.entry_price - ours) > ours * ENTRY_PRICE_OFF
        if each.qty and each.entry_price > ZERO and is_off:
            found.append(ev.EntryPrice(symbol=each.symbol, price=each.entry_price))
    return tuple(found)


def _settle_difference(
    core: Core, snapshot: VenueSnapshot, what: str, ours: Decimal, theirs: Decimal
) -> None:
    """Treat a difference that stays by the operator's policy."""
    if is_of_the_first_look(core, snapshot, what, theirs - ours):
        _begin_with(core, snapshot, what, theirs - ours)
        return
    kind, _, name = what.partition(" ")
    text = f"{what}: we have {ours:f}, the venue {theirs:f}"
    core.alarm("books_differ", text, snapshot.account)
    policy = core.settings.mismatch_policy
    if policy == "halt":
        core.fail(f"the books differ: {text}")
    elif kind == "balance":
        change_id = f"adopted-{name}-{snapshot.taken_ts}"
        _adopt_balance(core, snapshot.account, name, theirs - ours, change_id, ADOPTED)
    else:
        is_closed = policy == "flatten"
        adopt_position(core, snapshot, Symbol(name), ADOPTED, flatten=is_closed)
        if is_closed:
            key = (snapshot.account, Symbol(name))
            close_position(core, key, core.state.to_flatten.get(key))


def _adopt_balance(  # noqa: PLR0913, PLR0917 - what a change of a wallet consists of
    core: Core, account: AccountId, asset: str, amount: Decimal, change_id: str, reason: str
) -> None:
    core.emit(
        ev.WalletChanged(
            ts=core.now,
            account=account,
            asset=asset,
            amount=amount,
            reason=reason,
            change_id=change_id,
        )
    )


def adopt_position(
    core: Core, snapshot: VenueSnapshot, symbol: Symbol, reason: str, *, flatten: bool = False
) -> None:
    """Take over what the venue has, to be closed or not; what it does not list is flat."""
    there = next((p for p in snapshot.positions if p.symbol == symbol), None)
    core.emit(
        ev.PositionAdopted(
            ts=core.now,
            account=snapshot.account,
            symbol=symbol,
            qty=there.qty if there else ZERO,
            entry_price=there.entry_price if there else ZERO,
            reason=reason,
            flatten=flatten,
        )
    )
