"""The road between the two: a TCP proxy that can be cut (RST), and can swallow all that is sent.

A connection that has swallowed anything stays dead, as one does whose router has forgotten it:
bytes that are lost in a stream can't be made up. Those opened later are alive again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_RESET = struct.pack("ii", 1, 0)
HELD_MAX = 1_000_000
"""How many bytes may wait for the far end to be reached."""


class _End(asyncio.Protocol):
    """One side of a connection; `other` is where its bytes go."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.other: _End | None = None
        self.transport: asyncio.Transport | None = None
        self.waiting = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.link.is_dead:
            return
        other = self.other
        if other is not None:
            other.send(data)
        elif len(self.waiting) + len(data) <= HELD_MAX:
            self.waiting += data
        else:
            self.link.reset()

    def send(self, data: bytes) -> None:
        """Write after the road's latency, which is the same for all bytes: their order stays."""
        loop = asyncio.get_running_loop()
        loop.call_later(self.link.latency_s, self._write, data)

    def _write(self, data: bytes) -> None:
        transport = self.transport
        if transport is not None and not transport.is_closing() and not self.link.is_dead:
            transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            with contextlib.suppress(RuntimeError):
                self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.link.lost(self)


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.near, self.far = _End(self), _End(self)
        self.is_dead = False
        self.latency_s = proxy.latency_s

    async def reach(self) -> None:
        """Connect to the far side and pass on what came meanwhile."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(
                lambda: self.far,
                "127.0.0.1",
                self._proxy.target,
                local_addr=(self._proxy.source, 0),
            )
        except OSError:
            self.reset()
            return
        self.near.other, self.far.other = self.far, self.near
        self.far.send(bytes(self.near.waiting))
        self.near.waiting.clear()

    def reset(self) -> None:
        """Break both sides with RST."""
        for end in (self.near, self.far):
            transport = end.transport
            if transport is not None and not transport.is_closing():
                made = transport.get_extra_info("socket")
                if made is not None:
                    with contextlib.suppress(OSError):
                        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                transport.abort()
        self._proxy.links.discard(self)

    def lost(self, end: _End) -> None:
        """Close the other side too, unless it must not hear of it."""
        other = self.far if end is self.near else self.near
        if self.is_dead:
            if end is self.near and other.transport is not None:
                other.transport.abort()
        elif other.transport is not None:
            asyncio.get_running_loop().call_later(self.latency_s, other.transport.close)
        self._proxy.links.discard(self)


class Proxy:
    """Listens on a port of its own; `target` is where it leads, `source` the address it has there.

    The exchange counts requests by address, and a start asks for much: with one address, a session
    that is killed often would wait for the next minute before it may ask again.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.source = "127.0.0.1"
        self.latency_s = 0.0  # each way
        self.links: set[Link] = set()
        self._is_swallowing = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def _accept(self) -> _End:
        link = Link(self)
        self.links.add(link)
        link.is_dead = self._is_swallowing
        if not link.is_dead:
            task = asyncio.get_running_loop().create_task(link.reach())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return link.near

    def cut(self) -> int:
        """Break every connection; return how many there were."""
        links = list(self.links)
        for link in links:
            link.reset()
        return len(links)

    def swallow(self) -> int:
        """Swallow all bytes from now on; return how many connections die of it."""
        self._is_swallowing = True
        for link in self.links:
            link.is_dead = True
        return len(self.links)

    def pass_on(self) -> None:
        """Let new connections through again."""
        self._is_swallowing = False

    async def close(self) -> None:
        """End every connection and listen no more."""
        self.cut()
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
