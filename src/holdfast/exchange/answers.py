"""What is said of an order: its report, and the refusals."""

from __future__ import annotations

from functools import partial

from ..model.messages import ExecType, ExecutionReport, Request, RequestRefused
from ..model.values import NewOrder, OrderStatus
from .orders import OrderKey, PositionSide, VenueOrder
from .outputs import HedgedReport
from .refusals import Refusal


def report(order: VenueOrder, exec_type: ExecType, ts: int) -> ExecutionReport:
    """Say what holds of an order; the fields of a fill are the caller's to add."""
    asked = order.asked
    is_hedged = order.position_side is not PositionSide.BOTH
    make = (
        partial(HedgedReport, position_side=order.position_side) if is_hedged else ExecutionReport
    )
    return make(
        account=asked.account,
        symbol=asked.symbol,
        cl_ord_id=asked.cl_ord_id,
        exec_type=exec_type,
        status=order.status,
        side=asked.side,
        venue_ts=ts,
        venue_order_id=str(order.order_id or order.algo_id),
        order_type=asked.order_type,
        time_in_force=asked.time_in_force,
        qty=order.qty,
        price=order.price,
        trigger_price=asked.trigger_price,
        working_type=asked.working_type,
        reduce_only=asked.reduce_only,
        cum_qty=order.cum_qty,
        code=order.code,
        reason=order.reason,
    )


def rejected(order: NewOrder, refusal: Refusal, now: int) -> ExecutionReport:
    """Answer a submission that was refused: there is no such order."""
    return ExecutionReport(
        account=order.account,
        symbol=order.symbol,
        cl_ord_id=order.cl_ord_id,
        exec_type=ExecType.REJECTED,
        status=OrderStatus.REJECTED,
        side=order.side,
        venue_ts=now,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        qty=order.qty,
        price=order.price,
        trigger_price=order.trigger_price,
        working_type=order.working_type,
        reduce_only=order.reduce_only,
        code=refusal.code,
        reason=refusal.text,
    )


def refused(key: OrderKey, request: Request, refusal: Refusal) -> RequestRefused:
    """Answer a cancel or an amendment that was refused: the order stands as it was."""
    return RequestRefused(
        account=key.account,
        symbol=key.symbol,
        cl_ord_id=key.cl_ord_id,
        request=request,
        code=refusal.code,
        reason=refusal.text,
    )
