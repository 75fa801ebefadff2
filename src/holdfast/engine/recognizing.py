"""Executions that are booked, and not as their order's: a conditional order's child's, and those
that the books were begun with.

A child may go by a client id of the venue's own, and what it fills may be heard before its parent
says its number.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ..model import events as ev
from ..model.messages import ExecType, ExecutionReport
from ..model.values import ZERO, TradeId
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
                gives_back=True,
            )
        )


def count_opening(core: Core, order: Order, report: ExecutionReport) -> None:
    """Count for an order that was over before the books were begun what it had filled until then.

    It is in the balances that they were begun with; its executions are listed no more.
    """
    books = core.state.account(report.account)
    was_before = 0 < report.venue_ts < books.opened_ts and order.created_ts < books.begun_ts
    is_over = report.exec_type is ExecType.STATUS and not report.status.is_open
    if not was_before or not is_over or not order.is_ours or order.is_adopted or not order.is_open:
        return
    missing = min(report.cum_qty, order.qty) - order.cum_qty
    if missing > ZERO:
        count_unlisted(core, order, missing, "opening")


def count_unlisted(core: Core, order: Order, qty: Decimal, what: str) -> None:
    """Count for an order what it has filled and no list has; `what` says where its money is."""
    core.emit(
        ev.FillRecognized(
            ts=core.now,
            cl_ord_id=order.cl_ord_id,
            trade_id=TradeId(f"{what}-{order.cl_ord_id}"),
            qty=qty,
            price=order.price or ZERO,
            fee=ZERO,
        )
    )
