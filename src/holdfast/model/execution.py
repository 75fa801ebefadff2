"""What a venue says of one order: placed, executed, amended, ended."""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from .values import (
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
    WorkingType,
)


class ExecType(enum.Enum):
    """Why an execution report was sent (FIX tag 150)."""

    NEW = "NEW"
    TRADE = "TRADE"
    TRIGGERED = "TRIGGERED"
    REPLACED = "REPLACED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    STATUS = "STATUS"  # the answer to a query, or a snapshot's row


class ExecutionReport(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What a venue says of one order.

    `qty` and `price` are the order's own; `cum_qty` is what has executed so far as the venue
    counts it. The `last_*` fields, `trade_id`, `fee` and `realized_pnl` belong to a TRADE
    alone; `realized_pnl` None leaves the profit for us to work out. A fill that we never
    ordered (liquidation, another program) comes with the venue's own client id. `venue_ts` is 0
    in an answer that names no time of the venue's. `odd_status` is the venue's word for a status
    that nobody here knows: `status` is then as open as the quantities say, which may be wrong.
    """

    account: AccountId = MAIN
    symbol: Symbol
    cl_ord_id: ClOrdId
    exec_type: ExecType
    status: OrderStatus
    side: Side
    venue_ts: int
    venue_order_id: str = ""
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.GTC
    qty: Decimal = ZERO
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    reduce_only: bool = False
    close_position: bool = False
    cum_qty: Decimal = ZERO
    last_qty: Decimal = ZERO
    last_px: Decimal = ZERO
    trade_id: TradeId = TradeId("")
    fee: Decimal = ZERO
    fee_asset: str = "USDT"
    realized_pnl: Decimal | None = None
    is_maker: bool = False
    code: int | None = None
    reason: str = ""
    odd_status: str = ""
    asked_ts: int = 0  # our time when the question was asked, in the answer to a query
