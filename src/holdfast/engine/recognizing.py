"""Executions that were booked before it was known whose they are: a conditional order's child's.

A child may go by a client id of the venue's own, and what it fills may be heard before its parent
says its number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import events as ev
from ..model.messages import ExecType, ExecutionReport
from .forgetting import settled_name, trade_name

if TYPE_CHECKING:
    from .core import Core
    from .order import Order


def recognize(core: Core, order: Order, report: ExecutionReport) -> None:
    """Count for a conditional order what its child had filled under a name of the venue's own.

    Whose child it is may be told later than what it fills.
    """
    is_parent = order.request.order_type.is_conditional and not order.is_adopted
    if report.exec_type is not ExecType.TRADE or not is_parent or not order.is_open:
        return
    account, symbol, trade_id = report.account, report.symbol, report.trade_id
    seen = core.state.account(account).changes_seen
    is_booked = trade_name(account, symbol, trade_id) in core.state.trades_seen
    if not is_booked or trade_id in order.trade_ids or settled_name(symbol, trade_id) in seen:
        return
    if order.cum_qty + report.last_qty <= order.qty:
        core.emit(
            ev.FillRecognized(
                ts=core.now,
                cl_ord_id=order.cl_ord_id,
                trade_id=trade_id,
                qty=report.last_qty,
                price=report.last_px,
                fee=report.fee,
                fee_asset=report.fee_asset,
                realized_pnl=report.realized_pnl,
                is_maker=report.is_maker,
                venue_ts=report.venue_ts,
            )
        )
