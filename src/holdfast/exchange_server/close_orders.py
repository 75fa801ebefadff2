"""Conditional orders that close a whole position, whatever it is when they are triggered.

The core knows reduce-only orders of a fixed quantity. A close order is one as large as the
market takes: reduce-only, it fills exactly the position. What the core then says of the
remainder is put right here: the order was as large as what it closed. When the position is
gone by other means, the order expires with it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import msgspec

from ..exchange import AccountUpdate, Exchange, OrderKey, OrderUpdate, Output, VenueOrder
from ..exchange.orders import Expiry
from ..model.messages import ExecType
from ..model.values import ZERO, AccountId, OrderStatus, OrderType, Symbol
from . import terms

_TAKE_PROFITS = (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET)


def is_close_order(order: VenueOrder) -> bool:
    return bool(order.algo_id) and terms.read(order).close_position


def closes_something(exchange: Exchange, order: VenueOrder) -> bool:
    """Tell whether there is a position that an order would reduce."""
    return any(
        (position.symbol, position.side) == (order.symbol, order.position_side)
        and position.qty * order.side.sign < ZERO
        for position in exchange.held(order.account)
    )


def has_same(exchange: Exchange, wanted: VenueOrder) -> bool:
    """Tell whether a close order of the same direction and kind (stop or profit) is open."""
    return any(
        order.is_waiting
        and order.side is wanted.side
        and order.position_side is wanted.position_side
        and _is_take_profit(order) is _is_take_profit(wanted)
        and is_close_order(order)
        for order in exchange.open_orders(wanted.account, wanted.symbol)
    )


def _is_take_profit(order: VenueOrder) -> bool:
    return order.asked.order_type in _TAKE_PROFITS


def settle(exchange: Exchange, outputs: Sequence[Output], now: int) -> Sequence[Output]:
    """Put right what was said of close orders, and let go of those whose position is gone."""
    moved: dict[tuple[AccountId, Symbol], None] = {}
    triggered: dict[int, None] = {}
    for output in outputs:
        if isinstance(output, AccountUpdate):
            if output.symbol:
                moved[output.account, output.symbol] = None
        elif isinstance(output, OrderUpdate) and _is_triggered_close(output.order):
            triggered[output.order.uid] = None
    for uid in triggered:
        outputs = _as_large_as_filled(exchange, outputs, uid)
    for account, symbol in moved:
        outputs = [*outputs, *_let_go(exchange, account, symbol, now)]
    return outputs


def _is_triggered_close(order: VenueOrder) -> bool:
    return bool(order.order_id) and is_close_order(order)


def _as_large_as_filled(
    exchange: Exchange, outputs: Sequence[Output], uid: int
) -> Sequence[Output]:
    order = exchange.order_by_id(uid)
    if order is None or order.is_open or not order.cum_qty:
        return outputs
    order.qty = order.cum_qty
    if not closes_something(exchange, order):
        order.status, order.expiry, order.reason = OrderStatus.FILLED, Expiry.NONE, ""
    is_filled = order.status is OrderStatus.FILLED
    own = [o for o in outputs if isinstance(o, OrderUpdate) and o.order.uid == uid]
    last_fill = [o for o in own if o.report.exec_type is ExecType.TRADE][-1]
    told: list[Output] = []
    for output in outputs:
        if not isinstance(output, OrderUpdate) or output.order.uid != uid:
            told.append(output)
        elif not is_filled or output.report.exec_type is not ExecType.EXPIRED:
            ends = is_filled and output is last_fill
            told.append(_resized(output, order, ends=ends))
    return told


def _resized(update: OrderUpdate, order: VenueOrder, *, ends: bool) -> OrderUpdate:
    shown = copy.copy(update.order)
    shown.qty = order.qty
    if ends:
        shown.status = order.status
    report = msgspec.structs.replace(update.report, qty=order.qty, status=shown.status)
    return OrderUpdate(report=report, order=shown)


def _let_go(exchange: Exchange, account: AccountId, symbol: Symbol, now: int) -> list[Output]:
    told: list[Output] = []
    for order in exchange.open_orders(account, symbol):
        is_orphan = order.is_waiting and is_close_order(order)
        if not is_orphan or closes_something(exchange, order):
            continue
        key = OrderKey(account, symbol, order.cl_ord_id)
        told += [
            _as_expired(output, order) if isinstance(output, OrderUpdate) else output
            for output in exchange.cancel(key, now, is_conditional=True)
        ]
    return told


def _as_expired(update: OrderUpdate, order: VenueOrder) -> OrderUpdate:
    order.status, order.reason = OrderStatus.EXPIRED, "its position is gone"
    shown = copy.copy(order)
    report = msgspec.structs.replace(
        update.report,
        exec_type=ExecType.EXPIRED,
        status=OrderStatus.EXPIRED,
        reason=order.reason,
    )
    return OrderUpdate(report=report, order=shown)
