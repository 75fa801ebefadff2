"""Ordinary orders as the venue lists and acknowledges them, and their executions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from ....model.messages import ExecType, ExecutionReport
from ....model.values import (
    MAIN,
    ZERO,
    AccountId,
    ClOrdId,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
    TimeInForce,
    TradeId,
)
from .envelope import ErrorBody
from .lists import Others, read_rows
from .names import OrderNames
from .wire import BadFrame, checked, checked_or_none, decode, ns, ns_or_0, unsigned
from .words import (
    ORDINARY_TYPES,
    SIDES,
    STATUS_EXEC_TYPES,
    STATUSES,
    TIMES_IN_FORCE,
    odd_status,
    status_of,
)


class OrderRow(msgspec.Struct, frozen=True, rename="camel"):
    """An order: acknowledged (without average price or quote volume) or listed."""

    symbol: str
    order_id: int
    client_order_id: str
    status: str
    side: str
    price: Decimal = ZERO
    orig_qty: Decimal = ZERO
    executed_qty: Decimal = ZERO
    time_in_force: str = ""
    type: str = ""
    reduce_only: bool = False
    update_time: int = 0


class TradeRow(msgspec.Struct, frozen=True, rename="camel"):
    """One execution as `userTrades` lists it."""

    symbol: str
    id: int
    order_id: int
    side: str
    price: Decimal
    qty: Decimal
    time: int
    realized_pnl: Decimal | None = None
    commission: Decimal = ZERO
    commission_asset: str = "USDT"
    maker: bool = False


class _BatchEntry(msgspec.Struct, frozen=True, rename="camel"):
    code: int | None = None
    msg: str = ""


NO_NAMES = OrderNames(0)
_ORDER = msgspec.json.Decoder(OrderRow, strict=False)
_TRADE_ROW = msgspec.json.Decoder(TradeRow, strict=False)
_BATCH = msgspec.json.Decoder(tuple[msgspec.Raw, ...], strict=False)
_ENTRY = msgspec.json.Decoder(_BatchEntry, strict=False)


def acknowledged(
    raw: bytes | msgspec.Raw, names: OrderNames, account: AccountId = MAIN
) -> ExecutionReport:
    """Read the answer to a placement or a cancel. It names no fill: those come on the stream."""
    row = _row(raw)
    status = status_of(row.status, row.orig_qty, row.executed_qty)
    return order_report(row, STATUS_EXEC_TYPES.get(status, ExecType.STATUS), names, account)


def amended(
    raw: bytes | msgspec.Raw, names: OrderNames, account: AccountId = MAIN
) -> ExecutionReport:
    """Read the answer to an amendment; an order that it ended comes as CANCELED or EXPIRED."""
    row = _row(raw)
    status = status_of(row.status, row.orig_qty, row.executed_qty)
    kind = ExecType.REPLACED if status.is_open else STATUS_EXEC_TYPES.get(status, ExecType.STATUS)
    return order_report(row, kind, names, account)


def queried(
    raw: bytes | msgspec.Raw,
    names: OrderNames,
    account: AccountId = MAIN,
    *,
    asked_ts: int,
    called: ClOrdId | None = None,
) -> ExecutionReport:
    """Read the answer to a query; `called` is what we call the order, where it is a child."""
    row = _row(raw)
    if called is not None:
        names.adopt_child(called, row.symbol, row.order_id)
    return order_report(row, ExecType.STATUS, names, account, asked_ts=asked_ts)


def open_orders(
    raw: bytes | msgspec.Raw,
    names: OrderNames,
    account: AccountId = MAIN,
    *,
    asked_ts: int = 0,
    others: Others | None = None,
) -> tuple[ExecutionReport, ...]:
    """Read a list of orders; also of all orders, where their names alone are wanted."""

    def read(row: msgspec.Raw) -> ExecutionReport:
        return order_report(_row(row), ExecType.STATUS, names, account, asked_ts=asked_ts)

    return tuple(read_rows(raw, read, "a list of orders", others))


def batch(
    raw: bytes | msgspec.Raw, names: OrderNames, account: AccountId = MAIN
) -> tuple[ExecutionReport | ErrorBody, ...]:
    """Read the answers to a batch, in its order: each order has an answer or a refusal."""
    return tuple(
        ErrorBody(entry.code, entry.msg)
        if (entry := decode(_ENTRY, each, "an entry of a batch")).code is not None
        else acknowledged(each, names, account)
        for each in decode(_BATCH, raw, "the answer to a batch")
    )


def order_report(
    row: OrderRow,
    exec_type: ExecType,
    names: OrderNames,
    account: AccountId,
    *,
    asked_ts: int = 0,
) -> ExecutionReport:
    """Turn a row into a report."""
    qty = unsigned(row.orig_qty, "origQty")
    cum_qty = unsigned(row.executed_qty, "executedQty")
    status = status_of(row.status, qty, cum_qty)
    return ExecutionReport(
        account=account,
        symbol=Symbol(row.symbol),
        cl_ord_id=names.called(row.symbol, row.order_id, row.client_order_id),
        exec_type=exec_type,
        status=status,
        side=side_of(row.side),
        venue_ts=ns_or_0(row.update_time),
        venue_order_id=str(row.order_id),
        order_type=ORDINARY_TYPES.get(row.type, OrderType.MARKET),
        time_in_force=TIMES_IN_FORCE.get(row.time_in_force, TimeInForce.GTC),
        qty=qty,
        price=unsigned(row.price, "price") or None,
        reduce_only=row.reduce_only,
        cum_qty=cum_qty,
        odd_status=odd_status(row.status, STATUSES, status),
        asked_ts=asked_ts,
    )


def side_of(word: str) -> Side:
    """Translate BUY or SELL; there is no third word to guess at.

    Raises:
        BadFrame: it is another word.
    """
    side = SIDES.get(word)
    if side is None:
        raise BadFrame(f"side must be BUY or SELL, was {word!r}")
    return side


# Executions


def trade_rows(raw: bytes | msgspec.Raw) -> tuple[TradeRow, ...]:
    """Read executions, oldest first.

    Raises:
        BadFrame: it is no list, or a row is none that could be booked.
    """
    rows = read_rows(raw, _trade_row, "a list of executions")
    return tuple(sorted(rows, key=lambda row: (row.time, row.id)))


def _trade_row(raw: msgspec.Raw) -> TradeRow:
    row = decode(_TRADE_ROW, raw, "an execution")
    _trade(row, NO_NAMES, MAIN)
    return row


def unnamed_orders(rows: Iterable[TradeRow], names: OrderNames) -> dict[Symbol, list[int]]:
    """Return, by symbol and ascending, the order ids whose names must be asked for first."""
    wanted: dict[Symbol, set[int]] = {}
    for row in rows:
        if names.known(row.symbol, row.order_id) is None:
            wanted.setdefault(Symbol(row.symbol), set()).add(row.order_id)
    return {symbol: sorted(ids) for symbol, ids in wanted.items()}


def trades(
    rows: Sequence[TradeRow], names: OrderNames, account: AccountId = MAIN
) -> tuple[ExecutionReport, ...]:
    """Turn executions into reports; an order nobody can name is called by the venue's id."""
    return tuple(_trade(row, names, account) for row in rows)


def _trade(row: TradeRow, names: OrderNames, account: AccountId) -> ExecutionReport:
    return ExecutionReport(
        account=account,
        symbol=Symbol(row.symbol),
        cl_ord_id=names.known(row.symbol, row.order_id) or ClOrdId(f"order-{row.order_id}"),
        exec_type=ExecType.TRADE,
        status=OrderStatus.PARTIALLY_FILLED,  # how far the order came, it does not say
        side=side_of(row.side),
        venue_ts=ns(row.time),
        venue_order_id=str(row.order_id),
        last_qty=unsigned(row.qty, "qty"),
        last_px=unsigned(row.price, "price"),
        trade_id=TradeId(str(row.id)),
        fee=checked(row.commission, "commission"),
        fee_asset=row.commission_asset,
        realized_pnl=checked_or_none(row.realized_pnl, "realizedPnl"),
        is_maker=row.maker,
    )


def _row(raw: bytes | msgspec.Raw) -> OrderRow:
    return decode(_ORDER, raw, "an order")
