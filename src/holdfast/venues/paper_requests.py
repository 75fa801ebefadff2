"""Requests to a paper venue: what names them, and what is said of them where no answer comes."""

from __future__ import annotations

from collections.abc import Sequence

from ..exchange import OrderKey, Output
from ..model.commands import CancelOrder, ReplaceOrder, SubmitOrder
from ..model.messages import ExecutionReport, OutcomeUnknown, Request, RequestRefused

Command = SubmitOrder | CancelOrder | ReplaceOrder

REQUESTS: dict[type[Command], Request] = {
    SubmitOrder: Request.SUBMIT,
    CancelOrder: Request.CANCEL,
    ReplaceOrder: Request.REPLACE,
}


def news(outputs: Sequence[Output]) -> Sequence[Output]:
    """Return what the account's stream tells, without the answer to the request itself."""
    return [each for each in outputs if not isinstance(each, ExecutionReport | RequestRefused)]


def key_of(command: Command) -> OrderKey:
    """Return what names the order that a request is about."""
    if isinstance(command, SubmitOrder):
        order = command.order
        return OrderKey(order.account, order.symbol, order.cl_ord_id)
    return OrderKey(command.account, command.symbol, command.cl_ord_id)


def unknown(command: Command) -> OutcomeUnknown:
    """Return what is said where no answer comes."""
    key = key_of(command)
    return OutcomeUnknown(
        account=key.account,
        symbol=key.symbol,
        cl_ord_id=key.cl_ord_id,
        request=REQUESTS[type(command)],
        reason="no answer came",
    )
