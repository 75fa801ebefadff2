"""The sockets of the streams, over real sockets: addresses, control messages, routes, limits."""

from __future__ import annotations

import json

import aiohttp
import pytest
from aiohttp import WSMsgType

from holdfast.exchange_server.control import MAX_STREAMS
from holdfast.exchange_server.heartbeat import Due, Heartbeat, StreamLimits
from holdfast.exchange_server.stream_names import Channel, parse
from holdfast.exchange_server.streams import Wish, wishes
from tests.exchange_server.stream_desk import ALICE, BOB, BTC, ETH, open_desk

TRADE = "btcusdt@trade"


@pytest.mark.parametrize(
    "path",
    [
        "/public/ws/btcusdt@trade",
        "/ws/btcusdt@trade",
        "/public/ws?streams=btcusdt@trade",
        "/public/ws/0/btcusdt@trade",
        "/ws/ethusdt@trade/btcusdt@trade",
    ],
)
async def test_streams_named_in_the_address_come_bare_on_ws(path):
    async with open_desk() as desk:
        client = await desk.connect(path)
        await client.heard()
        desk.trade(50_000)

        assert (await client.next())["s"] == "BTCUSDT"


@pytest.mark.parametrize(
    "path",
    [
        "/public/stream?streams=btcusdt@trade/btcusdt@bookTicker",
        "/stream?streams=btcusdt@trade",
        "/public/stream/btcusdt@trade",
    ],
)
async def test_streams_of_a_combined_address_come_wrapped(path):
    async with open_desk() as desk:
        client = await desk.connect(path)
        await client.heard()
        desk.trade(50_000)

        frame = await client.next()
        assert list(frame) == ["stream", "data"]
        assert frame["stream"] == TRADE
        assert frame["data"]["e"] == "trade"


@pytest.mark.parametrize("path", ["/public/ws/0", "/market/ws/2", "/ws", "/stream", "/private/ws"])
async def test_a_bogus_segment_of_an_address_is_no_stream(path):
    async with open_desk() as desk:
        client = await desk.connect(path)

        assert (await client.ask("LIST_SUBSCRIPTIONS"))["result"] == []


@pytest.mark.parametrize("id_", [1, 0, "6c2b80a6-1e11", -5, 2**60, 1.5])
@pytest.mark.parametrize("path", ["/public/ws", "/public/stream"])
async def test_replies_echo_any_id_and_are_never_wrapped(path, id_):
    async with open_desk() as desk:
        client = await desk.connect(path)

        assert await client.ask("SUBSCRIBE", [TRADE], id_) == {"result": None, "id": id_}


async def test_subscribing_listing_and_unsubscribing():
    async with open_desk() as desk:
        client = await desk.connect("/public/ws")
        await client.subscribe(TRADE, "btcusdt@bookTicker")
        assert (await client.ask("LIST_SUBSCRIPTIONS"))["result"] == [TRADE, "btcusdt@bookTicker"]

        await client.ask("UNSUBSCRIBE", [TRADE])
        desk.trade(50_000)

        assert await client.heard() == []
        assert (await client.ask("LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@bookTicker"]


async def test_the_combined_property_switches_the_wrapping():
    async with open_desk() as desk:
        client = await desk.connect(f"/public/ws/{TRADE}")
        assert (await client.ask("GET_PROPERTY", ["combined"]))["result"] is False

        await client.ask("SET_PROPERTY", ["combined", True])
        desk.trade(50_000)

        assert (await client.next())["stream"] == TRADE


@pytest.mark.parametrize(
    ("message", "code", "id_"),
    [
        ("{nonsense", 3, None),
        ('["SUBSCRIBE"]', 2, None),
        ('{"method":"SHOUT","id":1}', 2, 1),
        ('{"method":"SUBSCRIBE","params":"btcusdt@trade","id":2}', 2, 2),
        ('{"method":"SUBSCRIBE","params":[7],"id":3}', 2, 3),
        ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":4}', 1, 4),
        ('{"method":"SET_PROPERTY","params":["split",true],"id":5}', 0, 5),
        ('{"method":"SET_PROPERTY","params":[],"id":6}', 2, 6),
    ],
)
async def test_a_bad_request_is_answered_with_its_code_and_id(message, code, id_):
    async with open_desk() as desk:
        client = await desk.connect("/public/ws")
        await client.socket.send_str(message)

        reply = await client.next()
        assert reply["error"]["code"] == code
        assert reply["error"]["msg"]
        assert reply["id"] == id_


async def test_a_connection_takes_1024_streams_and_no_more():
    async with open_desk() as desk:
        client = await desk.connect("/market/ws")
        names = [f"s{number}usdt@aggTrade" for number in range(MAX_STREAMS)]
        assert (await client.ask("SUBSCRIBE", names))["result"] is None

        reply = await client.ask("SUBSCRIBE", ["btcusdt@aggTrade"])

        assert reply["error"]["code"] == 2
        assert len((await client.ask("LIST_SUBSCRIPTIONS"))["result"]) == MAX_STREAMS


async def test_a_stream_that_is_none_is_silence_and_no_error():
    async with open_desk() as desk:
        client = await desk.connect("/public/ws")
        await client.subscribe("btcusdt@nothing", "BTCUSDT@trade", "dogeusdt@trade", "!x", "abc")
        desk.trade(50_000)
        desk.advance(5000)

        assert await client.heard() == []


async def test_contract_info_can_be_subscribed_to_and_no_contract_ever_changes():
    async with open_desk() as desk:
        client = await desk.connect("/market/stream")
        await client.subscribe("!contractInfo")
        desk.trade(50_000)
        desk.advance(60_000)

        assert await client.heard() == []
        assert (await client.ask("LIST_SUBSCRIPTIONS"))["result"] == ["!contractInfo"]


# Routes


async def test_lenient_routing_delivers_everything_everywhere():
    async with open_desk() as desk:
        clients = [await desk.connect(f"{p}/ws") for p in ("", "/public", "/market", "/private")]
        for client in clients:
            await client.subscribe(TRADE, "btcusdt@aggTrade", desk.listen_key())
        desk.quote(49_999, 50_001)
        desk.buy(0.01, 40_000)
        desk.trade(50_000)
        desk.advance(200)

        for client in clients:
            kinds = [frame["e"] for frame in await client.heard()]
            assert kinds == ["ORDER_TRADE_UPDATE", "trade", "aggTrade"]


@pytest.mark.parametrize(
    ("prefix", "kinds"),
    [
        ("", ["trade"]),
        ("/public", ["trade"]),
        ("/market", ["aggTrade"]),
        ("/private", ["ORDER_TRADE_UPDATE"]),
    ],
)
async def test_strict_routing_is_silent_off_the_right_prefix(prefix, kinds):
    """As on mainnet since April 2026: handshake, replies and pings all succeed."""
    async with open_desk(strict_routing=True) as desk:
        client = await desk.connect(f"{prefix}/ws")
        await client.subscribe(TRADE, "btcusdt@aggTrade", desk.listen_key())
        desk.quote(49_999, 50_001)
        desk.buy(0.01, 40_000)
        desk.trade(50_000)
        desk.advance(200)

        assert [frame["e"] for frame in await client.heard()] == kinds
        assert len((await client.ask("LIST_SUBSCRIPTIONS"))["result"]) == 3


# Listen keys in addresses


@pytest.mark.parametrize(
    "path",
    [
        "/private/ws/{}",
        "/private/ws?listenKey={}",
        "/ws/{}",
        "/ws?listenKey={}",
        "/private/stream?listenKey={}",
        "/private/stream?streams={}",
        "/private/ws?listenKey={}&events=",
    ],
)
async def test_a_listen_key_opens_the_accounts_stream(path):
    async with open_desk() as desk:
        client = await desk.user(path=path)
        await client.heard()
        desk.quote(49_999, 50_001)
        desk.buy(0.01, 40_000)
        desk.buy(0.01, 40_000, account=BOB)

        frames = await client.heard()
        assert len(frames) == 1
        if "/stream" in path:
            assert frames[0]["stream"] == desk.listen_key()
            frames = [frames[0]["data"]]
        assert frames[0]["o"]["c"] == "o1"


async def test_several_listen_keys_with_filters_of_their_own():
    async with open_desk() as desk:
        path = (
            f"/private/stream?listenKey={desk.listen_key(ALICE)}&events=TRADE_LITE/ACCOUNT_UPDATE"
            f"&listenKey={desk.listen_key(BOB)}&events=ORDER_TRADE_UPDATE"
        )
        client = await desk.connect(path)
        await client.heard()
        desk.quote(49_999, 50_001)
        desk.buy(0.01)
        desk.sell(0.01, account=BOB)

        told = [(f["stream"], f["data"]["e"]) for f in await client.heard()]
        assert told == [
            (desk.listen_key(ALICE), "TRADE_LITE"),
            (desk.listen_key(ALICE), "ACCOUNT_UPDATE"),
            (desk.listen_key(BOB), "ORDER_TRADE_UPDATE"),
            (desk.listen_key(BOB), "ORDER_TRADE_UPDATE"),
        ]


async def test_an_unknown_listen_key_is_silence():
    async with open_desk() as desk:
        client = await desk.connect(f"/private/ws?listenKey={'x' * 64}")
        desk.quote(49_999, 50_001)
        desk.buy(0.01, 40_000)

        assert await client.heard() == []


def test_events_belong_to_the_listen_key_before_them():
    found = list(
        wishes("0/a@trade", "listenKey=K1&events=A/B&streams=x@trade/y@depth&listenKey=K2")
    )

    assert found == [
        Wish("0"),
        Wish("a@trade"),
        Wish("x@trade"),
        Wish("y@depth"),
        Wish("K1", frozenset({"A", "B"})),
        Wish("K2"),
    ]


# Limits, pings, lifetimes


async def test_too_many_messages_a_second_cost_the_connection():
    async with open_desk() as desk:
        client = await desk.connect("/public/ws")
        other = await desk.connect("/public/ws")
        for number in range(11):
            await client.socket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        replies = 0
        while (message := await client.socket.receive(timeout=5)).type is WSMsgType.TEXT:
            replies += 1

        assert replies == 10
        assert message.data == aiohttp.WSCloseCode.POLICY_VIOLATION
        assert desk.broadcast.counts["too many messages"] == 1
        assert await other.heard() == []


async def test_pings_count_as_messages_and_are_answered_with_their_payload():
    async with open_desk() as desk:
        client = await desk.connect("/public/ws", autoping=False)
        for number in range(11):
            await client.socket.ping(f"p{number}".encode())
        heard = [await client.socket.receive(timeout=5) for _ in range(11)]

        assert [bytes(m.data) for m in heard[:10]] == [f"p{n}".encode() for n in range(10)]
        assert all(m.type is WSMsgType.PONG for m in heard[:10])
        assert heard[10].type in (WSMsgType.CLOSE, WSMsgType.CLOSED)


async def test_the_server_pings_with_a_payload_and_a_pong_keeps_the_connection():
    limits = StreamLimits(ping_every_s=0.05, pong_within_s=0.12)
    async with open_desk(streams=limits) as desk:
        client = await desk.connect("/public/ws", autoping=False)
        for _ in range(4):
            ping = await client.socket.receive(timeout=5)
            assert ping.type is WSMsgType.PING
            assert ping.data
            await client.socket.pong(ping.data)

        assert desk.broadcast.counts == {}


async def test_a_client_that_answers_no_ping_is_cut_off():
    limits = StreamLimits(ping_every_s=0.03, pong_within_s=0.06)
    async with open_desk(streams=limits) as desk:
        client = await desk.connect("/public/ws", autoping=False)
        await client.socket.pong(b"unasked")  # allowed, and proves nothing
        while (message := await client.socket.receive(timeout=5)).type is WSMsgType.PING:
            pass

        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        assert desk.broadcast.counts == {"no pong": 1}


async def test_a_connection_ends_with_its_lifetime():
    async with open_desk(streams=StreamLimits(lifetime_s=0.05)) as desk:
        client = await desk.connect("/public/ws")

        message = await client.socket.receive(timeout=5)
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        assert desk.broadcast.counts == {"24 hours": 1}


async def test_a_slow_client_is_cut_off_and_never_holds_up_the_others():
    limits = StreamLimits(max_unsent_bytes=100_000)
    async with open_desk(streams=limits) as desk:
        slow = await desk.connect(f"/public/ws/{TRADE}")
        quick = await desk.connect(f"/public/ws/{TRADE}")
        await quick.heard()
        await slow.heard()
        slow.socket._conn.protocol.pause_reading()  # it reads no more
        got = 0
        while not desk.broadcast.counts:
            for number in range(200):
                desk.trade(50_000 + number)
            for _ in range(200):
                assert (await quick.next())["e"] == "trade"
            got += 200
            assert got < 200_000

        assert desk.broadcast.counts == {"slow client": 1}
        desk.trade(60_000)
        assert (await quick.next())["p"] == "60000.0"


def test_only_the_pong_that_was_asked_for_counts():
    heart = Heartbeat(StreamLimits(ping_every_s=10, pong_within_s=15, lifetime_s=100), 0.0)
    assert (heart.due(9.9), heart.next_due()) == (Due.NOTHING, 10.0)
    assert heart.due(10.0) is Due.PING
    heart.sent(b"a", 10.0)
    heart.heard(b"unasked")
    assert heart.due(25.0) is Due.NO_PONG

    heart.heard(b"a")

    assert heart.due(19.0) is Due.NOTHING
    assert heart.due(100.0) is Due.TOO_OLD


# Names


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("btcusdt@aggTrade", Channel("aggTrade", BTC)),
        ("btcusdt@markPrice", Channel("markPrice", BTC, 3000)),
        ("btcusdt@markPrice@1s", Channel("markPrice", BTC, 1000)),
        ("!markPrice@arr", Channel("markPrice", "", 3000)),
        ("!markPrice@arr@1s", Channel("markPrice", "", 1000)),
        ("btcusdt@depth", Channel("depth", BTC, 250)),
        ("btcusdt@depth@500ms", Channel("depth", BTC, 500)),
        ("btcusdt@depth@0ms", Channel("depth", BTC, 100)),
        ("btcusdt@depth20@100ms", Channel("levels", BTC, 100, 20)),
        ("btcusdt@depth5", Channel("levels", BTC, 250, 5)),
        ("ethusdt@kline_15m", Channel("kline", ETH, interval="15m")),
        ("ethusdt@kline_1M", Channel("kline", ETH, interval="1M")),
        ("btcusdt_perpetual@continuousKline_1h", Channel("continuousKline", BTC, interval="1h")),
        ("btcusdt@rpiDepth@500ms", Channel("rpiDepth", BTC, 500)),
        ("!bookTicker", Channel("bookTicker")),
        ("!forceOrder@arr", Channel("forceOrder")),
        ("btcusdt@kline_7m", None),
        ("btcusdt@depth7", None),
        ("BTCUSDT@trade", None),
        ("@trade", None),
        ("btcusdt", None),
        ("", None),
    ],
)
def test_what_a_name_asks_for(name, channel):
    assert parse(name) == channel
