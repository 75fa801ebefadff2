"""What the venue says of orders, and what becomes a fact of it.

Rule 1: a report that says nothing new makes no fact.
Rule 2: an execution counts once, by the venue's trade id, from whichever road it comes.
Rule 3: what the venue counts as executed and we have not booked is fetched, never made up.
Rule 4: "not found" ends an order in doubt only when asked after its fence.
Rule 5: a cancel that was there before its order is asked for again once the order is.
Rule 6: what makes an order larger than the journal has it is booked once the venue says its size.
"""

from __future__ import annotations

import msgspec

from ..model import events as ev
from ..model.margin import book_fill
from ..model.messages import (
    ExecType,
    ExecutionReport,
    OrderNotFound,
    OutcomeUnknown,
    Request,
    RequestRefused,
)
from ..model.values import NS_PER_S, OrderStatus
from .amendments import is_size_known, settle_first, settle_replace
from .contracts import count_settled
from .core import Core
from .forgetting import trade_name
from .odd_status import note_status
from .order import ABSENT, Order, RequestState
from .recognizing import count_opening, recognize
from .strangers import (
    fail_for_twins,
    is_back,
    is_seen_twice,
    meet_again,
    meet_lost,
    meet_stranger,
    namesake,
    tell_appeared,
    tell_closing,
)

FORGOTTEN = "the venue no longer knows it"
NOT_LISTED = "the venue lists it no more, and has a word for it that is not known here"

FORGETFUL_NS = 10 * NS_PER_S
FORGETFUL_MAX_NS = 300 * NS_PER_S
"""How much longer an order is believed in whose forerunner the venue has forgotten, twice as long
after each: else every audit of a venue whose lists are blind puts one more stop beside the others.
"""

FORGOTTEN_COUNTS_NS = 3600 * NS_PER_S
"""How long it is remembered that one was forgotten: a venue has been blind for half an hour."""

_ENDS: dict[OrderStatus, type[ev.OrderCanceled | ev.OrderExpired]] = {
    OrderStatus.CANCELED: ev.OrderCanceled,
    OrderStatus.EXPIRED: ev.OrderExpired,
}

UNWANTED = "it came after it was given up, or asked back"


def on_report(core: Core, report: ExecutionReport) -> None:
    """Take in one execution report, whatever its order of arrival."""
    order = core.state.orders.get(report.cl_ord_id)
    is_others = order is None or not order.is_ours
    if is_others and report.exec_type is ExecType.TRADE and is_news(core, report):
        tell_closing(core, report)
    if report.exec_type is ExecType.TRADE and not core.state.account(report.account).opened_ts:
        core.heard_early[report.account] = core.now
    if order is None or order.key == (report.account, report.symbol):
        _take_in(core, report, order)
    elif is_seen_twice(order, report):
        fail_for_twins(core, order, report)
    elif order.is_ours:
        _take_in(core, report, order)
    else:
        _take_in_namesake(core, report)


def _take_in_namesake(core: Core, report: ExecutionReport) -> None:
    """Take in what is said of an order of somebody else's under a name that another one has.

    Binance gives every deleveraging the same one, and who copies trades may name them alike.
    """
    name = namesake(report)
    known = core.state.orders.get(name)
    _take_in(core, msgspec.structs.replace(report, cl_ord_id=name), known)


def _take_in(core: Core, report: ExecutionReport, order: Order | None) -> None:
    has_news = report.exec_type is ExecType.TRADE and is_news(core, report)
    order = _met(core, report, order, is_news=has_news)
    if order is not None and not is_size_known(core, order, report, is_news=has_news):
        core.query(order)
        return
    # One that was there once and was refused when it triggered is over, whatever comes late.
    was_absent = order is not None and order.status in ABSENT and not order.venue_order_id
    if order is not None and (has_news or not report.status.is_open):
        settle_first(core, order, report)
    if has_news:
        _book_trade(core, report)
    if order is None:
        return
    recognize(core, order, report)
    count_opening(core, order, report)
    if was_absent:
        _revive(core, order, report)
    named = order.reported_qty
    note_status(core, order, report)
    _take_status(core, order, report)
    is_filled = report.status is OrderStatus.FILLED
    if is_filled or report.exec_type in (ExecType.STATUS, ExecType.REPLACED):
        settle_replace(core, order, report)
    if report.exec_type is ExecType.STATUS:
        _settle_cancel(core, order, report.asked_ts)
    # Asked for once for each thing learned, and from then on by the audit: never in a circle.
    is_missing = order.reported_qty > max(order.cum_qty, named)
    if is_missing and report.exec_type is not ExecType.TRADE:
        core.resync(report.account, f"fills of {report.cl_ord_id} are missing")


def _met(
    core: Core, report: ExecutionReport, order: Order | None, *, is_news: bool
) -> Order | None:
    """Return the order that a report is of, taken on where the journal has none open."""
    if order is None:
        order = meet_stranger(core, report)
    elif is_back(core, order, report):
        order = meet_again(core, order, report)
    return meet_lost(core, report) if order is None and is_news else order


# Fills


def is_news(core: Core, report: ExecutionReport) -> bool:
    """Tell whether an execution has to be booked: each is once, whichever road it comes."""
    name = trade_name(report.account, report.symbol, report.trade_id)
    return name not in core.state.trades_seen and not is_before_the_books(core, report)


def _book_trade(core: Core, report: ExecutionReport) -> None:
    realized = report.realized_pnl
    if realized is None:
        position = core.state.position((report.account, report.symbol))
        signed = report.last_qty * report.side.sign
        booked = book_fill(position.qty, position.entry_price, signed, report.last_px)
        realized = booked.realized
    core.emit(
        ev.OrderFilled(
            ts=core.now,
            account=report.account,
            symbol=report.symbol,
            side=report.side,
            cl_ord_id=report.cl_ord_id,
            trade_id=report.trade_id,
            qty=report.last_qty,
            price=report.last_px,
            fee=report.fee,
            fee_asset=report.fee_asset,
            realized_pnl=realized,
            is_maker=report.is_maker,
            venue_ts=report.venue_ts,
        )
    )


def is_before_the_books(core: Core, report: ExecutionReport) -> bool:
    """Tell whether an execution is in the balances that the account's books begin with.

    None is booked before they are opened: the first look at the venue brings what came later. An
    order that was sent behind it is never in them, whatever the venue's clock says beside ours.
    """
    books, order = core.state.account(report.account), core.state.orders.get(report.cl_ord_id)
    if not books.opened_ts:
        return True
    begun_ts = books.begun_ts or books.opened_ts
    if order and not order.is_adopted and order.created_ts >= begun_ts:
        return False
    return report.venue_ts < books.opened_ts


# One that was declared absent


def _revive(core: Core, order: Order, report: ExecutionReport) -> None:
    """An order that was declared absent and shows up is taken back at once."""
    if not report.status.is_open and not report.cum_qty:
        return
    if order.status in ABSENT and report.status.is_open:
        _accept(core, order, report)
    tell_appeared(core, order, "absent")


# Status


def _take_status(core: Core, order: Order, report: ExecutionReport) -> None:
    status = report.status
    if report.cum_qty > order.reported_qty:
        core.emit(ev.OrderReported(ts=core.now, cl_ord_id=order.cl_ord_id, cum_qty=report.cum_qty))
    if not order.is_open or order.ending is not None:
        return
    if status in _ENDS:
        core.emit(
            _ENDS[status](
                ts=core.now,
                cl_ord_id=order.cl_ord_id,
                cum_qty=report.cum_qty,
                reason=report.reason,
            )
        )
    elif status is OrderStatus.REJECTED:
        if order.status is OrderStatus.PENDING_NEW and report.venue_order_id:
            _accept(core, order, report)  # it was there, and was refused when it triggered
        core.emit(
            ev.OrderRejected(
                ts=core.now, cl_ord_id=order.cl_ord_id, code=report.code, reason=report.reason
            )
        )
    elif status is OrderStatus.TRIGGERED and order.status in (
        OrderStatus.PENDING_NEW,
        OrderStatus.NEW,
    ):
        core.emit(ev.OrderTriggered(ts=core.now, cl_ord_id=order.cl_ord_id))
    elif order.status is OrderStatus.PENDING_NEW or order.is_in_doubt:
        _accept(core, order, report)
        if order.is_unwanted or core.is_held_back(order):
            core.cancel(order, UNWANTED, is_pause=not order.is_unwanted)


def _accept(core: Core, order: Order, report: ExecutionReport) -> None:
    core.emit(
        ev.OrderAccepted(
            ts=core.now, cl_ord_id=order.cl_ord_id, venue_order_id=report.venue_order_id
        )
    )


def _settle_cancel(core: Core, order: Order, asked_ts: int) -> None:
    if not order.is_open or order.cancel is not RequestState.IN_DOUBT:
        return
    if asked_ts > order.cancel_fence_ts:
        core.emit(
            ev.CancelRejected(ts=core.now, cl_ord_id=order.cl_ord_id, reason="it never arrived")
        )


# Answers that are not reports


def on_refused(core: Core, refusal: RequestRefused) -> None:
    """A cancel or an amendment was declined. Ask why: the order may have ended."""
    order = core.state.orders.get(refusal.cl_ord_id)
    if order is None or not order.is_open:
        return
    fact = ev.CancelRejected if refusal.request is Request.CANCEL else ev.ReplaceRejected
    asked = order.cancel if refusal.request is Request.CANCEL else order.replace
    if asked is not RequestState.NONE:
        core.emit(
            fact(
                ts=core.now,
                cl_ord_id=refusal.cl_ord_id,
                reason=refusal.reason,
                code=refusal.code,
            )
        )
    core.query(order)


def on_outcome_unknown(core: Core, unknown: OutcomeUnknown) -> None:
    """Nobody knows whether a request arrived. It counts as if it had, and is asked after."""
    order = core.state.orders.get(unknown.cl_ord_id)
    if order is None or not order.is_open:
        return
    match unknown.request:
        case Request.SUBMIT:
            doubt(core, order, unknown.reason, unknown.code)
        case Request.CANCEL:
            _doubt_cancel(core, order, core.fence_after(core.now))
        case Request.REPLACE:
            _doubt_replace(core, order, core.fence_after(core.now))
    core.query(order)


def _doubt_cancel(core: Core, order: Order, fence_ts: int) -> None:
    if order.cancel is RequestState.PENDING:
        core.emit(ev.CancelInDoubt(ts=core.now, cl_ord_id=order.cl_ord_id, fence_ts=fence_ts))


def _doubt_replace(core: Core, order: Order, fence_ts: int) -> None:
    if order.replace is RequestState.PENDING:
        core.emit(ev.ReplaceInDoubt(ts=core.now, cl_ord_id=order.cl_ord_id, fence_ts=fence_ts))


def doubt_unanswered(core: Core, order: Order, since_ts: int) -> None:
    """Put what was asked before a time and never answered in doubt.

    The answer was lost, or the process that asked.
    """
    if order.created_ts < since_ts:
        doubt(core, order, "no answer came")
    if order.cancel_asked_ts < since_ts:
        _doubt_cancel(core, order, core.fence_after(order.cancel_asked_ts))
    if order.replace_asked_ts < since_ts:
        _doubt_replace(core, order, core.fence_after(order.replace_asked_ts))


def doubt(core: Core, order: Order, reason: str, code: int | None = None) -> None:
    """Put an unanswered order in doubt until its fence."""
    if order.status is not OrderStatus.PENDING_NEW or order.is_in_doubt:
        return
    core.emit(
        ev.OrderInDoubt(
            ts=core.now,
            cl_ord_id=order.cl_ord_id,
            fence_ts=core.fence_after(order.created_ts),
            reason=reason,
            code=code,
        )
    )


def on_not_found(core: Core, answer: OrderNotFound) -> None:
    """The venue does not know an order: final for one in doubt, past its fence alone."""
    order = core.state.orders.get(answer.cl_ord_id)
    if order is None or not order.is_open:
        return
    if order.request.account in core.unseen:
        return  # what follows may rest there, off the record by a power cut: the look comes first
    if order.ending is not None:
        count_settled(core, order, answer.asked_ts)
        return
    if order.status is OrderStatus.PENDING_NEW:
        if order.fence_ts is not None and answer.asked_ts > order.fence_ts:
            core.emit(ev.OrderNeverArrived(ts=core.now, cl_ord_id=order.cl_ord_id))
        return
    if answer.asked_ts > core.fence_after(order.known_ts) + _extra_patience(core, order):
        forget(core, order)


def _extra_patience(core: Core, order: Order) -> int:
    """Return how long an order is believed in because the ones before it were forgotten too."""
    parent = core.state.parents.get(order.request.parent_id)
    count = sum(
        each.reason == FORGOTTEN and core.now - each.updated_ts < FORGOTTEN_COUNTS_NS
        for each in (core.state.children(parent) if parent else ())
        if each.role is order.role and each is not order
    )
    return min(FORGETFUL_NS << min(count - 1, 10), FORGETFUL_MAX_NS) if count else 0


def forget(core: Core, order: Order) -> None:
    """The venue had the order and has no memory of it: it is gone, with what was reported."""
    if order.status is OrderStatus.PENDING_NEW:
        core.emit(ev.OrderNeverArrived(ts=core.now, cl_ord_id=order.cl_ord_id))
        return
    core.emit(
        ev.OrderExpired(
            ts=core.now,
            cl_ord_id=order.cl_ord_id,
            cum_qty=order.cum_qty,
            reason=FORGOTTEN,
        )
    )
    core.alarm(
        "order_forgotten",
        f"{order.cl_ord_id} was at the venue and is unknown there now",
        order.request.account,
        order.request.symbol,
    )


def end_unlisted(core: Core, order: Order, word: str) -> None:
    """An order is not listed any more, and what it is called says nothing: it is over."""
    core.emit(
        ev.OrderExpired(
            ts=core.now,
            cl_ord_id=order.cl_ord_id,
            cum_qty=max(order.reported_qty, order.cum_qty),
            reason=NOT_LISTED,
        )
    )
    core.alarm(
        "status_unknown",
        f"{order.cl_ord_id} is {word!r} at the venue, which nobody here knows, and listed no more",
        order.request.account,
        order.request.symbol,
    )
