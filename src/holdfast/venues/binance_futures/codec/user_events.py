"""The account's stream: what happened to orders, wallet and settings.

Executions are taken from ORDER_TRADE_UPDATE. TRADE_LITE tells of the same ones a little sooner
but without fee and profit, and would hide the full report behind it: it is left out on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ....model.messages import ExecType, ExecutionReport, FundingPayment
from ....model.values import (
    MAIN,
    ZERO,
    AccountId,
    ClOrdId,
    OrderStatus,
    OrderType,
    Symbol,
    TimeInForce,
    TradeId,
    WorkingType,
)
from . import user_frames as frames
from .algos import child_of, executed
from .names import OrderNames
from .orders import side_of
from .stream_frames import Frame, StreamReply
from .user_frames import (
    AccountFrame,
    AlgoFrame,
    ConfigFrame,
    ExpiredFrame,
    MarginCallFrame,
    OrderFields,
    OrderFrame,
)
from .wallet import TOLD_LATE_NS, WalletMoved, funding_payment, is_of_the_hour
from .wire import BadFrame, checked, checked_or_none, ns, ns_or_0, said, unsigned
from .words import (
    ALGO_STATUSES,
    EXEC_TYPES,
    ORDER_TYPES,
    ORDINARY_TYPES,
    STATUS_EXEC_TYPES,
    STATUSES,
    TIMES_IN_FORCE,
    WORKING_TYPES,
    expiry_reason,
    odd_status,
    status_of,
)

FUNDING = "FUNDING_FEE"
TRADING = "ORDER"
"""The reason under which fills move a wallet: they carry profit and fee themselves."""

MARGIN_TYPE_CHANGE, MARGIN_TRANSFER = "MARGIN_TYPE_CHANGE", "MARGIN_TRANSFER"
"""The reasons under which a wallet stays as it is, and what stands for a position changes."""


class BooksMoved(msgspec.Struct, frozen=True):
    """Wallets and positions after something happened, as the venue counts them.

    `qtys` is signed and by (symbol, position side). It comes before the fill that moved it.
    `isolated` is what stands for a symbol's positions alone; 0 where the cross wallet does.
    """

    venue_ts: int
    reason: str
    wallets: dict[str, Decimal]
    qtys: dict[tuple[Symbol, str], Decimal]
    isolated: dict[Symbol, Decimal] = {}


class MarginCall(msgspec.Struct, frozen=True):
    """The venue warns that these positions are near their liquidation."""

    venue_ts: int
    symbols: tuple[Symbol, ...]


class LeverageSet(msgspec.Struct, frozen=True):
    """A symbol's leverage was changed."""

    venue_ts: int
    symbol: Symbol
    leverage: int


class AssetModeSet(msgspec.Struct, frozen=True):
    """The account was switched to several margin assets, or back to one."""

    venue_ts: int
    is_multi_assets: bool


class ListenKeyExpired(msgspec.Struct, frozen=True):
    """The stream's key is over: the socket stays open and silent. Ask for a new key, reconnect,
    resync.
    """

    venue_ts: int
    listen_key: str


UserEvent = (
    ExecutionReport
    | FundingPayment
    | WalletMoved
    | BooksMoved
    | MarginCall
    | LeverageSet
    | AssetModeSet
    | ListenKeyExpired
    | StreamReply
)


class UserStream:
    """Reads the frames of one account's stream, bare or wrapped with their stream's name."""

    __slots__ = ("_account", "_names", "_readers")

    def __init__(self, names: OrderNames, account: AccountId = MAIN) -> None:
        self._names = names
        self._account = account
        self._readers: dict[type, Callable[[Any], Sequence[UserEvent]]] = {
            OrderFrame: self._order,
            AccountFrame: self._books,
            AlgoFrame: self._algo,
            MarginCallFrame: _margin_call,
            ConfigFrame: _config,
            ExpiredFrame: _expired,
            StreamReply: _as_is,
        }

    def read(self, raw: Frame) -> Sequence[UserEvent]:
        """Return what a frame tells, in order; nothing where it is of no concern.

        Raises:
            BadFrame: it can't be read. Whatever it told is known after a resync.
        """
        frame = frames.read(raw)
        reader = self._readers.get(type(frame))
        return reader(frame) if reader is not None else ()

    def _order(self, frame: OrderFrame) -> Sequence[UserEvent]:
        return (order_report(frame.order, self._names, self._account),)

    def _books(self, frame: AccountFrame) -> Sequence[UserEvent]:
        books, ts = frame.books, ns(frame.transaction_time)
        moved = BooksMoved(
            venue_ts=ts,
            reason=books.reason,
            wallets={each.asset: checked(each.wallet, "wb") for each in books.balances},
            qtys={
                (Symbol(each.symbol), each.position_side): checked(each.qty, "pa")
                for each in books.positions
            },
            isolated=_isolated(books.positions),
        )
        if books.reason in {TRADING, MARGIN_TYPE_CHANGE, MARGIN_TRANSFER}:
            return (moved,)
        symbol = books.symbol or _only_symbol(books.positions)
        is_payment = books.reason == FUNDING and symbol and is_of_the_hour(ts, TOLD_LATE_NS)
        changes = [
            funding_payment(self._account, symbol, each.asset, each.change, ts)
            if is_payment
            else WalletMoved(asset=each.asset, amount=each.change, reason=books.reason, venue_ts=ts)
            for each in books.balances
            if checked(each.change, "bc")
        ]
        return (*changes, moved)

    def _algo(self, frame: AlgoFrame) -> Sequence[UserEvent]:
        return (algo_report(frame, self._names, self._account),)


def order_report(order: OrderFields, names: OrderNames, account: AccountId) -> ExecutionReport:
    """Turn an order's event into a report.

    An execution without a trade id (seen of liquidations alone) can't be told from its repetition,
    and one without a price would be booked at none: it is reported as a status, whose quantity has
    the execution fetched.
    """
    exec_type = EXEC_TYPES.get(order.exec_type, ExecType.STATUS)
    if exec_type is not ExecType.TRADE:
        return _as_it_stands(order, names, account, exec_type)
    if not (order.trade_id and order.last_qty and order.last_price):
        return _as_it_stands(order, names, account, ExecType.STATUS)
    return msgspec.structs.replace(
        _as_it_stands(order, names, account, exec_type),
        last_qty=unsigned(order.last_qty, "l"),
        last_px=unsigned(order.last_price, "L"),
        trade_id=TradeId(str(order.trade_id)),
        fee=checked(order.fee, "n"),
        fee_asset=order.fee_asset or "USDT",
        realized_pnl=checked_or_none(order.realized, "rp"),
        is_maker=order.is_maker,
        reason="",
    )


def _as_it_stands(
    order: OrderFields, names: OrderNames, account: AccountId, exec_type: ExecType
) -> ExecutionReport:
    """Turn what an event says of its order into a report, and leave out the execution."""
    qty, cum_qty = unsigned(order.qty, "q"), unsigned(order.cum_qty, "z")
    status = status_of(order.status, qty, cum_qty, order.exec_type)
    return ExecutionReport(
        account=account,
        symbol=Symbol(order.symbol),
        cl_ord_id=names.called(order.symbol, order.order_id, order.client_id),
        exec_type=exec_type,
        status=status,
        side=side_of(order.side),
        venue_ts=ns(order.trade_time),
        venue_order_id=str(order.order_id),
        order_type=ORDINARY_TYPES.get(order.order_type, OrderType.MARKET),
        time_in_force=TIMES_IN_FORCE.get(order.time_in_force, TimeInForce.GTC),
        qty=qty,
        price=unsigned(order.price, "p") or None,
        reduce_only=order.reduce_only,
        cum_qty=cum_qty,
        reason=expiry_reason(said(order.expiry_reason)),
        odd_status=odd_status(order.status, STATUSES, status),
    )


def algo_report(frame: AlgoFrame, names: OrderNames, account: AccountId) -> ExecutionReport:
    """Turn a conditional order's event into a report, and learn its child."""
    algo = frame.algo
    name, side = ClOrdId(algo.client_id), side_of(algo.side)
    names.note_side(name, side)
    child_id = child_of(algo.child_id)
    if child_id is not None:
        names.adopt_child(name, algo.symbol, child_id)
    qty, cum_qty = unsigned(algo.qty, "q"), executed(algo.executed)
    status = ALGO_STATUSES.get(algo.status, OrderStatus.NEW)
    if algo.status == "FINISHED" and cum_qty >= qty > ZERO:
        status = OrderStatus.FILLED
    return ExecutionReport(
        account=account,
        symbol=Symbol(algo.symbol),
        cl_ord_id=name,
        exec_type=STATUS_EXEC_TYPES.get(status, ExecType.STATUS),
        status=status,
        side=side,
        venue_ts=ns(frame.transaction_time),
        venue_order_id=str(algo.algo_id),
        order_type=ORDER_TYPES.get(algo.order_type, OrderType.STOP_MARKET),
        time_in_force=TIMES_IN_FORCE.get(algo.time_in_force, TimeInForce.GTC),
        qty=qty,
        price=unsigned(algo.price, "p") or None,
        trigger_price=unsigned(algo.trigger_price, "tp") or None,
        working_type=WORKING_TYPES.get(algo.working_type, WorkingType.CONTRACT_PRICE),
        reduce_only=algo.reduce_only,
        close_position=algo.close_position,
        cum_qty=cum_qty,
        reason=algo.refusal,
        odd_status=odd_status(algo.status, ALGO_STATUSES, status),
    )


def _only_symbol(positions: Sequence[frames.PositionFields]) -> str:
    """Return the symbol of an isolated position's funding; "" where it is not plain."""
    symbols = {each.symbol for each in positions}
    return symbols.pop() if len(symbols) == 1 else ""


def _isolated(positions: Sequence[frames.PositionFields]) -> dict[Symbol, Decimal]:
    """Return what stands for each symbol's positions alone, both sides together."""
    found: dict[Symbol, Decimal] = {}
    for each in positions:
        symbol, wallet = Symbol(each.symbol), checked(each.isolated_wallet, "iw")
        own = wallet if each.margin_type.upper() == "ISOLATED" else ZERO
        found[symbol] = found.get(symbol, ZERO) + own
    return found


def _margin_call(frame: MarginCallFrame) -> Sequence[UserEvent]:
    symbols = tuple(Symbol(each.symbol) for each in frame.positions)
    return (MarginCall(ns_or_0(frame.event_time), symbols),)


def _config(frame: ConfigFrame) -> Sequence[UserEvent]:
    ts, events = ns_or_0(frame.event_time), list[UserEvent]()
    if frame.leverage is not None:
        if frame.leverage.leverage < 1:
            raise BadFrame(f"a leverage must be 1 or more, was {frame.leverage.leverage}")
        events.append(LeverageSet(ts, Symbol(frame.leverage.symbol), frame.leverage.leverage))
    if frame.assets is not None:
        events.append(AssetModeSet(ts, frame.assets.is_multi))
    return events


def _expired(frame: ExpiredFrame) -> Sequence[UserEvent]:
    return (ListenKeyExpired(ns_or_0(frame.event_time), frame.listen_key),)


def _as_is(frame: StreamReply) -> Sequence[UserEvent]:
    return (frame,)
