"""Conditional orders: placing, cancelling, asking after them. They are never amended."""

from __future__ import annotations

from ..exchange import OrderKey, VenueOrder
from . import close_orders, order_answers, order_params
from .errors import (
    CANCEL_REJECTED,
    CLOSE_ORDER_EXISTS,
    NO_POSITION_FOR_GTE,
    NO_SUCH_ORDER,
    ApiError,
)
from .methods import Method, Methods, RequestContext, lags
from .params import Params
from .ranges import time_range
from .rest_orders import placed
from .terms import ALGO_ID_BASE, read

RANGE_DAYS = 7


def place(ctx: RequestContext, params: Params) -> object:
    wanted = order_params.conditional(ctx.venue, ctx.account, params)
    shell = wanted.shell()
    if read(shell).close_position:
        _check_close(ctx, shell)
    return order_answers.algo_acknowledgement(ctx.venue, placed(ctx, wanted))


def _check_close(ctx: RequestContext, order: VenueOrder) -> None:
    exchange = ctx.venue.exchange
    if close_orders.has_same(exchange, order):
        raise ApiError(CLOSE_ORDER_EXISTS)
    if not close_orders.closes_something(exchange, order):
        raise ApiError(NO_POSITION_FOR_GTE)


def named(ctx: RequestContext, params: Params) -> VenueOrder | None:
    """Return the order that a request names by `algoId`, else by `clientAlgoId`."""
    params.need_one_of("algoId", "clientAlgoId")
    records = ctx.venue.archive.of(ctx.account)
    algo_id = params.integer("algoId")
    if algo_id is not None:
        return records.by_algo_id(algo_id - ALGO_ID_BASE)
    return records.by_client_algo_id(params.need("clientAlgoId"))


def query(ctx: RequestContext, params: Params) -> object:
    order = named(ctx, params)
    if order is None or lags(ctx, order.created_ts, "GET /fapi/v1/algoOrder"):
        raise ApiError(NO_SUCH_ORDER)
    return order_answers.algo_row(ctx.venue, order)


def open_orders(ctx: RequestContext, params: Params) -> object:
    text = params.text("symbol")
    symbol = ctx.venue.tape(text).symbol if text is not None else None
    algo_id = params.integer("algoId")
    return [
        order_answers.algo_row(ctx.venue, order)
        for order in ctx.venue.exchange.open_orders(ctx.account, symbol)
        if order.is_waiting
        and (algo_id is None or order.algo_id == algo_id - ALGO_ID_BASE)
        and not lags(ctx, order.created_ts, "GET /fapi/v1/openAlgoOrders")
    ]


def all_orders(ctx: RequestContext, params: Params) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    least = params.integer("algoId")
    limit = params.limit(500, 1000)
    start, end = time_range(params, ctx.now, days=RANGE_DAYS, bounded=least is None)
    found = [
        order
        for order in ctx.venue.archive.of(ctx.account).conditional()
        if order.symbol == symbol
        and (
            order.algo_id >= least - ALGO_ID_BASE
            if least is not None
            else start <= order.created_ts <= end
        )
        and not lags(ctx, order.created_ts, "GET /fapi/v1/allAlgoOrders")
    ]
    chosen = found[:limit] if least is not None or params.has("startTime") else found[-limit:]
    return [order_answers.algo_row(ctx.venue, order) for order in chosen]


def cancel(ctx: RequestContext, params: Params) -> object:
    order = named(ctx, params)
    if order is None or not order.is_open or not order.is_waiting:
        raise ApiError(CANCEL_REJECTED)
    key = OrderKey(order.account, order.symbol, order.cl_ord_id)
    ctx.venue.cancel(key, is_conditional=True)
    return {
        "algoId": order.algo_id + ALGO_ID_BASE,
        "clientAlgoId": order.cl_ord_id,
        "code": "200",
        "msg": "success",
    }


def cancel_all(ctx: RequestContext, params: Params) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    ctx.venue.cancel_all(ctx.account, symbol, is_conditional=True)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _weight_of_open(params: Params) -> int:
    return 1 if params.has("symbol") else 40


METHODS: Methods = {
    ("POST", "/fapi/v1/algoOrder"): Method(place, 0, orders=1, is_order=True),
    ("DELETE", "/fapi/v1/algoOrder"): Method(cancel, 1, is_order=True),
    ("GET", "/fapi/v1/algoOrder"): Method(query, 1),
    ("GET", "/fapi/v1/openAlgoOrders"): Method(open_orders, _weight_of_open),
    ("GET", "/fapi/v1/allAlgoOrders"): Method(all_orders, 5),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Method(cancel_all, 1, is_order=True),
}
