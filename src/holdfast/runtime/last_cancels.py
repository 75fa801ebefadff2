"""Ask for every entry back when nothing can be recorded any more: the last deed of a session."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..engine.state import State
from ..model.commands import CancelOrder
from ..model.values import OrderRole

_log = logging.getLogger("holdfast.session")


def cancel_entries(
    state: State, cancel: Callable[[CancelOrder], None], now: int, recv_window_ns: int
) -> None:
    """Cancel what could add risk; what can't be taken back is logged."""
    for order in state.all_open_orders():
        if order.role is not OrderRole.ENTRY or not order.is_ours:
            continue
        command = CancelOrder(
            account=order.request.account,
            symbol=order.request.symbol,
            cl_ord_id=order.cl_ord_id,
            is_conditional=order.is_waiting,
            ts=now,
            recv_window_ns=recv_window_ns,
        )
        try:
            cancel(command)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are asked for too
            _log.error("order %s can't be taken back: %s", order.cl_ord_id, error)
