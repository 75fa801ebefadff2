"""Conditional orders at the algo service, until and after their trigger.

A conditional order has a life of its own (its algo id) and, once triggered, a child: an ordinary
order with an order id. Both go by our one client id. How the child fares, only the child's own
events say; "FINISHED" tells no more than that it is over.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import msgspec

from ....model.commands import CancelOrder
from ....model.messages import ExecType, ExecutionReport
from ....model.values import (
    MAIN,
    ZERO,
    AccountId,
    ClOrdId,
    OrderStatus,
    OrderType,
    Symbol,
    TimeInForce,
    WorkingType,
)
from .lists import Others, read_rows
from .names import OrderNames
from .orders import side_of
from .wire import BadFrame, Said, decode, ns_or_0, quote, said, unsigned
from .words import (
    ALGO_STATUSES,
    ORDER_TYPES,
    STATUS_EXEC_TYPES,
    TIMES_IN_FORCE,
    WORKING_TYPES,
    odd_status,
)

ID_DIGITS_MAX = 100
"""How many digits of an order id are believed; the venue's have some twenty."""

FINISHED = "FINISHED"
DONE = 200
"""What the answer to a cancel says of one that was carried out."""


class AlgoRow(msgspec.Struct, frozen=True, rename="camel"):
    """A conditional order as it is acknowledged and listed."""

    algo_id: int
    client_algo_id: str
    symbol: str
    side: str
    algo_status: str
    order_type: str = ""
    time_in_force: str = ""
    quantity: Decimal = ZERO
    trigger_price: Decimal | None = ZERO
    price: Decimal | None = ZERO
    working_type: str = ""
    reduce_only: bool = False
    close_position: bool = False
    update_time: int = 0
    actual_order_id: Said = ""
    actual_qty: Said = ""  # "" until the child is in the book


class AlgoAnswer(NamedTuple):
    """A conditional order's state. `child_id` is the ordinary order that it became: ask after
    that one too, how far it has come is not known here. One that `is_over` has become an order,
    or was refused when it was to become one.
    """

    report: ExecutionReport
    child_id: int | None
    is_over: bool


class _Canceled(msgspec.Struct, frozen=True, rename="camel"):
    algo_id: int = 0
    client_algo_id: str = ""
    code: int = 0


_ALGO = msgspec.json.Decoder(AlgoRow, strict=False)
_CANCELED = msgspec.json.Decoder(_Canceled, strict=False)


def algo_placed(
    raw: bytes | msgspec.Raw, names: OrderNames, account: AccountId = MAIN
) -> ExecutionReport:
    """Read the answer to a placement."""
    return _answer(decode(_ALGO, raw, "a conditional order"), names, account, None).report


def algo_queried(
    raw: bytes | msgspec.Raw, names: OrderNames, account: AccountId = MAIN, *, asked_ts: int
) -> AlgoAnswer:
    """Read the answer to a query."""
    return _answer(decode(_ALGO, raw, "a conditional order"), names, account, asked_ts)


def open_algo_orders(
    raw: bytes | msgspec.Raw,
    names: OrderNames,
    account: AccountId = MAIN,
    *,
    asked_ts: int = 0,
    others: Others | None = None,
) -> tuple[ExecutionReport, ...]:
    """Read a list of conditional orders."""

    def read(row: msgspec.Raw) -> ExecutionReport:
        return algo_queried(row, names, account, asked_ts=asked_ts).report

    return tuple(read_rows(raw, read, "a list of conditional orders", others))


def algo_canceled(
    raw: bytes | msgspec.Raw, command: CancelOrder, names: OrderNames, venue_ts: int
) -> ExecutionReport | None:
    """Read the answer to a cancel, which says no more than that it was done.

    Args:
        venue_ts: when the answer came; it has no time of its own.

    Returns:
        None where the order's side is not known here: query it.

    Raises:
        BadFrame: it does not say so, or of another order.
    """
    row = decode(_CANCELED, raw, "the answer to a conditional order's cancel")
    is_it = row.client_algo_id in {"", command.cl_ord_id}
    if command.venue_order_id:
        is_it = str(row.algo_id) == command.venue_order_id
    if row.code != DONE or not is_it:
        raise BadFrame(f"{command.cl_ord_id} was to be canceled, the answer is {quote(raw)}")
    side = names.side_of(command.cl_ord_id)
    if side is None:
        return None
    return ExecutionReport(
        account=command.account,
        symbol=command.symbol,
        cl_ord_id=command.cl_ord_id,
        exec_type=ExecType.CANCELED,
        status=OrderStatus.CANCELED,
        side=side,
        venue_ts=venue_ts,
        venue_order_id=str(row.algo_id),
    )


def _answer(
    row: AlgoRow, names: OrderNames, account: AccountId, asked_ts: int | None
) -> AlgoAnswer:
    """Turn a row into a report: STATUS where it was asked for (`asked_ts`), news otherwise."""
    name, side = ClOrdId(row.client_algo_id), side_of(row.side)
    names.note_side(name, side)
    child_id = child_of(row.actual_order_id)
    if child_id is not None:
        names.adopt_child(name, row.symbol, child_id)
    qty = unsigned(row.quantity, "quantity")
    status = ALGO_STATUSES.get(row.algo_status, OrderStatus.NEW)
    cum_qty = executed(row.actual_qty)
    if row.algo_status == FINISHED and cum_qty >= qty > ZERO:
        status = OrderStatus.FILLED
    news = STATUS_EXEC_TYPES.get(status, ExecType.STATUS)
    report = ExecutionReport(
        account=account,
        symbol=Symbol(row.symbol),
        cl_ord_id=name,
        exec_type=news if asked_ts is None else ExecType.STATUS,
        status=status,
        side=side,
        venue_ts=ns_or_0(row.update_time),
        venue_order_id=str(row.algo_id),
        order_type=ORDER_TYPES.get(row.order_type, OrderType.STOP_MARKET),
        time_in_force=TIMES_IN_FORCE.get(row.time_in_force, TimeInForce.GTC),
        qty=qty,
        price=unsigned(row.price, "price") if row.price else None,
        trigger_price=unsigned(row.trigger_price, "triggerPrice") if row.trigger_price else None,
        working_type=WORKING_TYPES.get(row.working_type, WorkingType.CONTRACT_PRICE),
        reduce_only=row.reduce_only,
        close_position=row.close_position,
        cum_qty=cum_qty,
        odd_status=odd_status(row.algo_status, ALGO_STATUSES, status),
        asked_ts=asked_ts or 0,
    )
    return AlgoAnswer(report, child_id, row.algo_status == FINISHED)


def child_of(told: Said) -> int | None:
    """Read a child's order id: empty before the trigger.

    Raises:
        BadFrame: it is longer than any id.
    """
    order_id = said(told)
    if len(order_id) > ID_DIGITS_MAX:
        raise BadFrame(f"an order id has {len(order_id)} digits")
    return int(order_id) if order_id.isascii() and order_id.isdigit() and int(order_id) else None


def executed(told: Said) -> Decimal:
    """Read what the child executed: empty before the trigger."""
    text = said(told)
    if not text:
        return ZERO
    try:
        return unsigned(Decimal(text), "executed quantity")
    except InvalidOperation:
        raise BadFrame(f"executed quantity must be a number, was {text!r}") from None
