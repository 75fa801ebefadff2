"""A client that reads nothing holds up neither the end nor the other clients."""

from __future__ import annotations

import asyncio
import base64
import socket

from holdfast.exchange_server.heartbeat import StreamLimits
from tests.exchange_server.rest_desk import BTC, rest_desk
from tests.exchange_server.stream_desk import open_desk

TRADES = f"{BTC.lower()}@trade"
MIB = 1024 * 1024
END_WITHIN_S = 5.0


async def shake_hands(port, path):
    """Open a WebSocket that says and reads nothing of itself."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
    nonce = base64.b64encode(bytes(16)).decode()
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    return writer


def say_much(hub):
    """Publish more than a system's buffers hold, and less than a client is cut off for."""
    for _ in range(16):
        hub.publish(TRADES, b'"%b"' % (b"x" * MIB))


async def test_a_client_that_reads_nothing_does_not_hold_up_the_end():
    async with rest_desk(streams=StreamLimits(max_unsent_bytes=64 * MIB)) as desk:
        port = int(desk.server.urls["rest"].rpartition(":")[2])
        writer = await shake_hands(port, "/public/ws/" + TRADES)
        await asyncio.sleep(0)
        say_much(desk.server.broadcast.hub)
        await asyncio.sleep(0.05)

        await asyncio.wait_for(desk.server.stop(), END_WITHIN_S)
        writer.close()


async def test_a_client_that_reads_nothing_is_let_go_when_it_answers_no_ping():
    limits = StreamLimits(ping_every_s=0.1, pong_within_s=0.2, max_unsent_bytes=64 * MIB)
    async with open_desk(streams=limits) as desk:
        writer = await shake_hands(desk.port, "/public/ws/" + TRADES)
        gone = asyncio.Event()

        def hear(_name, is_wanted):
            if not is_wanted:
                gone.set()

        desk.broadcast.hub.on_demand = hear
        say_much(desk.broadcast.hub)

        await asyncio.wait_for(gone.wait(), END_WITHIN_S)
        assert desk.broadcast.counts == {"no pong": 1}
        writer.close()
