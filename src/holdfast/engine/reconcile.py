"""Ours against the venue's: what was missed, what is strange, what disagrees.

The brain of recovery. It runs after every start, every lost stream and every audit; all it
does goes through the same doors as live reports. A difference is never explained by an
invented fill.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ..model import events as ev
from ..model.messages import FundingPayment, SettlementPayment, VenueSnapshot, WalletChange
from ..model.values import (
    NS_PER_S,
    OPERATOR,
    ZERO,
    AccountId,
    OrderStatus,
    Symbol,
    TradingSessionStatus,
)
from . import exits
from .contracts import on_settlement, take_settled
from .core import Core
from .folds import OPENING
from .order import Order
from .parents import start_parent
from .reports import doubt, forget, is_before_the_books, is_news, on_report
from .signals import close_plans

OPENING_LOOKS_MAX = 10
"""How often an account that others trade is looked at anew before its books are begun anyway."""

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

RESTLESS_NS = 600 * NS_PER_S
"""How far the known past trails where looks can compare nothing: an account that never rests."""

READ_MARGIN_NS = 300 * NS_PER_S
"""How far it stays behind then: what is listed late has no agreement to be missed by."""


def on_snapshot(core: Core, snapshot: VenueSnapshot) -> None:
    """Book what was missed, ask after what is unclear, then compare."""
    has_moved = _has_moved(core, snapshot)
    _note_isolated(core, snapshot)
    if not core.state.account(snapshot.account).opened_ts:
        if _is_unsure(core, snapshot) and _looks_again(core, snapshot.account):
            return
        _open_books(core, snapshot)
    _book_missed(core, snapshot)
    for report in snapshot.orders:
        on_report(core, msgspec.structs.replace(report, asked_ts=snapshot.asked_ts))
    _ask_after_missing(core, snapshot)
    if (
        not has_moved
        and not _owes_fills(core, snapshot.account)
        and not _holds_back(core, snapshot)
    ):
        _compare(core, snapshot)
    else:
        _move_on(core, snapshot)


def _note_isolated(core: Core, snapshot: VenueSnapshot) -> None:
    """Take over which positions have margin of their own, all at once."""
    for key in [key for key in core.market.isolated if key[0] == snapshot.account]:
        core.isolate(key, ZERO)
    for each in snapshot.positions:
        core.isolate((snapshot.account, each.symbol), each.isolated_wallet, each.qty)


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


def _is_unsure(core: Core, snapshot: VenueSnapshot) -> bool:
    """Tell whether something happened of which nobody knows if it is in the balances already."""
    since = snapshot.sure_ts or snapshot.asked_ts
    # A transfer of that very instant is in either way: its amount is reckoned with the balance.
    at_once = (t.venue_ts >= since for t in snapshot.trades)
    later = (
        c.venue_ts >= since if isinstance(c, FundingPayment) else c.venue_ts > since
        for c in snapshot.changes
    )
    has_booked = core.state.account(snapshot.account).moved_ts > snapshot.asked_ts
    return has_booked or any(at_once) or any(later)


def _looks_again(core: Core, account: AccountId) -> bool:
    core.opening_looks[account] += 1
    if core.opening_looks[account] > OPENING_LOOKS_MAX:
        return False
    core.resync(account, "the account moved while its books were read")
    return True


def _open_books(core: Core, snapshot: VenueSnapshot) -> None:
    """Begin an account's books with what the venue has: the past before is not ours.

    What says that they have begun comes last: where a power cut takes it, they are begun anew.
    """
    account = snapshot.account
    for change in snapshot.changes:
        if isinstance(change, WalletChange):
            on_wallet_change(core, change)
    theirs, ours = _positions(core, snapshot)
    for symbol in sorted({*theirs, *ours}):
        if theirs.get(symbol, ZERO) != ours.get(symbol, ZERO):
            _adopt_position(core, snapshot, symbol, OPENING)
    books, main = core.state.account(account), core.state.first_margin_asset(account)
    for asset in (*sorted({*snapshot.balances, *books.assets()} - {main}), main):
        core.emit(
            ev.WalletChanged(
                ts=core.now,
                account=account,
                asset=asset,
                amount=snapshot.balances.get(asset, ZERO) - books.wallet(asset),
                reason=OPENING if asset == main else f"{OPENING} balance",
                change_id=f"opening-{asset}-{core.state.epoch}",
                asked_ts=snapshot.sure_ts or min(snapshot.asked_ts, core.now),
            )
        )


def _positions(
    core: Core, snapshot: VenueSnapshot
) -> tuple[dict[Symbol, Decimal], dict[Symbol, Decimal]]:
    """Return theirs and ours by symbol; one that is not there is flat."""
    theirs = {p.symbol: p.qty for p in snapshot.positions}
    keys = core.state.positions.items()
    return theirs, {key[1]: p.qty for key, p in keys if key[0] == snapshot.account}


def _book_missed(core: Core, snapshot: VenueSnapshot) -> None:
    opened = core.state.account(snapshot.account).opened_ts
    for trade in snapshot.trades:
        if trade.venue_ts <= snapshot.taken_ts and not is_before_the_books(core, trade):
            on_report(core, trade)
    for change in snapshot.changes:
        if not opened <= change.venue_ts <= snapshot.taken_ts:
            continue
        if isinstance(change, FundingPayment):
            on_funding(core, change)
        elif isinstance(change, SettlementPayment):
            on_settlement(core, change)
        else:
            on_wallet_change(core, change)


def on_funding(core: Core, payment: FundingPayment) -> None:
    """Book a funding payment once."""
    if payment.payment_id in core.state.account(payment.account).changes_seen:
        return
    core.emit(
        ev.FundingPaid(
            ts=core.now,
            account=payment.account,
            symbol=payment.symbol,
            amount=payment.amount,
            payment_id=payment.payment_id,
            asset=payment.asset,
            venue_ts=payment.venue_ts,
        )
    )


def on_wallet_change(core: Core, change: WalletChange) -> None:
    """Book money that came or went once."""
    if change.change_id in core.state.account(change.account).changes_seen:
        return
    core.emit(
        ev.WalletChanged(
            ts=core.now,
            account=change.account,
            asset=change.asset,
            amount=change.amount,
            reason=change.reason,
            change_id=change.change_id,
        )
    )


def _ask_after_missing(core: Core, snapshot: VenueSnapshot) -> None:
    """What we hold for open and the venue does not list has ended, or never arrived."""
    listed = {report.cl_ord_id for report in snapshot.orders}
    for order in core.state.all_open_orders():
        if order.request.account != snapshot.account or order.cl_ord_id in listed:
            continue
        if snapshot.asked_ts < order.created_ts <= core.now:
            continue  # younger than the question
        if _is_off_the_list(core, order, snapshot.asked_ts):
            forget(core, order)
            continue
        if order.status is OrderStatus.PENDING_NEW and _is_unanswered(core, order.created_ts):
            doubt(core, order, "no answer is known")
        core.query(order)


def _is_off_the_list(core: Core, order: Order, asked_ts: int) -> bool:
    """Tell whether an order that is not listed ended with its contract, which is not listed either.

    Both lists were asked for once nothing of it could be on its way any more: there is nobody left
    to ask after it.
    """
    unlisted_ts = core.unlisted_ts.get(order.key)
    if unlisted_ts is None:
        return False
    return asked_ts > max(unlisted_ts + core.overlap_ns, core.fence_after(order.known_ts))


def _is_unanswered(core: Core, created_ts: int) -> bool:
    """An answer to an order of this life may still be on its way; to an older one it is lost."""
    is_older = core.state.status is TradingSessionStatus.STARTING
    return is_older or core.now - created_ts > core.settings.recv_window_ns


def _compare(core: Core, snapshot: VenueSnapshot) -> None:
    """Hold positions and balances against the venue's, exactly."""
    take_settled(core, snapshot)
    found = _differences(core, snapshot)
    if not found:
        _agree(core, snapshot)
        return
    for what, ours, theirs in found:
        before = core.state.differences.get(f"{snapshot.account} {what}")
        is_same = before is not None and before.gap == theirs - ours
        seen = before.sightings + 1 if before and is_same else 1
        in_a_row = before.in_a_row + 1 if before else 1
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
        if seen >= SIGHTINGS_MAX or in_a_row >= CHANGING_MAX:
            _settle_difference(core, snapshot, what, ours, theirs)
        if in_a_row > SIGHTINGS_BELIEVED:
            core.fail(f"{what} has differed {in_a_row} times in a row")
    if core.state.status not in (TradingSessionStatus.ERROR, TradingSessionStatus.STOPPED):
        core.resync(snapshot.account, "another look at a difference")


def _has_moved(core: Core, snapshot: VenueSnapshot) -> bool:
    """Tell whether anything was booked, or traded, after the question: then nothing compares."""
    if core.state.account(snapshot.account).moved_ts > snapshot.asked_ts:
        return True
    return any(trade.venue_ts > snapshot.asked_ts for trade in snapshot.trades)


def _owes_fills(core: Core, account: AccountId) -> bool:
    """Tell whether fills that the venue has named are still on their way."""
    owing = _owing(core, account)
    return any(core.now - order.updated_ts < FILLS_PATIENCE_NS for order in owing)


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


def _differences(core: Core, snapshot: VenueSnapshot) -> list[tuple[str, Decimal, Decimal]]:
    account = snapshot.account
    theirs, ours = _positions(core, snapshot)
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


def _agree(core: Core, snapshot: VenueSnapshot) -> None:
    until = snapshot.asked_ts - core.overlap_ns
    books = core.state.account(snapshot.account)
    is_news = until - books.trades_until >= AGREEMENT_INTERVAL_NS
    if (
        is_news
        or has_differed(core, snapshot.account)
        or exits.is_unproven(core.state, snapshot.account)
    ):
        core.emit(ev.BooksAgreed(ts=core.now, account=snapshot.account, trades_until=until))


def _settle_difference(
    core: Core, snapshot: VenueSnapshot, what: str, ours: Decimal, theirs: Decimal
) -> None:
    """Treat a difference that stays by the operator's policy."""
    kind, _, name = what.partition(" ")
    text = f"{what}: we have {ours:f}, the venue {theirs:f}"
    core.alarm("books_differ", text, snapshot.account)
    policy = core.settings.mismatch_policy
    if policy == "halt":
        core.fail(f"the books differ: {text}")
    elif kind == "balance":
        change_id = f"adopted-{name}-{snapshot.taken_ts}"
        _adopt_balance(core, snapshot.account, name, theirs - ours, change_id)
    else:
        _adopt_position(core, snapshot, Symbol(name), "adopted by policy")
        if policy == "flatten":
            _flatten(core, snapshot.account, Symbol(name))


def _adopt_balance(
    core: Core, account: AccountId, asset: str, amount: Decimal, change_id: str
) -> None:
    core.emit(
        ev.WalletChanged(
            ts=core.now,
            account=account,
            asset=asset,
            amount=amount,
            reason="adopted by policy",
            change_id=change_id,
        )
    )


def _adopt_position(core: Core, snapshot: VenueSnapshot, symbol: Symbol, reason: str) -> None:
    """Take over what the venue has; what it does not list is flat."""
    there = next((p for p in snapshot.positions if p.symbol == symbol), None)
    core.emit(
        ev.PositionAdopted(
            ts=core.now,
            account=snapshot.account,
            symbol=symbol,
            qty=there.qty if there else ZERO,
            entry_price=there.entry_price if there else ZERO,
            reason=reason,
        )
    )


def _flatten(core: Core, account: AccountId, symbol: Symbol) -> None:
    intent = core.next_intent()
    for plan in close_plans(core.state, (account, symbol), OPERATOR):
        start_parent(core, plan, intent)
