"""What an order's size and price are at the venue, and what became of an amendment.

Rule 1: an amendment is done when the venue shows it, and was not when the venue shows the old
        size past the amendment's fence.
Rule 2: an order may be larger at the venue than the journal has it: a power cut took the wish to
        amend it, or somebody else amended it. The venue's word counts; a size is never guessed
        from an execution alone.
"""

from __future__ import annotations

from ..model import events as ev
from ..model.messages import ExecType, ExecutionReport
from ..model.values import OrderStatus
from .core import Core
from .order import Order, RequestState


def is_size_known(core: Core, order: Order, report: ExecutionReport, *, is_news: bool) -> bool:
    """Take an order to be as large as the venue says, where the journal has it smaller.

    Args:
        is_news: the report is an execution that has to be booked.

    Returns:
        False where an execution exceeds the order, and does not say how large that is: it can be
        booked once the order has been asked after.
    """
    known_qty = max(order.qty, order.replace_qty)
    if order.is_adopted:
        if order.is_open and report.qty > known_qty and report.venue_ts >= order.replaced_ts:
            core.emit(_replaced(core, order, report))  # of a lost one a fill alone was known
        return True
    if order.price is None and not order.request.close_position:
        return True
    if report.qty > known_qty and _is_proof(order, report):
        _take_size(core, order, report)
        return True
    return not is_news or bool(report.qty) or order.cum_qty + report.last_qty <= known_qty


def _is_proof(order: Order, report: ExecutionReport) -> bool:
    """Tell whether a larger size is not that of before a later amendment."""
    if report.venue_ts < order.replaced_ts:
        return False
    if report.exec_type is ExecType.TRADE or report.cum_qty > order.qty:
        return True
    return order.status is OrderStatus.FILLED and report.status.is_open


def _take_size(core: Core, order: Order, report: ExecutionReport) -> None:
    text = f"{order.cl_ord_id}: {report.qty:f} at the venue, {order.qty:f} in the journal"
    core.emit(_replaced(core, order, report))
    if order.request.close_position:
        return  # it closes what is held, and more is held by now
    core.alarm(
        "order_larger",
        f"{text}: it was amended by somebody else, or a power cut took the wish",
        order.request.account,
        order.request.symbol,
    )


def _replaced(core: Core, order: Order, report: ExecutionReport) -> ev.OrderReplaced:
    return ev.OrderReplaced(
        ts=core.now,
        cl_ord_id=order.cl_ord_id,
        qty=report.qty,
        price=report.price,
        venue_ts=report.venue_ts,
    )


def settle_replace(core: Core, order: Order, report: ExecutionReport) -> None:
    """See from the venue's quantity and price what became of an amendment."""
    if not order.is_open:
        return
    if report.price is None:
        _settle_size(core, order, report)
        return
    shows_new = (report.qty, report.price) == (order.replace_qty, order.replace_price)
    differs = (report.qty, report.price) != (order.qty, order.price)
    is_asked = order.replace is not RequestState.NONE
    # Overtaken by a later amendment's report; an answer without a time is of this moment.
    is_late = 0 < report.venue_ts < order.replaced_ts
    # So is what nobody asked for, where more has executed by now than it says.
    is_others = not is_asked and differs and report.cum_qty >= order.reported_qty
    if not is_late and ((is_asked and shows_new) or is_others):
        core.emit(_replaced(core, order, report))
    elif is_asked and report.status is OrderStatus.FILLED:
        _refuse_replace(core, order, "the order had filled")
    elif order.replace is RequestState.IN_DOUBT and report.asked_ts > order.replace_fence_ts:
        _refuse_replace(core, order, "it never arrived")


def _settle_size(core: Core, order: Order, report: ExecutionReport) -> None:
    """What a venue filled in the end is an order's quantity: it may have cut one that reduces to
    what there was to close, and of one that guards a whole position it names none before.
    """
    is_whole = report.status is OrderStatus.FILLED and report.qty == report.cum_qty
    is_other = report.qty != order.qty and report.qty >= order.cum_qty
    if is_whole and is_other and order.price is None and order.replace is RequestState.NONE:
        core.emit(_replaced(core, order, report))


def _refuse_replace(core: Core, order: Order, reason: str) -> None:
    core.emit(ev.ReplaceRejected(ts=core.now, cl_ord_id=order.cl_ord_id, reason=reason))
