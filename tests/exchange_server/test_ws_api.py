"""The WebSocket API over a real socket: envelopes, signing, sessions, methods, limits, faults."""

from __future__ import annotations

import asyncio
import base64
import json
from decimal import Decimal
from functools import partial

import pytest
from aiohttp import WSMsgType

from holdfast.exchange_server.auth import Keys
from holdfast.exchange_server.methods import Security
from holdfast.exchange_server.outbox import Outbox
from holdfast.exchange_server.settings import ApiKey
from holdfast.exchange_server.ws_session import Session, payload_of
from tests.exchange_server.stream_desk import (
    ALICE,
    BTC,
    FIELDS,
    MS,
    START,
    open_desk,
    sdk_fields,
    sign,
)

PATH = "/ws-fapi/v1"


async def api(desk, query=""):
    desk.quote(49_999.9, 50_000.1, 10, 10)
    desk.mark(50_000)
    desk.trade(50_000)
    return await desk.connect(PATH + query)


def stamped(desk, **params):
    return {"apiKey": "ka", "timestamp": desk.now // MS, **params}


async def signed(desk, client, method, id_=1, **params):
    return await client.call(method, id_, secret="sa", **stamped(desk, **params))


LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}


@pytest.mark.parametrize("id_", [1, 0, "1", "c92a49d2-db5e", None, 2**62, -3])
async def test_an_id_comes_back_as_it_came(id_):
    async with open_desk() as desk:
        client = await api(desk)

        reply = await client.call("ticker.price", id_, symbol="BTCUSDT")
        assert reply["id"] == id_
        assert type(reply["id"]) is type(id_)
        assert list(reply) == ["id", "status", "result", "rateLimits"]


async def test_placing_amending_asking_and_cancelling():
    async with open_desk() as desk:
        client = await api(desk)
        placed = await signed(desk, client, "order.place", **LIMIT, price="48000", quantity="0.01")
        order_id = placed["result"]["orderId"]
        amended = await signed(
            desk, client, "order.modify", symbol="BTCUSDT", side="BUY", orderId=str(order_id),
            price="48100", quantity="0.02",
        )  # fmt: skip
        asked = await signed(desk, client, "order.status", symbol="BTCUSDT", orderId=order_id)
        cancelled = await signed(desk, client, "order.cancel", symbol="BTCUSDT", orderId=order_id)

        assert [r["status"] for r in (placed, amended, asked, cancelled)] == [200] * 4
        assert placed["result"]["status"] == "NEW"
        assert amended["result"]["origQty"] == asked["result"]["origQty"] == "0.020"
        assert cancelled["result"]["status"] == "CANCELED"


async def test_numbers_and_texts_are_both_taken():
    async with open_desk() as desk:
        client = await api(desk)
        reply = await signed(desk, client, "order.place", **LIMIT, price=48000, quantity=0.01)

        assert reply["status"] == 200
        assert reply["result"]["price"] == "48000.0"
        assert type(reply["result"]["orderId"]) is int


async def test_an_algo_order_needs_no_algo_type_here():
    async with open_desk() as desk:
        client = await api(desk)
        placed = await signed(
            desk, client, "algoOrder.place", symbol="BTCUSDT", side="BUY", type="STOP_MARKET",
            quantity=0.01, triggerPrice="51000",
        )  # fmt: skip
        assert placed["status"] == 200, placed
        algo_id = placed["result"]["algoId"]

        reply = await signed(desk, client, "algoOrder.cancel", algoId=algo_id)
        assert reply["result"]["code"] == "200"


async def test_events_go_to_the_stream_and_never_here():
    async with open_desk() as desk:
        client, stream = await api(desk), await desk.user()
        await stream.heard()
        market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        reply = await signed(desk, client, "order.place", "a", **market)
        again = await signed(desk, client, "order.place", "b", **market)

        assert (reply["id"], again["id"]) == ("a", "b")
        assert len(await stream.heard()) == 8


ACCOUNT_METHODS = [
    ("account.status", "AccountInformationResponseResult"),
    ("v2/account.status", "AccountInformationV2ResponseResult"),
    ("account.balance", "FuturesAccountBalanceResponseResultInner"),
    ("v2/account.balance", "FuturesAccountBalanceResponseResultInner"),
    ("account.position", "PositionInformationResponseResultInner"),
    ("v2/account.position", "PositionInformationV2ResponseResultInner"),
]


@pytest.mark.skipif(not FIELDS.exists(), reason="the official client's field lists are not here")
@pytest.mark.parametrize(("method", "model"), ACCOUNT_METHODS)
async def test_account_methods_answer_with_the_official_fields(method, model):
    fields = sdk_fields()["websocket_api"][model]
    async with open_desk() as desk:
        client = await api(desk)
        desk.buy("0.01")
        result = (await signed(desk, client, method))["result"]
        row = result[0] if isinstance(result, list) else result

        assert set(fields) - {"additional_properties"} <= set(row)


async def test_market_methods_need_no_key():
    async with open_desk() as desk:
        client = await api(desk)
        depth = (await client.call("depth", symbol="BTCUSDT", limit=5))["result"]
        price = (await client.call("ticker.price", symbol="BTCUSDT"))["result"]
        book = (await client.call("ticker.book", symbol="BTCUSDT"))["result"]

        assert depth["bids"][0] == ["49999.9", "10.000"]
        assert price["price"] == "50000.0"
        assert book["askPrice"] == "50000.1"


async def test_the_user_stream_is_started_kept_and_stopped_with_the_key_alone():
    async with open_desk() as desk:
        client = await api(desk)
        key = (await client.call("userDataStream.start", apiKey="ka"))["result"]["listenKey"]
        again = (await client.call("userDataStream.ping", apiKey="ka"))["result"]["listenKey"]
        assert key == again == desk.venue.listen_keys.key_of(ALICE)

        assert (await client.call("userDataStream.stop", apiKey="ka"))["result"] == {}
        gone = await client.call("userDataStream.ping", apiKey="ka")
        assert (gone["status"], gone["error"]["code"]) == (400, -1125)


# Refusals


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"signature": "00"}, 400, -1022),
        ({"apiKey": "unknown"}, 401, -2015),
        ({"apiKey": ""}, 401, -2014),
        ({"apiKey": None}, 401, -2014),
        ({"timestamp": START // MS - 5001}, 400, -1021),
        ({"timestamp": START // MS + 1000}, 400, -1021),
    ],
)
async def test_who_may_not_ask_is_told_why(change, status, code):
    async with open_desk() as desk:
        client = await api(desk)
        params = stamped(desk) | {k: v for k, v in change.items() if k != "signature"}
        params = {k: v for k, v in params.items() if v is not None}
        params["signature"] = change.get("signature") or sign("sa", params)
        await client.socket.send_json({"id": 9, "method": "account.status", "params": params})

        reply = await client.next()
        assert (reply["id"], reply["status"], reply["error"]["code"]) == (9, status, code)
        assert "result" not in reply


@pytest.mark.parametrize(
    ("message", "id_"),
    [
        ("{", None),
        ("[]", None),
        ('{"id":5,"method":"order.shout"}', 5),
        ('{"id":"x","params":{}}', "x"),
        ('{"id":6,"method":"openOrders.status"}', 6),
        ('{"id":"a","method":"order.place","params":[]}', "a"),
        ('{"id":8,"method":["order.place"],"params":{}}', 8),
        ('{"id":9,"method":"depth","params":{"symbol":"BTCUSDT","limit":"²"}}', 9),
    ],
)
async def test_what_is_no_request_is_refused_and_the_socket_lives(message, id_):
    async with open_desk() as desk:
        client = await api(desk)
        await client.socket.send_str(message)
        reply = await client.next()

        assert (reply["id"], reply["status"]) == (id_, 400)
        assert (await client.call("ticker.price", symbol="BTCUSDT"))["status"] == 200


async def test_a_refused_order_names_the_reason_of_the_exchange():
    async with open_desk() as desk:
        client = await api(desk)
        reply = await signed(desk, client, "order.place", **LIMIT, price="48000", quantity="9")

        assert (reply["status"], reply["error"]["code"]) == (400, -2019)


# Rate limits


@pytest.mark.parametrize(
    ("query", "wish", "has"),
    [
        ("", {}, True),
        ("", {"returnRateLimits": False}, False),
        ("?returnRateLimits=false", {}, False),
        ("?returnRateLimits=false", {"returnRateLimits": True}, True),
        ("?returnRateLimits=true", {"returnRateLimits": "false"}, False),
    ],
)
async def test_rate_limits_come_unless_they_are_not_wanted(query, wish, has):
    async with open_desk() as desk:
        client = await api(desk, query)
        reply = await signed(
            desk, client, "order.place", **LIMIT, price="48000", quantity="0.01", **wish
        )

        assert ("rateLimits" in reply) is has
        if has:
            kinds = [(r["rateLimitType"], r["interval"], r["count"]) for r in reply["rateLimits"]]
            assert kinds == [
                ("REQUEST_WEIGHT", "MINUTE", 5),
                ("ORDERS", "SECOND", 1),
                ("ORDERS", "MINUTE", 1),
            ]


async def test_weights_are_shared_with_http_and_run_out():
    async with open_desk() as desk:
        client = await api(desk)
        for _ in range(5):
            await desk.get("/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
        used = (await client.call("ticker.price", symbol="BTCUSDT"))["rateLimits"][0]["count"]
        assert used == 5 + 5 * 20 + 1
        while (reply := await client.call("account.status", apiKey="ka"))["status"] != 429:
            await client.call("depth", symbol="BTCUSDT", limit=1000)

        assert reply["error"]["code"] == -1003
        assert reply["error"]["data"]["retryAfter"] > reply["error"]["data"]["serverTime"]


# Signing and sessions


def test_what_is_signed_is_sorted_and_not_encoded():
    values = {
        "symbol": "BTCUSDT", "apiKey": "k", "quantity": 0.01, "reduceOnly": False,
        "newClientOrderId": "a/b:c", "timestamp": 5, "signature": "x", "nothing": None,
    }  # fmt: skip

    assert payload_of(values) == (
        "apiKey=k&newClientOrderId=a/b:c&quantity=0.01&reduceOnly=false&symbol=BTCUSDT&timestamp=5"
    )


def key_pair(kind):
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if kind == "rsa":
        private = rsa.generate_private_key(65_537, 2048)
        make = partial(private.sign, padding=padding.PKCS1v15(), algorithm=hashes.SHA256())
    else:
        private = ed25519.Ed25519PrivateKey.generate()
        make = partial(private.sign)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public.decode(), lambda params: base64.b64encode(
        make(payload_of(params).encode())
    ).decode()


@pytest.fixture(scope="module", params=["rsa", "ed25519"])
def pair(request):
    return request.param, *key_pair(request.param)


def session_of(*keys):
    return Session(Keys(keys), START, returns_limits=True)


def test_single_requests_may_be_signed_by_any_kind_of_key(pair):
    _, public, make = pair
    key = ApiKey(key="pk", public_key=public, account=ALICE)
    params = {"apiKey": "pk", "timestamp": START // MS, "symbol": "BTCUSDT"}
    params["signature"] = make(params)

    assert session_of(key).identify(params, Security.SIGNED, START) == key


def test_a_session_is_for_ed25519_alone_and_spares_the_signature(pair):
    kind, public, make = pair
    session = session_of(ApiKey(key="pk", public_key=public, account=ALICE))
    params = {"apiKey": "pk", "timestamp": START // MS}
    params["signature"] = make(params)
    if kind == "rsa":
        with pytest.raises(Exception, match="RSA API key is not supported"):
            session.log_on(params, START)
        return

    status = session.log_on(params, START)

    assert status == {
        "apiKey": "pk", "authorizedSince": START // MS, "connectedSince": START // MS,
        "returnRateLimits": True, "serverTime": START // MS,
    }  # fmt: skip
    found = session.identify({"timestamp": START // MS}, Security.SIGNED, START)
    assert found is not None
    assert found.account == ALICE
    with pytest.raises(Exception, match="-1021"):
        session.identify({"timestamp": START // MS - 9000}, Security.SIGNED, START)
    assert session.log_out(START)["apiKey"] is None
    with pytest.raises(Exception, match="-2014"):
        session.identify({"timestamp": START // MS}, Security.SIGNED, START)


def test_no_signature_is_not_a_session_of_another_key(pair):
    kind, public, make = pair
    if kind == "rsa":
        return
    other = ApiKey(key="other", secret="s", account=ALICE)
    session = session_of(ApiKey(key="pk", public_key=public, account=ALICE), other)
    params = {"apiKey": "pk", "timestamp": START // MS}
    session.log_on(params | {"signature": make(params)}, START)

    with pytest.raises(Exception, match="signature"):
        session.identify({"apiKey": "other", "timestamp": START // MS}, Security.SIGNED, START)


async def test_an_hmac_key_can_not_log_on_and_the_status_says_so():
    async with open_desk() as desk:
        client = await api(desk)
        refused = await signed(desk, client, "session.logon")
        status = await client.call("session.status")

        assert (refused["status"], refused["error"]["code"]) == (400, -4056)
        assert status["result"]["apiKey"] is None
        assert status["result"]["connectedSince"] == START // MS


# Faults


async def test_a_fault_on_the_request_of_http_strikes_here_too():
    async with open_desk() as desk:
        client = await api(desk)
        desk.fault("unknown_executed", on="POST /fapi/v1/order", count=1)
        reply = await signed(desk, client, "order.place", **LIMIT, price="48000", quantity="0.01")

        assert (reply["status"], reply["error"]["code"]) == (503, -1000)
        assert len(desk.venue.exchange.open_orders(ALICE, BTC)) == 1


async def test_a_broken_connection_gives_no_answer():
    async with open_desk() as desk:
        client = await api(desk)
        desk.fault("reset_after", on="POST /fapi/v1/order", count=1)
        params = stamped(desk, **LIMIT, price="48000", quantity="0.01")
        params["signature"] = sign("sa", params)
        await client.socket.send_str(
            json.dumps({"id": 1, "method": "order.place", "params": params})
        )

        message = await client.socket.receive(timeout=5)
        assert message.type in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR)
        assert len(desk.venue.exchange.open_orders(ALICE, BTC)) == 1


async def test_a_request_without_an_answer_holds_up_no_other():
    async with open_desk() as desk:
        client = await api(desk)
        desk.fault("timeout_after", on="POST /fapi/v1/order", count=1)
        desk.fault("delay", on="GET /fapi/v1/depth", count=1, delay_ms=60)
        order = stamped(desk, **LIMIT, price="48000", quantity="0.01")
        order["signature"] = sign("sa", order)
        for id_, method, params in [
            (1, "order.place", order),
            (2, "depth", {"symbol": "BTCUSDT"}),
            (3, "ticker.price", {"symbol": "BTCUSDT"}),
        ]:
            await client.socket.send_json({"id": id_, "method": method, "params": params})

        assert [(await client.next())["id"] for _ in range(2)] == [3, 2]


@pytest.mark.parametrize("is_ordered", [False, True])
async def test_the_reply_comes_first_and_the_events_do_on_order(is_ordered):
    async with open_desk() as desk:
        client, stream = await api(desk), await desk.user()
        await stream.heard()
        if is_ordered:
            desk.fault("events_before_reply", on="POST /fapi/v1/order", count=1, delay_ms=50)
        params = stamped(desk, **LIMIT, price="48000", quantity="0.01")
        params["signature"] = sign("sa", params)
        reply, event = asyncio.create_task(client.next()), asyncio.create_task(stream.next())
        await client.socket.send_json({"id": 1, "method": "order.place", "params": params})
        done, _ = await asyncio.wait({reply, event}, return_when=asyncio.FIRST_COMPLETED)

        assert (event if is_ordered else reply) in done
        assert (reply in done) is not is_ordered
        assert (await reply)["status"] == 200
        assert (await event)["o"]["x"] == "NEW"


async def test_the_reply_leaves_before_the_events_of_the_same_turn(monkeypatch):
    left = []
    flush = Outbox.flush

    def noted(outbox):
        if outbox._unsent:
            left.append(outbox._unsent[0])
        flush(outbox)

    async with open_desk() as desk:
        client, stream = await api(desk), await desk.user()
        await stream.heard()
        monkeypatch.setattr(Outbox, "flush", noted)
        await signed(desk, client, "order.place", **LIMIT, price="48000", quantity="0.01")
        await stream.next()

        assert [b"rateLimits" in frame for frame in left] == [True, False]


async def test_an_order_that_is_held_up_is_carried_out_though_its_socket_has_gone():
    async with open_desk() as desk:
        client = await api(desk)
        desk.fault("delay", on="POST /fapi/v1/order", delay_ms=100)
        done = asyncio.Event()
        desk.venue.sinks.append(lambda *_: done.set())
        params = stamped(desk, **LIMIT, price="48000", quantity="0.01")
        params["signature"] = sign("sa", params)
        await client.socket.send_json({"id": 1, "method": "order.place", "params": params})
        await client.socket.close()

        await asyncio.wait_for(done.wait(), 5)
        assert [each.qty for each in desk.venue.exchange.open_orders(ALICE)] == [Decimal("0.01")]


async def test_orders_that_are_held_up_do_not_outlive_the_door():
    async with open_desk() as desk:
        client = await api(desk)
        desk.fault("delay", on="POST /fapi/v1/order", delay_ms=3_600_000)
        params = stamped(desk, **LIMIT, price="48000", quantity="0.01")
        params["signature"] = sign("sa", params)
        await client.socket.send_json({"id": 1, "method": "order.place", "params": params})
        assert (await client.call("ticker.price", 2, symbol="BTCUSDT"))["id"] == 2
        before = asyncio.all_tasks()
        await client.socket.close()
        await desk.broadcast.close()
        await asyncio.sleep(0)

        assert len([task for task in before if "_answer" in repr(task) and not task.done()]) == 0
