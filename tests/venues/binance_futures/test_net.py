"""The real wire: frames as they come off a socket, and what is said of requests that fail."""

from __future__ import annotations

import asyncio
import struct
import time
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web

from holdfast.model.errors import OutcomeUnknownError, RateLimitError, VenueUnavailable
from holdfast.venues.binance_futures import net
from holdfast.venues.binance_futures.net import NetWire
from holdfast.venues.binance_futures.wire import Ears
from tests.venues.binance_futures.adapter_desk import PATIENCE_S, listening, until

TEXT, CONTINUATION, CLOSE, PONG = 0x1, 0x0, 0x8, 0xA


class Heard:
    def __init__(self):
        self.told = []
        self._news = asyncio.Event()

    def add(self, what):
        self.told.append(what)
        self._news.set()

    def ears(self):
        return Ears(
            self.add, lambda: self.add("pong"), lambda reason: self.add(f"closed: {reason}")
        )

    async def has(self, count):
        async with asyncio.timeout(PATIENCE_S):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()
        return self.told


@asynccontextmanager
async def socket_to(life):
    """Open a socket to a server that does what a test says with each connection."""

    async def handler(request):
        served = web.WebSocketResponse(autoping=True, heartbeat=None)
        await served.prepare(request)
        await life(served, request.transport)
        return served

    heard, wire = Heard(), NetWire()
    async with listening(handler) as port:
        socket = await wire.open_socket(f"ws://127.0.0.1:{port}/x?listenKey=canary", heard.ears())
        try:
            yield socket, heard
        finally:
            socket.close()
            await wire.close()


def raw(opcode, payload, *, fin=True):
    """Return a frame's bytes as a server sends them."""
    size = len(payload)
    head = bytes([opcode | (0x80 if fin else 0)])
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size)
    return head + length + payload


async def stay(served, transport):
    async for message in served:
        await served.send_str(f"you said {message.data}")


async def test_message_in_fragments_is_heard_once_and_whole():
    async def torn(served, transport):
        transport.write(raw(TEXT, b'{"a":', fin=False))
        transport.write(raw(CONTINUATION, b"1", fin=False))
        transport.write(raw(PONG, b""))
        transport.write(raw(CONTINUATION, b"}") + raw(TEXT, b"next"))
        await stay(served, transport)

    async with socket_to(torn) as (_, heard):
        assert await heard.has(3) == ["pong", b'{"a":1}', b"next"]


async def test_message_keeps_its_bytes_when_the_next_one_has_come():
    """The library hands out a view of a buffer that it writes over."""

    async def twice(served, transport):
        await served.send_str("a" * 1000)
        await served.send_str("b" * 1000)
        await stay(served, transport)

    async with socket_to(twice) as (_, heard):
        assert await heard.has(2) == [b"a" * 1000, b"b" * 1000]


async def test_fragments_without_end_end_the_connection(monkeypatch):
    monkeypatch.setattr(net, "FRAME_MAX", 1000)

    async def endless(served, transport):
        transport.write(raw(TEXT, b"x" * 600, fin=False))
        transport.write(raw(CONTINUATION, b"x" * 600, fin=False))
        await stay(served, transport)

    async with socket_to(endless) as (socket, heard):
        assert await heard.has(1) == ["closed: a message has more than 1000 bytes"]
        assert not socket.send("too late")


async def test_end_is_told_once_with_the_venues_code():
    async def leave(served, transport):
        await served.close(code=1001)

    async with socket_to(leave) as (socket, heard):
        await heard.has(1)
        await asyncio.sleep(0.05)

        assert heard.told == ["closed: the venue closed the connection (1001)"]
        assert not socket.send("anyone?")


async def test_broken_connection_is_told():
    async def breaks(served, transport):
        transport.abort()

    async with socket_to(breaks) as (_, heard):
        assert await heard.has(1) == ["closed: the connection was lost"]


async def test_nothing_is_heard_after_our_own_close():
    async with socket_to(stay) as (socket, heard):
        assert socket.send("hello")
        await heard.has(1)
        socket.send("more")
        socket.close()
        await asyncio.sleep(0.05)

        assert heard.told == [b"you said hello"]
        assert not socket.send("more")


async def test_ping_is_answered():
    async with socket_to(stay) as (socket, heard):
        socket.ping()
        assert await heard.has(1) == ["pong"]


@pytest.mark.parametrize("payload", [b"", b"1795927409581", b"\xff\x00" * 62 + b"\x80"])
async def test_venues_ping_is_answered_with_its_own_payload(payload):
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def handler(request):
        served = web.WebSocketResponse(autoping=False)
        await served.prepare(request)
        request.transport.write(raw(TEXT, b"[", fin=False))
        await served.ping(payload)  # between the fragments of a message
        request.transport.write(raw(CONTINUATION, b"]"))
        message = await served.receive()
        answered.set_result(bytes(message.data) if message.type is WSMsgType.PONG else b"?")
        return served

    heard, wire = Heard(), NetWire()
    async with listening(handler) as port:
        socket = await wire.open_socket(f"ws://127.0.0.1:{port}/x", heard.ears())
        async with asyncio.timeout(PATIENCE_S):
            assert await answered == payload
        assert (await heard.has(1))[0] == b"[]"
        socket.close()
        await wire.close()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_answer_that_is_compressed_and_comes_in_pieces_is_read(coding):
    async def handler(request):
        response = web.StreamResponse()
        response.enable_compression(web.ContentCoding(coding))
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece in (b'{"a":', b"[" + b"1," * 5000, b"1]}"):
            await response.write(piece)
        await response.write_eof()
        return response

    wire = NetWire()
    async with listening(handler) as port:
        reply = await wire.request("GET", f"http://127.0.0.1:{port}/x", {}, PATIENCE_S)
        await wire.close()

    assert reply.body == b'{"a":[' + b"1," * 5000 + b"1]}"


async def test_ears_that_raise_keep_the_connection(caplog):
    async def twice(served, transport):
        await served.send_str("first")
        await served.send_str("second")
        await stay(served, transport)

    heard = Heard()

    def raises(frame):
        heard.add(frame)
        raise RuntimeError("a fault of ours")

    async def handler(request):
        served = web.WebSocketResponse()
        await served.prepare(request)
        await twice(served, request.transport)
        return served

    wire = NetWire()
    async with listening(handler) as port:
        ears = Ears(raises, lambda: None, lambda _: None)
        socket = await wire.open_socket(f"ws://127.0.0.1:{port}/", ears)
        assert await heard.has(2) == [b"first", b"second"]
        socket.close()
        await wire.close()
    assert "a fault of ours" in caplog.text


@pytest.mark.parametrize("answer", ["reset", 403], ids=["reset", "refused"])
async def test_socket_that_does_not_open_is_unavailable_and_keeps_its_address_secret(
    answer, caplog
):
    caplog.set_level(0)

    async def handler(request):
        if answer == "reset":
            request.transport.abort()
        return web.Response(status=403)

    wire = NetWire()
    async with listening(handler) as port:
        url = f"ws://127.0.0.1:{port}/private/ws?listenKey=canary"
        with pytest.raises(VenueUnavailable) as raised:
            await wire.open_socket(url, Heard().ears())
        await wire.close()

    assert "canary" not in str(raised.value) + caplog.text


async def test_socket_to_nobody_is_unavailable():
    wire = NetWire()
    with pytest.raises(VenueUnavailable, match=r"refused|Connect"):
        await wire.open_socket("ws://127.0.0.1:1/", Heard().ears())
    await wire.close()


async def test_request_to_nobody_was_not_written():
    wire = NetWire()
    with pytest.raises(VenueUnavailable):
        await wire.request("POST", "http://127.0.0.1:1/x?signature=canary", {}, 1.0)
    await wire.close()


@pytest.mark.parametrize("fault", ["reset", "hang"])
async def test_request_without_an_answer_may_have_arrived(fault):
    async def handler(request):
        if fault == "hang":
            await asyncio.sleep(5)
        request.transport.abort()
        return web.Response()

    wire = NetWire()
    async with listening(handler) as port:
        url = f"http://127.0.0.1:{port}/x?signature=canary"
        with pytest.raises(OutcomeUnknownError) as raised:
            await wire.request("POST", url, {}, 0.2)
        await wire.close()

    assert "canary" not in str(raised.value)


async def answer_half(request):
    """Begin an answer that says what it is, and break off in its body."""
    status, length = request.path.strip("/").split("-")
    response = web.StreamResponse(status=int(status), headers={"Retry-After": "30"})
    response.content_length = int(length)
    await response.prepare(request)
    await response.write(b'{"code":-10')
    await asyncio.sleep(0.05)
    request.transport.abort()
    return response


@pytest.mark.parametrize("status", [400, 403, 418, 429, 503])
async def test_a_refusal_that_breaks_off_is_one_with_what_came_of_it(status):
    wire = NetWire()
    async with listening(answer_half) as port:
        reply = await wire.request("POST", f"http://127.0.0.1:{port}/{status}-100", {}, 1.0)
        await wire.close()

    assert (reply.status, reply.body) == (status, b'{"code":-10')
    assert reply.headers["retry-after"] == "30"


async def test_a_success_that_breaks_off_may_be_one():
    wire = NetWire()
    async with listening(answer_half) as port:
        with pytest.raises(OutcomeUnknownError):
            await wire.request("POST", f"http://127.0.0.1:{port}/200-100", {}, 1.0)
        await wire.close()


async def test_one_request_that_times_out_leaves_all_connections_of_its_time():
    dead, here, all_here = set(), set(), asyncio.Event()

    async def handler(request):
        if request.transport in dead:
            await asyncio.sleep(PATIENCE_S)
        if request.path == "/first":
            here.add(request.transport)
            if len(here) == 5:
                all_here.set()
            await all_here.wait()
        return web.Response(text="{}")

    wire = NetWire()
    async with listening(handler) as port, asyncio.timeout(PATIENCE_S):
        url = f"http://127.0.0.1:{port}"
        await asyncio.gather(
            *(wire.request("GET", f"{url}/first", {}, PATIENCE_S) for _ in range(5))
        )
        dead |= here  # a router has forgotten them: nothing comes back, not even an end
        with pytest.raises(OutcomeUnknownError):
            await wire.request("GET", f"{url}/x", {}, 0.2)
        replies = await asyncio.gather(
            *(wire.request("GET", f"{url}/x", {}, 1.0) for _ in range(5))
        )
        await wire.close()

    assert [reply.status for reply in replies] == [200] * 5


async def test_what_is_under_way_when_another_request_times_out_is_answered():
    is_out = asyncio.Event()

    async def handler(request):
        if request.path == "/slow":
            await is_out.wait()
        if request.path == "/never":
            await asyncio.sleep(PATIENCE_S)
        return web.Response(text="{}")

    wire = NetWire()
    async with listening(handler) as port, asyncio.timeout(PATIENCE_S):
        url = f"http://127.0.0.1:{port}"
        slow = asyncio.create_task(wire.request("GET", f"{url}/slow", {}, PATIENCE_S))
        with pytest.raises(OutcomeUnknownError):
            await wire.request("GET", f"{url}/never", {}, 0.2)
        is_out.set()
        reply = await slow
        await wire.close()

    assert reply.status == 200


async def test_a_request_for_which_no_connection_becomes_free_was_not_written(monkeypatch):
    monkeypatch.setattr(net, "CONNECT_S", 0.2)
    here = []

    async def handler(request):
        here.append(request.path)
        await asyncio.sleep(PATIENCE_S)
        return web.Response()

    wire = NetWire()
    async with listening(handler) as port, asyncio.timeout(PATIENCE_S):
        url = f"http://127.0.0.1:{port}/x"
        slow = [
            asyncio.create_task(wire.request("GET", url, {}, PATIENCE_S))
            for _ in range(net.CONNECTIONS_MAX)
        ]
        await until(lambda: len(here) == net.CONNECTIONS_MAX)
        with pytest.raises(VenueUnavailable):
            await wire.request("POST", f"{url}/late", {}, 1.0)
        for each in slow:
            each.cancel()
        await wire.close()

    assert "/x/late" not in here


async def test_the_end_of_a_wire_ends_what_is_under_way_on_connections_it_has_left():
    async def handler(request):
        await asyncio.sleep(PATIENCE_S)
        return web.Response()

    wire = NetWire()
    async with listening(handler) as port, asyncio.timeout(PATIENCE_S):
        url = f"http://127.0.0.1:{port}/x"
        slow = asyncio.create_task(wire.request("GET", url, {}, PATIENCE_S))
        with pytest.raises(OutcomeUnknownError):
            await wire.request("GET", url, {}, 0.2)
        await wire.close()
        with pytest.raises(OutcomeUnknownError):
            await asyncio.wait_for(slow, 1.0)


async def test_answer_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(net, "BODY_MAX", 10_000)

    async def handler(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 1000)

    wire = NetWire()
    async with listening(handler) as port:
        with pytest.raises(OutcomeUnknownError, match="more than 10000 bytes"):
            await wire.request("GET", f"http://127.0.0.1:{port}/x", {}, 5.0)
        await wire.close()


async def test_answers_headers_are_in_lower_case():
    async def handler(request):
        return web.Response(text="{}", headers={"X-MBX-USED-WEIGHT-1M": "7"})

    wire = NetWire()
    async with listening(handler) as port:
        reply = await wire.request("GET", f"http://127.0.0.1:{port}/x", {}, 1.0)
        await wire.close()

    assert (reply.status, reply.body) == (200, b"{}")
    assert reply.headers["x-mbx-used-weight-1m"] == "7"


@pytest.mark.parametrize(
    ("status", "headers", "text", "waits_s", "words"),
    [
        (418, {"Retry-After": "700"}, "", (700, 700), "has banned this address"),
        (418, {}, "", (120, 120), "has banned this address"),
        (418, {}, "IP banned until {ahead}. Please use", (899, 902), "has banned this address"),
        (429, {}, "", (0, 62), "too many requests"),
        (403, {}, "<html>", (30, 30), "firewall"),
        (451, {}, "restricted location", (30, 30), "does not serve the place"),
    ],
)
async def test_a_handshake_that_is_refused_says_why_and_for_how_long(
    status, headers, text, waits_s, words
):
    ahead = str(int(time.time() + 900) * 1000)

    async def handler(request):
        return web.Response(status=status, headers=headers, text=text.format(ahead=ahead))

    wire = NetWire()
    async with listening(handler) as port:
        with pytest.raises(RateLimitError, match=words) as raised:
            await wire.open_socket(f"ws://127.0.0.1:{port}/x?listenKey=canary", Heard().ears())
        await wire.close()

    assert waits_s[0] <= raised.value.retry_after <= waits_s[1]
    assert f"HTTP {status}" in str(raised.value)
    assert "canary" not in str(raised.value)
