"""Ours against the venue's: what was missed, what is strange, what disagrees.

The brain of recovery. It runs after every start, every lost stream and every audit; all it
does goes through the same doors as live reports. A difference is never explained by an
invented fill.
"""

from __future__ import annotations

import msgspec

from ..model import events as ev
from ..model.messages import FundingPayment, SettlementPayment, VenueSnapshot
from ..model.values import ZERO, OrderStatus, TradingSessionStatus
from .beginning import has_begun, on_wallet_change
from .comparing import compare, has_moved
from .contracts import count_settled, on_settlement
from .core import Core
from .odd_status import count_missing, forget_words
from .order import Order
from .reports import doubt, end_unlisted, forget, is_before_the_books, on_report
from .strangers import halt_beside, namesake


def on_snapshot(core: Core, snapshot: VenueSnapshot) -> bool:
    """Book what was missed, ask after what is unclear, then compare; tell whether it has."""
    is_stale = has_moved(core, snapshot)
    _note_isolated(core, snapshot)
    for each in snapshot.positions:
        core.market.tell_mark(each.symbol, each.mark_price, snapshot.asked_ts)
    if not core.state.account(snapshot.account).opened_ts and not has_begun(core, snapshot):
        return False
    _book_missed(core, snapshot)
    for report in snapshot.orders:
        on_report(core, msgspec.structs.replace(report, asked_ts=snapshot.asked_ts))
        halt_beside(core, report)
    _ask_after_missing(core, snapshot)
    return compare(core, snapshot, is_stale=is_stale)


def _note_isolated(core: Core, snapshot: VenueSnapshot) -> None:
    """Take over which positions have margin of their own, all at once."""
    for key in [key for key in core.market.isolated if key[0] == snapshot.account]:
        core.isolate(key, ZERO)
    for each in snapshot.positions:
        core.isolate((snapshot.account, each.symbol), each.isolated_wallet, each.qty)


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


def _ask_after_missing(core: Core, snapshot: VenueSnapshot) -> None:
    """What we hold for open and the venue does not list has ended, or never arrived."""
    listed = {name for each in snapshot.orders for name in (each.cl_ord_id, namesake(each))}
    forget_words(core, listed)
    for order in core.state.all_open_orders():
        if order.request.account != snapshot.account or order.cl_ord_id in listed:
            continue
        if snapshot.asked_ts < order.created_ts <= core.now:
            continue  # younger than the question
        if _is_off_the_list(core, order, snapshot.asked_ts):
            if order.ending is None:
                forget(core, order)
            else:
                count_settled(core, order, snapshot.asked_ts)
            continue
        if count_missing(core, order, snapshot.asked_ts):
            end_unlisted(core, order, core.odd_statuses[order.cl_ord_id].word)
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
