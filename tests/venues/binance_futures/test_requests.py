from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.values import NS_PER_S, OrderType, Side, TimeInForce, WorkingType
from holdfast.venues.binance_futures import codec
from holdfast.venues.binance_futures.codec import reads, requests
from holdfast.venues.binance_futures.sign import Credentials
from tests.venues.binance_futures import frames
from tests.venues.binance_futures.frames import BTC, MS, NAME, WINDOW, T

MARKET = {
    "newClientOrderId": NAME,
    "newOrderRespType": "ACK",
    "quantity": "0.03",
    "recvWindow": 5000,
    "side": "BUY",
    "symbol": "BTCUSDT",
    "timestamp": T,
    "type": "MARKET",
}
ALGO = {
    "algoType": "CONDITIONAL",
    "clientAlgoId": NAME,
    "quantity": "0.03",
    "recvWindow": 5000,
    "side": "SELL",
    "symbol": "BTCUSDT",
    "timestamp": T,
    "workingType": "CONTRACT_PRICE",
}
CREDENTIALS = Credentials("the-key", "the-secret")


def params(*args, **fields):
    return requests.submit(frames.submit(**fields), *args).params


def test_a_market_order_names_quantity_and_no_price_or_time_in_force():
    call = requests.submit(frames.submit())

    assert call.params == MARKET
    assert call.route.ws_method == "order.place"
    assert (call.route.verb, call.route.path) == ("POST", "/fapi/v1/order")
    assert call.cost == (0, 1, 1)


def test_a_limit_order_names_price_and_time_in_force():
    limit = {"order_type": OrderType.LIMIT, "price": Decimal("61234.50")}
    plain = MARKET | {"type": "LIMIT", "price": "61234.5", "timeInForce": "GTX"}

    assert params(**limit, time_in_force=TimeInForce.GTX) == plain
    good_till = {"time_in_force": TimeInForce.GTD, "expire_ts": 1_790_009_999 * NS_PER_S + 5}
    assert params(**limit, **good_till) == plain | {
        "timeInForce": "GTD",
        "goodTillDate": 1_790_009_999_000,
    }


def test_an_exit_is_reduce_only_and_in_hedge_mode_a_position_side_instead():
    assert params(reduce_only=True) == MARKET | {"reduceOnly": "true"}
    hedged = requests.submit(frames.submit(reduce_only=True), position_side="LONG")
    assert hedged.params == MARKET | {"positionSide": "LONG"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"order_type": OrderType.STOP_MARKET, "trigger_price": Decimal(60_000)},
            {"type": "STOP_MARKET", "triggerPrice": "60000"},
        ),
        (
            {
                "order_type": OrderType.TAKE_PROFIT,
                "trigger_price": Decimal(60_000),
                "price": Decimal(59_900),
                "time_in_force": TimeInForce.IOC,
                "working_type": WorkingType.MARK_PRICE,
            },
            {
                "type": "TAKE_PROFIT",
                "triggerPrice": "60000",
                "price": "59900",
                "timeInForce": "IOC",
                "workingType": "MARK_PRICE",
            },
        ),
        (
            {
                "order_type": OrderType.TRAILING_STOP_MARKET,
                "callback_rate": Decimal("1.50"),
                "activation_price": Decimal(61_000),
            },
            {"type": "TRAILING_STOP_MARKET", "callbackRate": "1.5", "activatePrice": "61000"},
        ),
    ],
)
def test_conditional_orders_go_to_the_algo_service_under_our_id(fields, expected):
    call = requests.submit(frames.submit(side=Side.SELL, reduce_only=True, **fields))

    assert call.params == ALGO | {"reduceOnly": "true"} | expected
    assert call.route.ws_method == "algoOrder.place"
    assert call.route.path == "/fapi/v1/algoOrder"
    assert "closePosition" not in call.params


def test_what_closes_a_whole_position_names_neither_quantity_nor_reduce_only():
    """The venue refuses either beside it: -4137, -4138."""
    fields = {"order_type": OrderType.STOP_MARKET, "trigger_price": Decimal(60_000)}
    call = requests.submit(
        frames.submit(side=Side.SELL, reduce_only=True, close_position=True, **fields)
    )

    assert call.params["closePosition"] == "true"
    assert "quantity" not in call.params
    assert "reduceOnly" not in call.params


def test_cancel_goes_to_where_the_order_is():
    times = {"recvWindow": 5000, "timestamp": T}
    waiting = requests.cancel(frames.cancel(is_conditional=True))
    resting = requests.cancel(frames.cancel())
    child = requests.cancel(frames.cancel(), order_id=8001)

    assert (waiting.route.ws_method, waiting.params) == (
        "algoOrder.cancel",
        times | {"clientAlgoId": NAME},
    )
    assert (resting.route.ws_method, resting.params) == (
        "order.cancel",
        times | {"symbol": "BTCUSDT", "origClientOrderId": NAME},
    )
    assert child.params == times | {"symbol": "BTCUSDT", "orderId": 8001}


def test_an_amendment_names_total_quantity_and_price():
    call = requests.replace(frames.replace())

    assert call.route.verb == "PUT"
    assert call.route.ws_method == "order.modify"
    assert call.params == {
        "origClientOrderId": NAME,
        "price": "61000.1",
        "quantity": "0.04",
        "recvWindow": 5000,
        "side": "BUY",
        "symbol": "BTCUSDT",
        "timestamp": T,
    }


def test_a_query_goes_to_the_algo_service_until_the_child_is_known():
    command = frames.query(is_conditional=True)

    assert requests.query(command, T * MS, WINDOW).route.path == "/fapi/v1/algoOrder"
    child = requests.query(command, T * MS, WINDOW, order_id=8001)
    assert child.route.ws_method == "order.status"
    assert child.params["orderId"] == 8001
    assert "origClientOrderId" in requests.query(frames.query(), T * MS, WINDOW).params


@given(st.integers(0, 10**19), st.integers(0, 10**11))
def test_the_fence_on_the_wire_is_never_later_than_the_commands(ts, window):
    command = msgspec.structs.replace(frames.submit(), ts=ts, recv_window_ns=window)
    sent = requests.submit(command).params

    assert (int(sent["timestamp"]) + int(sent["recvWindow"])) * MS <= ts + window
    assert sent["timestamp"] == ts // MS


def test_reads_get_their_time_where_they_are_sent():
    call = reads.at(reads.trades_since(BTC, T * MS, (T + 5) * MS), T * MS, WINDOW)

    assert call.params == {
        "symbol": "BTCUSDT",
        "startTime": T,
        "endTime": T + 5,
        "limit": 1000,
        "recvWindow": 5000,
        "timestamp": T,
    }
    assert reads.at(reads.depth(BTC), T * MS, WINDOW) == reads.depth(BTC)  # open to all


@pytest.mark.parametrize(
    ("call", "weight"),
    [
        (reads.open_orders(), 40),
        (reads.open_orders(BTC), 1),
        (reads.account(), 5),
        (reads.positions(), 5),
        (reads.income_since(0, 1), 30),
        (reads.commission_rate(BTC), 20),
        (reads.countdown_cancel_all(BTC, 0), 10),
    ],
)
def test_reads_know_what_they_cost(call, weight):
    assert call.cost == (weight, 0, 0)


# Signed and written


def test_rest_signs_exactly_what_it_sends():
    symbol = frames.submit(symbol="币安USDT")
    order = msgspec.structs.replace(symbol.order, cl_ord_id="a/b:c")
    command = msgspec.structs.replace(symbol, order=order)
    request = codec.rest_request(requests.submit(command), CREDENTIALS)

    path, _, query = request.target.partition("?")
    signed, _, signature = query.rpartition("&signature=")
    assert path == "/fapi/v1/order"
    assert signature == CREDENTIALS.signer.sign(signed)
    assert request.target.isascii()
    assert request.headers == {"X-MBX-APIKEY": "the-key"}
    assert dict(parse_qsl(signed))["symbol"] == "币安USDT"
    assert "newClientOrderId=a%2Fb%3Ac" in signed


def test_a_base64_signature_is_percent_encoded_in_rest_alone():
    class Base64:
        can_log_on = False

        def sign(self, text):
            return "a+b/c="

    credentials = Credentials("k", "s")
    credentials.signer = Base64()
    call = requests.submit(frames.submit())

    assert codec.rest_request(call, credentials).target.endswith("&signature=a%2Bb%2Fc%3D")
    assert b'"signature":"a+b/c="' in codec.ws_request(call, 1, credentials)


def test_open_and_keyed_calls_carry_no_signature():
    assert codec.rest_request(reads.exchange_info()) == ("GET", "/fapi/v1/exchangeInfo", {})
    keyed = codec.rest_request(reads.start_listen_key(), CREDENTIALS)
    assert keyed == ("POST", "/fapi/v1/listenKey", {"X-MBX-APIKEY": "the-key"})
    frame = msgspec.json.decode(codec.ws_request(reads.start_listen_key(), 3, CREDENTIALS))
    assert frame["params"] == {"apiKey": "the-key"}


def test_the_websocket_api_signs_sorted_params_without_encoding():
    command = frames.submit(
        cl_ord_id="a/b:c",
        order_type=OrderType.LIMIT,
        price=Decimal(1),
        time_in_force=TimeInForce.GTD,
        expire_ts=T * MS,
    )
    frame = msgspec.json.decode(codec.ws_request(requests.submit(command), 17, CREDENTIALS))
    given = dict(frame["params"])
    signature = given.pop("signature")
    text = "&".join(f"{name}={given[name]}" for name in sorted(given))

    assert (frame["id"], frame["method"]) == (17, "order.place")
    assert signature == CREDENTIALS.signer.sign(text)
    assert "newClientOrderId=a/b:c" in text
    assert given["apiKey"] == "the-key"
    assert isinstance(given["timestamp"], int)
    assert isinstance(given["quantity"], str)


def test_after_logging_on_key_and_signature_are_left_out():
    frame = msgspec.json.decode(codec.ws_request(requests.submit(frames.submit()), 1))

    assert frame["params"] == MARKET


_AMOUNTS = st.decimals(
    min_value=Decimal("0.00000001"), max_value=Decimal(10**9), places=8, allow_nan=False
)


@given(_AMOUNTS, _AMOUNTS)
def test_amounts_go_out_plain_and_unchanged(qty, price):
    sent = params(qty=qty, price=price, order_type=OrderType.LIMIT)

    assert Decimal(sent["quantity"]) == qty
    assert Decimal(sent["price"]) == price
    assert re.fullmatch(r"[0-9]+(\.[0-9]*[1-9])?", sent["price"])


# Answers


def test_an_answer_on_the_websocket_api_is_opened():
    body = {
        "id": 17,
        "status": 200,
        "result": frames.ack(),
        "rateLimits": [
            {
                "rateLimitType": "ORDERS",
                "interval": "SECOND",
                "intervalNum": 10,
                "limit": 300,
                "count": 4,
            }
        ],
    }
    reply = codec.read_reply(frames.raw(body))

    assert reply.is_ok
    assert reply.id == 17
    assert reply.rate_limits[0].count == 4
    assert codec.acknowledged(reply.result, codec.OrderNames()).venue_order_id == "7001"


def test_a_refusal_on_the_websocket_api_is_told_by_its_error():
    body = {"id": "x", "status": 400, "error": {"code": -2019, "msg": "Margin is insufficient."}}
    reply = codec.read_reply(frames.raw(body))

    assert not reply.is_ok
    assert reply.error is not None
    assert (reply.error.code, reply.error.msg) == (-2019, "Margin is insufficient.")
    revoked = codec.read_reply(b'{"id":null,"status":401,"error":{"code":-2015,"msg":"key"}}')
    assert revoked.id is None
    assert revoked.error is not None
    assert revoked.error.code == -2015


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"code":-1021,"msg":"Timestamp"}', (-1021, "Timestamp")),
        (b'{"code":"-1021","msg":"as text"}', (-1021, "as text")),
        (b"<html>403 Forbidden</html>", (None, "<html>403 Forbidden</html>")),
        (b"<html>\r\n<h1>404</h1>\r\n", (None, "<html> <h1>404</h1>")),
        (b"Service Unavailable.", (None, "Service Unavailable.")),
        (b"\xff\xfe", (None, "\ufffd\ufffd")),
        (b"", (None, "")),
    ],
)
def test_an_http_error_is_read_whatever_its_body(body, expected):
    error = codec.read_error(body)

    assert (error.code, error.msg) == expected


def test_what_is_no_answer_is_named_and_quoted():
    with pytest.raises(codec.BadFrame, match=r"an answer on the WebSocket API.*not json"):
        codec.read_reply(b"not json")
