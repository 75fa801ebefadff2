"""Send frames to one client without ever waiting for it, and give up on one that is too slow.

Frames are whole WebSocket frames, made once and sent to everyone who wants them: server frames
are not masked, so that they are the same bytes for all. They go to the transport directly, once
a turn of the loop.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

MAX_UNSENT_BYTES = 4 * 1024 * 1024
"""How far a client may fall behind before it is cut off."""

_TEXT = 0x81  # the last fragment of a text


def text_frame(payload: bytes) -> bytes:
    """Put the header of an unmasked, uncompressed text message before its payload (RFC 6455)."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", _TEXT, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", _TEXT, 126, size) + payload
    return struct.pack("!BBQ", _TEXT, 127, size) + payload


class Outbox:
    """The way out to one client. `on_overflow` is called once, when the client was cut off."""

    __slots__ = ("_is_due", "_loop", "_max_bytes", "_on_overflow", "_transport", "_unsent")

    def __init__(
        self,
        transport: asyncio.Transport,
        on_overflow: Callable[[], None],
        max_bytes: int = MAX_UNSENT_BYTES,
    ) -> None:
        self._transport = transport
        self._on_overflow = on_overflow
        self._max_bytes = max_bytes
        self._loop = asyncio.get_running_loop()
        self._unsent: list[bytes] = []
        self._is_due = False

    @property
    def is_behind(self) -> bool:
        """Tell whether the client has not taken everything that has left."""
        return self._transport.get_write_buffer_size() > 0

    def send(self, frame: bytes) -> None:
        """Take a frame; it leaves at the end of this turn of the loop."""
        self._unsent.append(frame)
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Let everything leave now."""
        self._is_due = False
        frames, self._unsent = self._unsent, []
        if not frames or self._transport.is_closing():
            return
        self._transport.write(b"".join(frames) if len(frames) > 1 else frames[0])
        if self._transport.get_write_buffer_size() > self._max_bytes:
            self._transport.abort()
            self._on_overflow()

    def abort(self) -> None:
        """Break the connection; what has not left is lost."""
        self._unsent.clear()
        self._transport.abort()
