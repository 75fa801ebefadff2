"""HTTP/1.1 and WebSockets by hand over asyncio's streams, so that every habit of a server can be had.

One port for all. A handler answers requests, another one lives with a socket once it is open.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import hashlib
import itertools
import struct
import zlib
from dataclasses import dataclass, field

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 418: "I'm a teapot", 503: "Busy"}
HANGUP_AFTER = 3
SLOW_S = 0.05


@dataclass
class Request:
    verb: str
    path: str
    query: str
    headers: dict
    body: str = ""


@dataclass
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict = field(default_factory=dict)
    trouble: str = ""
    """How the answer goes wrong on its way: see `Server._send`."""


class Hangup(Exception):
    """The connection is to be cut without a word."""


class Server:
    """Accepts connections; `habits` is a set of words that may change at any time."""

    def __init__(self, habits, answer, live, greet):
        self.habits, self._answer, self._live, self._greet = habits, answer, live, greet
        self.port = 0
        self.tls = None
        self._server: asyncio.Server
        self._open: set = set()

    async def start(self, port=0, tls=None):
        self.tls = tls or self.tls
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._open.add(task)
        try:
            await self._talk(reader, writer)
        except (OSError, EOFError, Hangup, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.transport.abort() if "resets" in self.habits else writer.close()

    async def _talk(self, reader, writer):
        for turn in itertools.count(1):
            request = await read_request(reader)
            if request.headers.get("upgrade", "").lower() == "websocket":
                await self._upgrade(request, reader, writer)
                return
            answer = await self._answer(request)
            is_last = "close_each" in self.habits
            await self._send(writer, request, answer, is_last)
            if is_last or ("close_silently" in self.habits and turn >= HANGUP_AFTER):
                return

    async def _send(self, writer, request, answer, is_last):
        habits, body = self.habits, answer.body
        headers = {"Content-Type": "application/json", "Server": "Tengine", **answer.headers}
        offered = request.headers.get("accept-encoding", "")
        if "gzip" in habits and "gzip" in offered:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body)
        elif "deflate" in habits and "deflate" in offered:
            headers["Content-Encoding"], body = "deflate", zlib.compress(body)
        if is_last:
            headers["Connection"] = "close"
        if "until_closed" in habits and is_last:
            parts = [body]
        elif "chunked" in habits:
            headers["Transfer-Encoding"], parts = "chunked", chunked(body)
        else:
            headers["Content-Length"], parts = str(len(body)), [body]
        writer.write(head(answer.status, headers, habits))
        await deliver(writer, parts, answer.trouble)

    async def _upgrade(self, request, reader, writer):
        refused = await self._greet(request)
        if refused is not None:
            await self._send(writer, request, refused, is_last=True)
            return
        key = request.headers["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
        headers = {"Upgrade": "WebSocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
        offered = request.headers.get("sec-websocket-extensions", "")
        assert "deflate" not in offered, "we would have to speak it"
        writer.write(head(101, headers, self.habits))
        socket = Socket(reader, writer, self.habits)
        try:
            await self._live(request, socket)
        finally:
            socket.is_open = False


async def read_request(reader):
    first = (await reader.readline()).decode().split()
    if len(first) < 3:
        raise EOFError
    headers = {}
    while line := (await reader.readline()).decode().strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    path, _, query = first[1].partition("?")
    return Request(first[0], path, query, headers, body.decode())


def head(status, headers, habits):
    named = {spelled(name, habits): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, '')}"]
    lines += [f"{name}: {value}" for name, value in named.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def spelled(name, habits):
    if "lower_headers" in habits:
        return name.lower()
    return name.upper() if "upper_headers" in habits else name


def chunked(body, size=700):
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return [*(b"%x;of=it\r\n%s\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


async def deliver(writer, parts, trouble):
    """Write a body: whole, a byte at a time ("slow"), or half of it ("half") and then nothing."""
    for part in parts:
        if trouble == "half":
            writer.write(part[: len(part) // 2])
            await writer.drain()
            raise Hangup
        if trouble == "slow":
            for byte in part:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(SLOW_S)
        else:
            writer.write(part)
    await writer.drain()


class Socket:
    """The server's end of one WebSocket."""

    def __init__(self, reader, writer, habits):
        self._reader, self._writer, self._habits = reader, writer, habits
        self.is_open = True
        self.is_logged_on = False
        self.pongs = []
        self.close_code = None

    def send(self, text):
        if not self.is_open:
            return
        data, opcode = text.encode(), BINARY if "binary" in self._habits else TEXT
        if "fragments" not in self._habits or len(data) < 3:
            self._frame(opcode, data)
            return
        third = len(data) // 3
        self._frame(TEXT, data[:third], is_last=False)
        self._frame(PING, b"in between")  # control frames may come amid a message
        self._frame(0, b"", is_last=False)
        self._frame(0, data[third : 2 * third], is_last=False)
        self._frame(0, data[2 * third :])

    def ping(self, payload):
        if self.is_open:
            self._frame(PING, payload)

    def close(self, code=None, reason=b"bye"):
        """Say goodbye with a code, with an empty frame (0), or not at all (None)."""
        if self.is_open and code is not None:
            self._frame(CLOSE, struct.pack(">H", code) + reason if code else b"")
        self.is_open = False
        self._writer.close()

    def abort(self):
        self.is_open = False
        self._writer.transport.abort()

    def _frame(self, opcode, data, *, is_last=True):
        first = bytes([opcode | (0x80 if is_last else 0)])
        if len(data) < 126:
            size = bytes([len(data)])
        elif len(data) < 65_536:
            size = bytes([126]) + struct.pack(">H", len(data))
        else:
            size = bytes([127]) + struct.pack(">Q", len(data))
        with contextlib.suppress(OSError):
            self._writer.write(first + size + data)

    async def texts(self):
        """Yield what the client says, until it goes."""
        while self.is_open:
            try:
                opcode, data = await self._read()
            except (EOFError, OSError):
                break
            if opcode == TEXT:
                yield data.decode()
            elif opcode == PING:
                self._frame(PONG, data)
            elif opcode == PONG:
                self.pongs.append(data)
            elif opcode == CLOSE:
                self.close_code = data[:2]
                break
        self.is_open = False

    async def _read(self):
        first, second = await self._reader.readexactly(2)
        assert second & 0x80, "a client must mask"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self._reader.readexactly(8))
        mask = await self._reader.readexactly(4)
        data = await self._reader.readexactly(size)
        return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
