"""What an order's size and price are at the venue, and what became of an amendment.

Rule 1: an amendment is done when the venue shows it, and was not when the venue shows the old
        size past the amendment's fence.
Rule 2: an order may be larger at the venue than the journal has it: a power cut took the wish to
        amend it, or somebody else amended it. The venue's word counts; a size is never guessed
        from an execution alone.
"""

from __future__ import annotations

import msgspec

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
        is_open = order.is_open or (order.status is OrderStatus.FILLED and report.status.is_open)
        if is_open and report.qty > known_qty and report.venue_ts >= order.replaced_ts:
            core.emit(_replaced(core, order, report))  # of a lost one a fill alone was known
        return True
    if order.price is None and not order.request.close_position:
        return True
    if report.qty > known_qty and _is_proof(order, report):
        _take_size(core, order, report)
        return True
    return not is_news or bool(report.qty) or order.cum_qty + report.last_qty <= known_qty


def _is_proof(order: Order, report: ExecutionReport) -> bool:
    """Tell whether a larger size is not that of before a later amendment.

    What was said in the same instant as that was said before it.
    """
    if report.cum_qty > order.qty:
        return True
    if order.replaced_ts and report.venue_ts <= order.replaced_ts:
        return False
    if report.exec_type is ExecType.TRADE:
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
    is_over = order.replace is RequestState.IN_DOUBT and report.asked_ts > order.replace_fence_ts
    # What nobody asked for is overtaken too where more has executed by now than it says.
    is_old = not is_asked and report.cum_qty < order.reported_qty
    is_late = is_old or (_is_late(order, report) and not is_over)
    is_told = shows_new if is_asked and not is_over else differs
    if is_told and not is_late:
        core.emit(_replaced(core, order, report))
    elif is_asked and report.status is OrderStatus.FILLED:
        _refuse_replace(core, order, "the order had filled")
    elif is_over:
        _refuse_replace(core, order, "it never arrived")


def _is_late(order: Order, report: ExecutionReport) -> bool:
    """Tell whether a later amendment's report has overtaken one; none overtakes an end.

    An answer without a time is of this moment.
    """
    return report.status.is_open and 0 < report.venue_ts < order.replaced_ts


def settle_first(core: Core, order: Order, report: ExecutionReport) -> None:
    """See what an order was by the time of a fill or of its end, before that is taken in.

    Either may be the first word of an amendment, or the only one.
    """
    if not order.is_open or order.ending or order.price is None:
        return
    if not report.qty or report.cum_qty > max(report.qty, order.qty):
        _settle_listed(core, order, report)
        return
    if report.price is None or _is_late(order, report):
        return
    is_asked = order.replace is not RequestState.NONE
    shown = (report.qty, report.price)
    is_done = is_asked and shown == (order.replace_qty, order.replace_price)
    if is_done or (not report.status.is_open and shown != (order.qty, order.price)):
        core.emit(_replaced(core, order, report))
    elif is_asked and not report.status.is_open and not _ended_order(order, report):
        is_filled = report.status is OrderStatus.FILLED
        _refuse_replace(core, order, f"the order had {'filled' if is_filled else 'ended'}")


def _ended_order(order: Order, report: ExecutionReport) -> bool:
    """Tell whether an amendment ended its order: as much as that asked for had filled by then."""
    return report.status is OrderStatus.CANCELED and report.cum_qty >= order.replace_qty


def _settle_listed(core: Core, order: Order, report: ExecutionReport) -> None:
    """See from what has filled whether it exceeds the old size.

    An execution in a list names no size; one that names less than has filled names an old one.
    """
    is_asked = order.replace is not RequestState.NONE
    if is_asked and not order.is_adopted and order.cum_qty + report.last_qty > order.qty:
        qty, price = order.replace_qty, order.replace_price
        core.emit(_replaced(core, order, msgspec.structs.replace(report, qty=qty, price=price)))


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
