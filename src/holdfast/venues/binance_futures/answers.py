"""What the engine is told of a request that was not simply answered."""

from __future__ import annotations

from ...model.commands import CancelOrder, QueryOrder, ReplaceOrder, SubmitOrder
from ...model.messages import (
    ExecType,
    ExecutionReport,
    OrderNotFound,
    OutcomeUnknown,
    Request,
    RequestRefused,
    VenueFailure,
    VenueMessage,
)
from ...model.values import AccountId, OrderStatus
from .asking import BAD_SYMBOL
from .outcomes import Ask, Kind, Outcome

NOT_FOUND = frozenset({-2011, -2013, BAD_SYMBOL})
"""A contract that the venue no longer has took its orders with it."""

AS_CODE = {-4142: -2021}
"""Two codes for one thing: the trigger price is already passed. The engine knows the second."""

ASKS: dict[type, Ask] = {
    SubmitOrder: Ask.SUBMIT,
    CancelOrder: Ask.CANCEL,
    ReplaceOrder: Ask.REPLACE,
    QueryOrder: Ask.QUERY,
}
Command = SubmitOrder | CancelOrder | ReplaceOrder | QueryOrder
_IS_UNKNOWN = {
    Ask.SUBMIT: frozenset({Kind.IN_DOUBT, Kind.QUERY}),  # in both cases the engine asks after it
    Ask.CANCEL: frozenset({Kind.IN_DOUBT}),
    Ask.REPLACE: frozenset({Kind.IN_DOUBT}),
}


def answer(command: Command, outcome: Outcome, now: int) -> VenueMessage | None:
    """Say what a request came to.

    A RETRY_LATER that is handed in here is over: its tries or its fence are. A refused cancel or
    amendment makes the engine query the order, so QUERY needs no message of its own.

    Args:
        now: our time; of a query, when it was asked: "not found" proves nothing of later.

    Returns:
        None where nothing is to be said: the state is as was wanted and the stream tells it, or a
        read failed that will be repeated.
    """
    match command:
        case SubmitOrder():
            return _submitted(command, outcome, now)
        case CancelOrder():
            return _asked(command, Request.CANCEL, outcome)
        case ReplaceOrder() if outcome.kind is Kind.TREAT_AS_SUCCESS:
            return _replaced(command)
        case ReplaceOrder():
            return _asked(command, Request.REPLACE, outcome)
        case QueryOrder():
            is_absent = outcome.kind is Kind.FINAL and outcome.code in NOT_FOUND
            return not_found(command, now) if is_absent else None


def failure(outcome: Outcome, account: AccountId) -> VenueFailure | None:
    """Say what a circuit breaker should count; None where it is nothing of the kind."""
    if not outcome.failure:
        return None
    code = f"{outcome.code}: " if outcome.code is not None else ""
    return VenueFailure(account=account, failure=outcome.failure, reason=f"{code}{outcome.reason}")


def _submitted(command: SubmitOrder, outcome: Outcome, now: int) -> VenueMessage | None:
    order = command.order
    if outcome.kind is Kind.TREAT_AS_SUCCESS:
        return None
    if outcome.kind in _IS_UNKNOWN[Ask.SUBMIT]:
        return OutcomeUnknown(
            account=order.account,
            symbol=order.symbol,
            cl_ord_id=order.cl_ord_id,
            request=Request.SUBMIT,
            reason=outcome.reason,
            code=None if outcome.is_documented else outcome.code,
        )
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
        code=_code(outcome),
        reason=outcome.reason,
    )


def _asked(
    command: CancelOrder | ReplaceOrder, request: Request, outcome: Outcome
) -> VenueMessage | None:
    if outcome.kind is Kind.TREAT_AS_SUCCESS:
        return None
    if outcome.kind in _IS_UNKNOWN[ASKS[type(command)]]:
        return OutcomeUnknown(
            account=command.account,
            symbol=command.symbol,
            cl_ord_id=command.cl_ord_id,
            request=request,
            reason=outcome.reason,
        )
    return RequestRefused(
        account=command.account,
        symbol=command.symbol,
        cl_ord_id=command.cl_ord_id,
        request=request,
        code=_code(outcome),
        reason=outcome.reason,
    )


def _replaced(command: ReplaceOrder) -> ExecutionReport:
    """The order is what was asked for already; since when, and how much of it has executed, is
    not said. Our clock's time would hide an amendment that the exchange's stamps behind it.
    """
    return ExecutionReport(
        account=command.account,
        symbol=command.symbol,
        cl_ord_id=command.cl_ord_id,
        exec_type=ExecType.REPLACED,
        status=OrderStatus.NEW,
        side=command.side,
        venue_ts=0,
        qty=command.qty,
        price=command.price,
    )


def not_found(command: QueryOrder, asked_ts: int) -> OrderNotFound:
    """Say that the venue has no such order."""
    return OrderNotFound(
        account=command.account,
        symbol=command.symbol,
        cl_ord_id=command.cl_ord_id,
        asked_ts=asked_ts,
    )


def _code(outcome: Outcome) -> int | None:
    return outcome.code if outcome.code is None else AS_CODE.get(outcome.code, outcome.code)
