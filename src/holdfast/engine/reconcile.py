"""Ours against the venue's: what was missed, what is strange, what disagrees.

The brain of recovery. It runs after every start, every lost stream and every audit; all it
does goes through the same doors as live reports. A difference is never explained by an
invented fill.
"""

from __future__ import annotations

import msgspec

from ..model import events as ev
from ..model.messages import FundingPayment, SettlementPayment, VenueSnapshot, WalletChange
from ..model.values import (
    ZERO,
    AccountId,
    OrderStatus,
    TradingSessionStatus,
)
from .comparing import adopt_position, compare, has_moved, positions_of
from .contracts import on_settlement
from .core import Core
from .folds import OPENING
from .order import Order
from .reports import doubt, forget, is_before_the_books, on_report

OPENING_LOOKS_MAX = 10
"""How often an account that others trade is looked at anew before its books are begun anyway."""


def on_snapshot(core: Core, snapshot: VenueSnapshot) -> None:
    """Book what was missed, ask after what is unclear, then compare."""
    is_stale = has_moved(core, snapshot)
    _note_isolated(core, snapshot)
    for each in snapshot.positions:
        market = core.market.of(each.symbol)
        market.told, market.told_ts = each.mark_price, snapshot.asked_ts
    if not core.state.account(snapshot.account).opened_ts:
        if _is_unsure(core, snapshot) and _looks_again(core, snapshot.account):
            return
        _open_books(core, snapshot)
    _book_missed(core, snapshot)
    for report in snapshot.orders:
        on_report(core, msgspec.structs.replace(report, asked_ts=snapshot.asked_ts))
    _ask_after_missing(core, snapshot)
    compare(core, snapshot, is_stale=is_stale)


def _note_isolated(core: Core, snapshot: VenueSnapshot) -> None:
    """Take over which positions have margin of their own, all at once."""
    for key in [key for key in core.market.isolated if key[0] == snapshot.account]:
        core.isolate(key, ZERO)
    for each in snapshot.positions:
        core.isolate((snapshot.account, each.symbol), each.isolated_wallet, each.qty)


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
    theirs, ours = positions_of(core, snapshot)
    for symbol in sorted({*theirs, *ours}):
        if theirs.get(symbol, ZERO) != ours.get(symbol, ZERO):
            adopt_position(core, snapshot, symbol, OPENING)
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
    """Book a funding payment once; one of before the books began is in their first balance."""
    books = core.state.account(payment.account)
    if payment.payment_id in books.changes_seen or payment.venue_ts < books.opened_ts:
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
