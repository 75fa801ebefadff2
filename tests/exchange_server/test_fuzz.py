"""Whatever is sent, the exchange answers with a documented error and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from holdfast.exchange import known_instrument
from holdfast.exchange_server import control
from holdfast.exchange_server.app import ADMIN, METHODS
from holdfast.exchange_server.errors import ApiError
from holdfast.exchange_server.methods import RequestContext
from holdfast.exchange_server.params import Params
from holdfast.exchange_server.settings import ServerSettings
from holdfast.exchange_server.venue import Venue
from holdfast.exchange_server.ws_methods import PLACES
from holdfast.model.market import Quote, Trade
from holdfast.model.values import AccountId
from tests.exchange_server.stream_desk import BTC, ETH, open_desk

NOW = 1_795_000_200 * 10**9
ACCOUNT = AccountId("test")
NAMES = [
    "symbol", "side", "type", "quantity", "price", "timeInForce", "positionSide", "reduceOnly",
    "newClientOrderId", "origClientOrderId", "orderId", "stopPrice", "triggerPrice", "limit",
    "closePosition", "callbackRate", "activatePrice", "priceMatch", "goodTillDate", "startTime",
    "selfTradePreventionMode", "endTime", "fromId", "interval", "batchOrders", "orderIdList",
    "origClientOrderIdList", "algoId", "clientAlgoId", "algoType", "leverage", "marginType",
    "amount", "dualSidePosition", "countdownTime", "listenKey", "incomeType", "pair", "modifyId",
    "newOrderRespType", "workingType", "autoCloseType", "contractType", "recvWindow", "period",
]  # fmt: skip
WORDS = [
    "BTCUSDT", "ETHUSDT", "BUY", "SELL", "LIMIT", "MARKET", "STOP_MARKET", "TAKE_PROFIT", "STOP",
    "TRAILING_STOP_MARKET", "GTC", "IOC", "FOK", "GTX", "GTD", "LONG", "SHORT", "BOTH", "true",
    "false", "0.01", "1", "50000", "49000.1", "1e400", "-1e-400", "NaN", "sNaN", "Infinity", "-0",
    "1E+15", "999999999999999999999", "-1", "0", "1m", "1M", "[]", "{}", "[{}]", "null", "[null]",
    '[{"symbol":"BTCUSDT"}]', "[1,2]", '["a"]', "CONDITIONAL", "QUEUE_20", "OPPONENT", "ISOLATED",
    "CROSSED", "2", "20", "١٢", "0x10", "1_000", " 1", "\x00", "é", "a" * 300, "%", "&=",
    "9223372036854775807", "9223372036854775808", "253402300799000", "PERPETUAL", "RESULT", "ACK",
    "5m", "1d",
    "1e9999999", "-1e-9999999", "0e9999999", "1e-25", "1" * 400, "0." + "1" * 200,
]  # fmt: skip
texts = st.sampled_from(WORDS) | st.text(st.characters(codec="utf-8"), max_size=12)
keys = st.text(st.characters(codec="utf-8"), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=4,
)
requests = st.dictionaries(st.sampled_from(NAMES), texts | st.just("\udcff"), max_size=12)
typed = st.dictionaries(st.sampled_from(NAMES), values, max_size=12)
good_order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
              "quantity": "0.01", "price": "49000"}  # fmt: skip


def new_venue():
    instruments = [each for each in map(known_instrument, (BTC, ETH)) if each]
    venue = Venue(ServerSettings(), instruments, clock=lambda: NOW)
    for symbol in (BTC, ETH):
        venue.on_market(
            Quote(symbol=symbol, ts=NOW, bid=50_000.0, bid_qty=9.0, ask=50_001.0, ask_qty=9.0)
        )
        venue.on_market(Trade(symbol=symbol, ts=NOW, price=50_000.0, qty=1.0))
    return venue


def ask(venue, place, sent: Mapping[str, object]):
    """Ask past the door; what is said must be writable, or be a refusal of the venue's."""
    method = METHODS[place]
    params = Params(sent)
    status, body = 200, None
    try:
        assert method.weight_of(params) >= 0
        body = method.handler(RequestContext(venue, ACCOUNT, NOW), params)
    except ApiError as error:
        status, body = error.status, error.body
    msgspec.json.encode(body)
    assert status in (200, 400, 401, 404, 408, 429, 503)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(METHODS)), requests | typed, st.booleans()), max_size=12
    )
)
def test_any_parameters_of_any_method_are_answered(asked):
    venue = new_venue()
    for place, sent, is_good in asked:
        ask(venue, place, {**good_order, **sent} if is_good else sent)
    venue.tick()


def test_a_list_too_deep_to_read_is_none():
    with pytest.raises(ApiError) as caught:
        Params({"orderIdList": "[" * 2_000}).array("orderIdList")

    assert caught.value.code == -1102


class Subscriber:
    def __init__(self):
        self.is_combined = False
        self.asked: dict[str, None] = {}

    def subscribe(self, name):
        self.asked[name] = None

    def unsubscribe(self, name):
        self.asked.pop(name, None)

    def names(self):
        return list(self.asked)


requests_of_streams = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from([*control.METHODS, "X"]) | values,
        "params": st.lists(st.sampled_from(["combined", "btcusdt@trade", True]) | values) | values,
        "id": values,
    },
)
ODD = {
    "a deep list": b"[" * 2_000,
    "a deep object": b'{"a":' * 2_000,
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "half a text": b'"',
    "no text": b"\xff",
}
messages = st.one_of(
    requests_of_streams.map(msgspec.json.encode),
    st.binary(max_size=40),
    st.sampled_from(list(ODD)).map(lambda name: ODD[name]),
)


@settings(max_examples=200)
@given(st.lists(messages, max_size=6))
def test_any_message_on_a_stream_is_answered(sent):
    subscriber = Subscriber()
    for message in sent:
        found = msgspec.json.decode(control.answer(message, subscriber))

        assert ("result" in found) != ("error" in found)


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def desk(loop):
    opened = open_desk()
    found = loop.run(opened.__aenter__())
    yield found
    loop.run(opened.__aexit__(None, None, None))


PATHS = sorted({path for _, path in METHODS} | {path for _, path in ADMIN})
requests_of_api = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from([*PLACES, "session.logon", "session.status", "x"]) | values,
        "params": typed | values,
        "id": values,
    },
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(requests_of_api.map(msgspec.json.encode) | messages, max_size=8))
def test_any_frame_on_the_api_socket_is_answered_and_the_socket_lives(loop, desk, sent):
    async def talk():
        client = await desk.connect("/ws-fapi/v1")
        for message in sent:
            await client.socket.send_bytes(message)
            found = await client.next()
            assert found["status"] < 500
            assert ("result" in found) != ("error" in found)
        found = await client.call("depth", symbol="BTCUSDT", limit=5)
        assert found["status"] == 200
        await client.socket.close()

    loop.run(talk())


verbs = st.sampled_from(["GET", "POST", "PUT", "DELETE"])
raw = st.binary(max_size=60) | st.dictionaries(st.sampled_from(NAMES), texts, max_size=6).map(
    lambda sent: urlencode(sent, errors="surrogateescape").encode()
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.tuples(verbs, st.sampled_from(PATHS)), query=raw, body=raw)
def test_any_bytes_over_http_are_answered_in_json(loop, desk, place, query, body):
    """Bytes that can't stand in an address are percent-encoded, as a client must."""
    verb, path = place
    address = f"{path}?{quote(query, safe='=&%+')}"

    async def talk():
        url = URL(f"http://127.0.0.1:{desk.port}{address}", encoded=True)
        headers = {"X-MBX-APIKEY": "ka"}
        async with desk.http.request(verb, url, data=body or None, headers=headers) as found:
            content = await found.read()
        assert found.status < 500, content
        said = msgspec.json.decode(content)
        assert found.status == 200 or "code" in said or "error" in said

    loop.run(talk())
