"""What an account has done: its executions, and everything that moved its wallet."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

from ..exchange import position_side_of
from ..model.messages import AccountChange, ExecutionReport, FundingPayment, SettlementPayment
from ..model.values import NS_PER_DAY, ZERO, Side, plain
from .errors import BAD_COMBINATION, ApiError
from .frames import ms
from .methods import Method, Methods, RequestContext, lags
from .order_answers import Json
from .params import Params
from .ranges import time_range
from .rest_account import money

TRADES_RANGE_DAYS = 7
INCOME_RANGE_DAYS = 7
TRAN_ID_SPARE_BITS = 11
"""Numbers on the wire have 53 bits."""


def user_trades(ctx: RequestContext, params: Params, most: int | None = None) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    order_id, from_id = params.integer("orderId"), params.integer("fromId")
    if from_id is not None and (params.has("startTime") or params.has("endTime")):
        raise ApiError(BAD_COMBINATION, why="fromId stands in the place of times")
    limit = most or params.limit(500, 1000)
    start, end = time_range(params, ctx.now, days=TRADES_RANGE_DAYS, bounded=from_id is None)
    found = [
        trade
        for trade in ctx.venue.archive.of(ctx.account).trades
        if trade.symbol == symbol
        and (order_id is None or trade.venue_order_id == str(order_id))
        and (
            int(trade.trade_id) >= from_id
            if from_id is not None
            else start <= trade.venue_ts <= end
        )
        and not lags(ctx, trade.venue_ts, "GET /fapi/v1/userTrades")
    ]
    from_first = from_id is not None or params.has("startTime")
    return [_trade(ctx, trade) for trade in (found[:limit] if from_first else found[-limit:])]


def _trade(ctx: RequestContext, trade: ExecutionReport) -> Json:
    tape = ctx.venue.tapes[trade.symbol]
    return {
        "symbol": trade.symbol,
        "pair": trade.symbol,
        "id": int(trade.trade_id),
        "orderId": int(trade.venue_order_id),
        "side": trade.side.value,
        "price": tape.digits.px(trade.last_px),
        "qty": tape.digits.amount(trade.last_qty),
        "quoteQty": plain(trade.last_px * trade.last_qty),
        "baseQty": "0",
        "realizedPnl": money(trade.realized_pnl or ZERO),
        "marginAsset": tape.instrument.margin_asset,
        "commission": money(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": ms(trade.venue_ts),
        "positionSide": position_side_of(trade).value,
        "buyer": trade.side is Side.BUY,
        "maker": trade.is_maker,
    }


# What moved the wallet

_INCOME_TYPES = {
    "deposit": "TRANSFER",
    "insurance": "INSURANCE_CLEAR",
    "auto_exchange": "AUTO_EXCHANGE",
}


class _Income(NamedTuple):
    ts: int
    kind: str
    symbol: str
    amount: Decimal
    asset: str
    tran_id: int
    trade_id: str


def income(ctx: RequestContext, params: Params, most: int | None = None) -> object:
    text, kind = params.text("symbol"), params.text("incomeType")
    symbol = ctx.venue.tape(text).symbol if text is not None else None
    limit = most or params.limit(100, 1000)
    start, end = time_range(params, ctx.now, days=None)
    if not params.has("startTime"):
        start = max(start, end - INCOME_RANGE_DAYS * NS_PER_DAY)
    found = [
        each
        for each in _incomes(ctx)
        if start <= each.ts <= end
        and (symbol is None or each.symbol == symbol)
        and (kind is None or each.kind == kind)
        and not lags(ctx, each.ts, "GET /fapi/v1/income")
    ]
    found.sort(key=lambda each: each.ts)
    return [
        {
            "symbol": each.symbol,
            "incomeType": each.kind,
            "income": money(each.amount),
            "asset": each.asset,
            "info": each.trade_id or each.kind,
            "time": ms(each.ts),
            "tranId": each.tran_id,
            "tradeId": each.trade_id,
        }
        for each in (found[:limit] if params.has("startTime") else found[-limit:])
    ]


def _incomes(ctx: RequestContext) -> Iterator[_Income]:
    records = ctx.venue.archive.of(ctx.account)
    for trade in records.trades:
        number, tape = int(trade.trade_id), ctx.venue.tapes[trade.symbol]
        if trade.realized_pnl:
            yield _Income(
                trade.venue_ts,
                "REALIZED_PNL",
                trade.symbol,
                trade.realized_pnl,
                tape.instrument.margin_asset,
                number,
                trade.trade_id,
            )
        if trade.fee:
            yield _Income(
                trade.venue_ts,
                "COMMISSION",
                trade.symbol,
                -trade.fee,
                trade.fee_asset,
                number,
                trade.trade_id,
            )
    for each in records.incomes:
        yield _other_income(each)


def _other_income(income: AccountChange) -> _Income:
    if isinstance(income, FundingPayment):
        digest = blake2b(income.payment_id.encode(), digest_size=8).digest()
        tran_id = int.from_bytes(digest) >> TRAN_ID_SPARE_BITS or 1
        return _Income(
            income.venue_ts, "FUNDING_FEE", income.symbol, income.amount, income.asset, tran_id, ""
        )
    if isinstance(income, SettlementPayment):
        number = int(income.settlement_id.rpartition("-")[2])
        kind, symbol = "DELIVERED_SETTELMENT", income.symbol
        return _Income(income.venue_ts, kind, symbol, income.amount, income.asset, number, "")
    kind = _INCOME_TYPES.get(income.reason, income.reason.upper())
    tran_id = int(income.change_id.rpartition("-")[2])
    return _Income(income.venue_ts, kind, "", income.amount, income.asset, tran_id, "")


METHODS: Methods = {
    ("GET", "/fapi/v1/userTrades"): Method(user_trades, 5),
    ("GET", "/fapi/v1/income"): Method(income, 30),
}
