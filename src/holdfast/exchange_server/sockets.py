"""WebSockets as the exchange keeps them: handshake, pings, lifetimes, a limit on what comes in."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

from aiohttp import WSCloseCode, WSMsgType, web

from .heartbeat import Due, Heartbeat, StreamLimits
from .outbox import Outbox

MAX_MESSAGE_BYTES = 256 * 1024
MIN_WAIT_S = 0.001
CLOSE_WITHIN_S = 1.0

Hear = Callable[[str | bytes], Awaitable[None]]
_ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


class Inflow:
    """Counts what comes in over the last second."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: deque[float] = deque(maxlen=most + 1)

    def is_too_much(self, now: float) -> bool:
        """Count one message; True when it is one too many."""
        if not self._most:
            return False
        self._times.append(now)
        return len(self._times) > self._most and now - self._times[0] < 1.0


class Link:
    """One client's socket, and the way out to it."""

    def __init__(self, socket: web.WebSocketResponse, outbox: Outbox) -> None:
        self.socket = socket
        self.outbox = outbox


class Sockets:
    """The sockets of one door. `count` is told, by a word, whenever a client is cut off."""

    def __init__(self, limits: StreamLimits, count: Callable[[str], None]) -> None:
        self._limits = limits
        self._count = count
        self._links: set[Link] = set()

    def __len__(self) -> int:
        return len(self._links)

    async def open(self, request: web.Request) -> Link:
        """Shake hands."""
        socket = web.WebSocketResponse(
            autoping=False,
            compress=False,
            max_msg_size=MAX_MESSAGE_BYTES,
            timeout=CLOSE_WITHIN_S,
        )
        await socket.prepare(request)
        if request.transport is None:
            raise ConnectionResetError("the client left during the handshake")
        most = self._limits.max_unsent_bytes
        return Link(socket, Outbox(request.transport, lambda: self._count("slow client"), most))

    async def listen(self, link: Link, hear: Hear) -> None:
        """Hand every message to `hear` until the socket ends; pings and limits are seen to."""
        self._links.add(link)
        try:
            await self._listen(link, hear)
        finally:
            self._links.discard(link)

    async def close(self) -> None:
        """Close every socket."""
        await asyncio.gather(*(_end(link, WSCloseCode.GOING_AWAY) for link in tuple(self._links)))

    async def end_lifetimes(self) -> None:
        """Close every socket as if its time were over."""
        await asyncio.gather(
            *(self._cut_off(link, Due.TOO_OLD.value) for link in tuple(self._links))
        )

    async def _listen(self, link: Link, hear: Hear) -> None:
        clock, socket = asyncio.get_running_loop().time, link.socket
        heart, inflow = Heartbeat(self._limits, clock()), Inflow(self._limits.messages_per_s)
        while await self._beat(heart, link, clock()):
            try:
                wait = max(MIN_WAIT_S, heart.next_due() - clock())
                message = await socket.receive(timeout=wait)
            except TimeoutError:
                continue
            if message.type in _ENDS:
                return
            if inflow.is_too_much(clock()):
                await self._cut_off(link, "too many messages")
                return
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                heart.heard(bytes(message.data))
            else:
                await hear(message.data)

    async def _beat(self, heart: Heartbeat, link: Link, now: float) -> bool:
        due = heart.due(now)
        if due is Due.PING:
            payload = str(int(now * 1000)).encode()
            with contextlib.suppress(ConnectionError):  # it is gone: receiving tells
                await link.socket.ping(payload)
            heart.sent(payload, now)
        elif due is not Due.NOTHING:
            await self._cut_off(link, due.value)
            return False
        return True

    async def _cut_off(self, link: Link, why: str) -> None:
        self._count(why)
        link.outbox.flush()
        await _end(link, WSCloseCode.POLICY_VIOLATION, why.encode())


async def _end(link: Link, code: int, message: bytes = b"") -> None:
    """Close a socket; whoever does not read what is on its way to him is not waited for long."""
    try:
        await link.socket.close(code=code, message=message, drain=False)
        if link.outbox.is_behind:
            await asyncio.sleep(CLOSE_WITHIN_S)
    finally:
        if link.outbox.is_behind:
            link.outbox.abort()
