"""Commands of the engine as the venue's requests.

Conditional orders go to the algo service. Quantities are named, but where a whole position is to
be closed that no quantity can be named of.
The command's own times go on the wire: cut to milliseconds, the venue's fence is never later
than the engine's.
"""

from __future__ import annotations

from ....model.commands import CancelOrder, QueryOrder, ReplaceOrder, SubmitOrder
from ....model.values import NS_PER_S, NewOrder, OrderType, TimeInForce, plain
from .calls import Call, Cost, Params, Route
from .wire import ms

ORDER_COST = Cost(weight=0, orders_10s=1, orders_1m=1)

PLACE = Route("POST", "/fapi/v1/order", "order.place", ORDER_COST)
MODIFY = Route("PUT", "/fapi/v1/order", "order.modify", ORDER_COST)
CANCEL = Route("DELETE", "/fapi/v1/order", "order.cancel")
STATUS = Route("GET", "/fapi/v1/order", "order.status")
ALGO_PLACE = Route("POST", "/fapi/v1/algoOrder", "algoOrder.place", ORDER_COST)
ALGO_CANCEL = Route("DELETE", "/fapi/v1/algoOrder", "algoOrder.cancel")
ALGO_STATUS = Route("GET", "/fapi/v1/algoOrder")

_TRIGGERED_AS_LIMIT = (OrderType.STOP, OrderType.TAKE_PROFIT)


def submit(command: SubmitOrder, *, position_side: str = "", response: str = "ACK") -> Call:
    """Place an order.

    Args:
        position_side: LONG or SHORT, where the account is in hedge mode; there the venue takes
            no reduce-only flag, so none is sent.
        response: ACK answers as soon as the order is taken; RESULT waits for what a market, IOC
            or FOK order becomes.
    """
    order = command.order
    if order.order_type.is_conditional:
        return Call(ALGO_PLACE, _conditional(command, position_side))
    params: Params = {"newClientOrderId": order.cl_ord_id, "newOrderRespType": response}
    if position_side:
        params["positionSide"] = position_side
    if order.price is not None:
        params["price"] = plain(order.price)
    params["quantity"] = plain(order.qty)
    params["recvWindow"] = ms(command.recv_window_ns)
    if order.reduce_only and not position_side:
        params["reduceOnly"] = "true"
    params["side"] = order.side._value_
    params["symbol"] = order.symbol
    if order.order_type is OrderType.LIMIT:
        _add_time_in_force(params, order)
    params["timestamp"] = ms(command.ts)
    params["type"] = order.order_type._value_
    return Call(PLACE, params)


def _conditional(command: SubmitOrder, position_side: str) -> Params:
    order = command.order
    params: Params = {
        "algoType": "CONDITIONAL",
        "clientAlgoId": order.cl_ord_id,
        "recvWindow": ms(command.recv_window_ns),
        "side": order.side._value_,
        "symbol": order.symbol,
        "timestamp": ms(command.ts),
        "type": order.order_type._value_,
        "workingType": order.working_type.value,
    }
    if order.close_position:
        params["closePosition"] = "true"
    else:
        params["quantity"] = plain(order.qty)
    if position_side:
        params["positionSide"] = position_side
    elif order.reduce_only and not order.close_position:
        params["reduceOnly"] = "true"
    if order.trigger_price is not None:
        params["triggerPrice"] = plain(order.trigger_price)
    if order.order_type in _TRIGGERED_AS_LIMIT and order.price is not None:
        params["price"] = plain(order.price)
        _add_time_in_force(params, order)
    if order.callback_rate is not None:
        params["callbackRate"] = plain(order.callback_rate)
    if order.activation_price is not None:
        params["activatePrice"] = plain(order.activation_price)
    return params


def _add_time_in_force(params: Params, order: NewOrder) -> None:
    params["timeInForce"] = order.time_in_force.value
    if order.time_in_force is TimeInForce.GTD and order.expire_ts is not None:
        params["goodTillDate"] = order.expire_ts // NS_PER_S * 1000  # the venue takes whole seconds


def replace(command: ReplaceOrder, *, order_id: int | None = None) -> Call:
    """Amend a resting limit order; `order_id` names it where our own id may not."""
    params: Params = {
        "price": plain(command.price),
        "quantity": plain(command.qty),
        "recvWindow": ms(command.recv_window_ns),
        "side": command.side.value,
        "symbol": command.symbol,
        "timestamp": ms(command.ts),
    }
    return Call(MODIFY, _address(params, command, order_id))


def cancel(command: CancelOrder, *, order_id: int | None = None) -> Call:
    """Take an order back: a conditional one at the algo service, its child as any other."""
    params: Params = {"recvWindow": ms(command.recv_window_ns), "timestamp": ms(command.ts)}
    if command.is_conditional:
        return Call(ALGO_CANCEL, _algo_address(params, command))
    params["symbol"] = command.symbol
    return Call(CANCEL, _address(params, command, order_id))


def query(
    command: QueryOrder, ts: int, recv_window_ns: int, *, order_id: int | None = None
) -> Call:
    """Ask after an order. With `order_id` the ordinary order of that id is asked for, even if
    the command speaks of a conditional one: its child.
    """
    params: Params = {"recvWindow": ms(recv_window_ns), "timestamp": ms(ts)}
    if command.is_conditional and order_id is None:
        return Call(ALGO_STATUS, _algo_address(params, command))
    params["symbol"] = command.symbol
    return Call(STATUS, _address(params, command, order_id))


def _address(
    params: Params, command: CancelOrder | QueryOrder | ReplaceOrder, order_id: int | None
) -> Params:
    if order_id is not None:
        params["orderId"] = order_id
    elif command.venue_order_id:
        params["orderId"] = int(command.venue_order_id)
    else:
        params["origClientOrderId"] = command.cl_ord_id
    return params


def _algo_address(params: Params, command: CancelOrder | QueryOrder) -> Params:
    if command.venue_order_id:
        params["algoId"] = int(command.venue_order_id)
    else:
        params["clientAlgoId"] = command.cl_ord_id
    return params
