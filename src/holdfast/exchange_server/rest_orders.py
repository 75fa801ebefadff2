"""Ordinary orders: placing, amending, cancelling, alone and in batches, and asking after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..exchange import (
    ADL_PREFIX,
    LIQUIDATION_PREFIX,
    OrderKey,
    OrderUpdate,
    Output,
    VenueOrder,
)
from ..exchange.filters import refusal_of
from ..model.messages import ExecType, ExecutionReport, RequestRefused
from ..model.values import OrderStatus, OrderType, Symbol, plain
from . import order_answers, order_params
from .archive import booked_ts, is_visible
from .errors import (
    BAD_BATCH_SIZE,
    BAD_COMBINATION,
    BAD_TYPE,
    CANCEL_REJECTED,
    NO_SUCH_ORDER,
    NOT_REDUCE_ONLY,
    TEXTS,
    ApiError,
    invalid,
    missing,
)
from .frames import ms
from .methods import Method, Methods, RequestContext, lags
from .order_answers import Json
from .order_params import Wanted
from .params import Params
from .ranges import time_range

BATCH_MAX = 5
CANCEL_BATCH_MAX = 10
ORDERS_RANGE_DAYS = 7
COUNTDOWN_MS_MAX = 2**53
MODIFY_ID_DIGITS = 18
_FORCED = {"LIQUIDATION": LIQUIDATION_PREFIX, "ADL": ADL_PREFIX}
"""How the client ids begin of what the exchange places of itself."""


def declined(ctx: RequestContext, code: int | None, why: str, symbol: str) -> ApiError:
    """Say in the venue's words why the core refused; its own words go along for people."""
    code = code if code is not None else -2010
    text = TEXTS.get(code, "NEW_ORDER_REJECTED")
    if "{least}" in text:
        least = ctx.venue.tapes[Symbol(symbol)].instrument.min_notional
        text = text.format(least=plain(least))
    return ApiError(code, text, why=why)


def placed(ctx: RequestContext, wanted: Wanted) -> VenueOrder:
    """Place an order and return it as the answer shows it: as accepted, or as it has ended."""
    order = wanted.order
    outputs = ctx.venue.submit(order, wanted.self_trade, wanted.position_side)
    for output in outputs:
        if isinstance(output, ExecutionReport):
            raise declined(ctx, output.code, output.reason, order.symbol)
    told = [output.order for output in outputs if isinstance(output, OrderUpdate)]
    asker = order.account, order.cl_ord_id  # others may have orders of that id, and be filled by it
    first = next(each for each in told if (each.account, each.cl_ord_id) == asker)
    last = next(each for each in reversed(told) if each.uid == first.uid)
    return last if wanted.is_final else first


def place(ctx: RequestContext, params: Params) -> object:
    wanted = order_params.ordinary(ctx.venue, ctx.account, params)
    return order_answers.acknowledgement(ctx.venue, placed(ctx, wanted))


def check(ctx: RequestContext, params: Params) -> object:
    """Say whether an order would be well-formed; it goes nowhere. The margin is not looked at."""
    kind = params.choice("type", OrderType, BAD_TYPE)
    read = order_params.conditional if kind and kind.is_conditional else order_params.ordinary
    if kind and kind.is_conditional:
        params = params.renamed({"newClientOrderId": "clientAlgoId", "stopPrice": "triggerPrice"})
    wanted = read(ctx.venue, ctx.account, params)
    order = wanted.order
    instrument = ctx.venue.tapes[order.symbol].instrument
    refusal = refusal_of(order, instrument, ctx.venue.exchange.mark_price(order.symbol), ctx.now)
    if refusal is not None:
        raise declined(ctx, refusal.code, refusal.text, order.symbol)
    return order_answers.tested(ctx.venue, wanted.shell(ctx.now))


# Finding an order


def named(ctx: RequestContext, params: Params) -> VenueOrder | None:
    """Return the order that a request names by `orderId`, else by `origClientOrderId`."""
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    params.need_one_of("orderId", "origClientOrderId")
    records = ctx.venue.archive.of(ctx.account)
    order_id = params.integer("orderId", least=-(2**63))
    if order_id is not None:
        order = records.by_id(order_id)
    else:
        order = records.by_client_id(symbol, params.need("origClientOrderId"))
    if order is None or order.symbol != symbol or not order.order_id:
        return None
    return order


def query(ctx: RequestContext, params: Params) -> object:
    order = named(ctx, params)
    if order is None or not _is_shown(ctx, order, "GET /fapi/v1/order"):
        raise ApiError(NO_SUCH_ORDER)
    return order_answers.row(ctx.venue, order)


def query_open(ctx: RequestContext, params: Params) -> object:
    order = named(ctx, params)
    if order is None or not order.is_open or not _is_shown(ctx, order, "GET /fapi/v1/openOrder"):
        raise ApiError(NO_SUCH_ORDER)
    return order_answers.row(ctx.venue, order)


def _is_shown(ctx: RequestContext, order: VenueOrder, place: str) -> bool:
    return is_visible(order, ctx.now) and not lags(ctx, booked_ts(order), place)


def open_orders(ctx: RequestContext, params: Params) -> object:
    text = params.text("symbol")
    symbol = ctx.venue.tape(text).symbol if text is not None else None
    orders = ctx.venue.exchange.open_orders(ctx.account, symbol)
    place = "GET /fapi/v1/openOrders"
    return [
        order_answers.row(ctx.venue, order)
        for order in orders
        if order.order_id and not lags(ctx, booked_ts(order), place)
    ]


def all_orders(ctx: RequestContext, params: Params) -> object:
    text = params.text("symbol")
    symbol = ctx.venue.tape(text).symbol if text is not None else None
    least = params.integer("orderId")
    limit = params.limit(500, 1000)
    start, end = time_range(params, ctx.now, days=ORDERS_RANGE_DAYS, bounded=least is None)
    found = [
        order
        for order in ctx.venue.archive.of(ctx.account).ordinary(ctx.now)
        if (symbol is None or order.symbol == symbol)
        and (order.order_id >= least if least is not None else start <= booked_ts(order) <= end)
        and not lags(ctx, booked_ts(order), "GET /fapi/v1/allOrders")
    ]
    from_first = least is not None or params.has("startTime")
    chosen = found[:limit] if from_first else found[-limit:]
    return [order_answers.long_row(ctx.venue, order) for order in chosen]


# Cancelling


def cancel(ctx: RequestContext, params: Params) -> object:
    order = named(ctx, params)
    return order_answers.acknowledgement(ctx.venue, _canceled(ctx, order))


def _canceled(ctx: RequestContext, order: VenueOrder | None) -> VenueOrder:
    if order is None:
        raise ApiError(CANCEL_REJECTED)
    key = OrderKey(order.account, order.symbol, order.cl_ord_id)
    live = ctx.venue.exchange.query(key, is_conditional=False)
    if live is None or live.order_id != order.order_id or not live.is_open:
        raise ApiError(CANCEL_REJECTED)  # the id may be on another order by now
    outputs = ctx.venue.cancel(key, is_conditional=False)
    return _told(ctx, outputs, order)


def _told(ctx: RequestContext, outputs: Sequence[Output], order: VenueOrder) -> VenueOrder:
    """Return an order as it stood when the core had done what was asked."""
    told = order
    for output in outputs:
        if isinstance(output, RequestRefused):
            raise declined(ctx, output.code, output.reason, order.symbol)
        if isinstance(output, OrderUpdate) and output.order.uid == order.uid:
            told = output.order
            if output.report.exec_type is ExecType.REPLACED:
                break
    return told


def cancel_all(ctx: RequestContext, params: Params) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    ctx.venue.cancel_all(ctx.account, symbol, is_conditional=False)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def countdown(ctx: RequestContext, params: Params) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    countdown_ms = params.need_integer("countdownTime")
    ctx.venue.set_countdown(ctx.account, symbol, min(countdown_ms, COUNTDOWN_MS_MAX))
    return {"symbol": symbol, "countdownTime": str(countdown_ms)}


# Amending


def amend(ctx: RequestContext, params: Params) -> object:
    tape = ctx.venue.tape(params.need("symbol"))
    order_params.need_side(params)
    order = named(ctx, params)
    qty = order_params.quantity(params, tape)
    match = order_params.match_of(params)
    modify_id = order_params.modify_id(params)
    if match == "NONE":
        price = order_params.limit(params, tape)
    if order is None or not order.is_open:
        raise ApiError(NO_SUCH_ORDER)
    if params.flag("reduceOnly") and not order.asked.reduce_only:
        raise ApiError(NOT_REDUCE_ONLY)
    if match != "NONE":
        price = order_params.matched_price(ctx.venue, tape, order.side, match)
    told = _told(ctx, ctx.venue.replace(order, qty, price, modify_id), order)
    answer = order_answers.acknowledgement(ctx.venue, told) | {"pair": order.symbol}
    if modify_id:
        answer["modifyId"] = _modify_id(modify_id)
    return answer


def _modify_id(text: str) -> int | str:
    """Return an amendment's id as answers show it; events show the text."""
    return int(text) if text.isdecimal() and len(text) <= MODIFY_ID_DIGITS else text


def amendments(ctx: RequestContext, params: Params) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    order = named(ctx, params) if params.has("orderId") or params.has("origClientOrderId") else None
    start, end = time_range(params, ctx.now, days=None)
    digits = ctx.venue.tapes[symbol].digits
    rows: list[Json] = []
    for each in ctx.venue.archive.of(ctx.account).amendments:
        is_meant = order is None or each.order.order_id == order.order_id
        if each.order.symbol != symbol or not is_meant or not start <= each.ts <= end:
            continue
        after = each.order
        price = {"before": digits.px(each.price_before), "after": digits.px(after.price or 0)}
        qty = {"before": digits.amount(each.qty_before), "after": digits.amount(after.qty)}
        amendment: Json = {"price": price, "origQty": qty, "count": after.amendments}
        if each.modify_id:
            amendment["modifyId"] = _modify_id(each.modify_id)
        rows.append(
            {
                "amendmentId": each.number,
                "symbol": symbol,
                "pair": symbol,
                "orderId": after.order_id,
                "clientOrderId": ctx.venue.name_of(after),
                "time": ms(each.ts),
                "amendment": amendment,
            }
        )
    return rows[-params.limit(50, 100) :]


# Batches: each part is answered for itself

Single = Callable[[RequestContext, Params], object]


def _one_by_one(single: Single) -> Single:
    def batch(ctx: RequestContext, params: Params) -> object:
        wanted = params.array("batchOrders")
        if wanted is None:
            raise missing("batchOrders")
        if not 1 <= len(wanted) <= BATCH_MAX:
            text = f"Invalid number of batch place orders: {len(wanted)}"
            raise ApiError(BAD_BATCH_SIZE, text)
        return [_answer(ctx, single, each) for each in wanted]

    return batch


def _answer(ctx: RequestContext, single: Single, wanted: object) -> object:
    try:
        if not isinstance(wanted, Mapping):
            raise missing("batchOrders")
        return single(ctx, Params(wanted))
    except ApiError as error:
        return error.body


def cancel_batch(ctx: RequestContext, params: Params) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    ids = params.array("orderIdList")
    client_ids = params.array("origClientOrderIdList")
    wanted = ids if ids is not None else client_ids
    if wanted is None:
        params.need_one_of("orderIdList", "origClientOrderIdList")
        raise missing("orderIdList")
    if not 1 <= len(wanted) <= CANCEL_BATCH_MAX:
        raise ApiError(BAD_COMBINATION, why=f"1 to {CANCEL_BATCH_MAX} orders, not {len(wanted)}")
    name = "orderId" if ids is not None else "origClientOrderId"
    return [_answer(ctx, cancel, {"symbol": symbol, name: each}) for each in wanted]


def forced(ctx: RequestContext, params: Params) -> object:
    """Return the orders by which the account was liquidated or deleveraged."""
    text = params.text("symbol")
    symbol = ctx.venue.tape(text).symbol if text is not None else None
    kind = params.text("autoCloseType")
    prefixes = _FORCED.get(kind) if kind is not None else tuple(_FORCED.values())
    if prefixes is None:
        raise invalid("autoCloseType")
    start, end = time_range(params, ctx.now, days=None)
    found = [
        order
        for order in ctx.venue.archive.of(ctx.account).ordinary(ctx.now)
        if order.cl_ord_id.startswith(prefixes)
        and order.status is OrderStatus.FILLED
        and (symbol is None or order.symbol == symbol)
        and start <= order.created_ts <= end
    ]
    return [order_answers.forced_row(ctx.venue, order) for order in found[-params.limit(50, 100) :]]


def _weight_of_open(params: Params) -> int:
    return 1 if params.has("symbol") else 40


def _weight_of_forced(params: Params) -> int:
    return 20 if params.has("symbol") else 50


METHODS: Methods = {
    ("POST", "/fapi/v1/order"): Method(place, 0, orders=1, is_order=True),
    ("POST", "/fapi/v1/order/test"): Method(check, 1),
    ("PUT", "/fapi/v1/order"): Method(amend, 0, orders=1, is_order=True),
    ("DELETE", "/fapi/v1/order"): Method(cancel, 1, is_order=True),
    ("GET", "/fapi/v1/order"): Method(query, 1),
    ("GET", "/fapi/v1/openOrder"): Method(query_open, 1),
    ("GET", "/fapi/v1/openOrders"): Method(open_orders, _weight_of_open),
    ("GET", "/fapi/v1/allOrders"): Method(all_orders, 5),
    ("POST", "/fapi/v1/batchOrders"): Method(_one_by_one(place), 5, orders=5, is_order=True),
    ("PUT", "/fapi/v1/batchOrders"): Method(_one_by_one(amend), 5, orders=5, is_order=True),
    ("DELETE", "/fapi/v1/batchOrders"): Method(cancel_batch, 1, is_order=True),
    ("DELETE", "/fapi/v1/allOpenOrders"): Method(cancel_all, 1, is_order=True),
    ("POST", "/fapi/v1/countdownCancelAll"): Method(countdown, 10),
    ("GET", "/fapi/v1/orderAmendment"): Method(amendments, 1),
    ("GET", "/fapi/v1/forceOrders"): Method(forced, _weight_of_forced),
}
