"""A WebSocket of the venue that comes back: watchdogs, backing off, rotation before its end.

Rule 1: a stream that is silent is broken. Pings tell of the road, `silence_s` of what should be
        on it, `expect` of something that must come now.
Rule 2: the venue ends every connection after a day. The next one is opened before this one is
        closed, and both are read for a moment: what comes twice is the reader's to tell apart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from ...model.errors import VenueUnavailable
from ...model.values import NS_PER_S
from ..limits import backoff_ns
from .rest import told

PING_S = 15.0
"""How often we ping; a pong that does not come in half of it ends the connection."""

OPEN_S = 10.0
WATCH_S = 0.5
"""How often the watchdogs look while nothing comes."""

FIRST_BACKOFF_NS = NS_PER_S // 4
BACKOFF_MAX_NS = 30 * NS_PER_S
BACKOFF_STEPS = 7
STABLE_S = 30.0
"""A connection that lived shorter makes the next one wait longer."""

LIFETIME_S = 23 * 3600.0
OVERLAP_S = 2.0
ROTATION_RETRY_S = 300.0
FRAME_MAX = 8 * 1024 * 1024

_DATA = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
_log = logging.getLogger("holdfast.venue")


@dataclass(frozen=True, slots=True)
class Watch:
    """When a stream counts as broken or old, in seconds; None is never."""

    first_s: float | None = None  # for the first frame
    silence_s: float | None = None  # between any two frames
    lifetime_s: float = LIFETIME_S


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told. Calls come on the loop's thread and must not raise."""

    on_frame: Callable[[str | bytes], None]
    on_up: Callable[[], None] = lambda: None
    on_down: Callable[[str], None] = lambda _: None


class Stream:
    """One connection, kept open. `run` it in a task; it ends by cancellation alone.

    Args:
        name: for the log.
        address: returns where to connect; may ask the venue for a key first. Raises
            VenueUnavailable where there is none now.
        random: draws from 0 to 1, for jitter.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a stream consists of
        self,
        session: aiohttp.ClientSession,
        name: str,
        address: Callable[[], Awaitable[str]],
        ears: Ears,
        random: Callable[[], float],
        watch: Watch | None = None,
    ) -> None:
        self._session = session
        self._name = name
        self._address = address
        self._ears = ears
        self._random = random
        self._watch = watch or Watch()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._ending = ""  # why the connection is to be given up
        self._expected_by: float | None = None
        self._heard = 0.0
        self.is_up = False
        self.went_up = asyncio.Event()

    async def run(self) -> None:
        """Connect, read, and connect again, for ever."""
        attempt = 0
        try:
            while True:
                try:
                    socket = await self._open()
                except VenueUnavailable as error:
                    attempt = min(attempt + 1, BACKOFF_STEPS)
                    _log.warning("%s can't be opened: %s", self._name, error)
                    await self._pause(attempt)
                    continue
                began = asyncio.get_running_loop().time()
                self._set_down(await self._live(socket))
                lived_s = asyncio.get_running_loop().time() - began
                attempt = 0 if lived_s > STABLE_S else min(attempt + 1, BACKOFF_STEPS)
                await self._pause(attempt)
        finally:
            self.is_up = False
            await self._close(self._socket)

    async def send(self, text: str | bytes) -> bool:
        """Send a frame; False where nothing was written."""
        socket = self._socket
        if socket is None or socket.closed or not self.is_up:
            return False
        try:
            await (
                socket.send_str(text)
                if isinstance(text, str)
                else socket.send_frame(text, aiohttp.WSMsgType.TEXT)
            )
        except aiohttp.ClientConnectionResetError:
            return False
        except (aiohttp.ClientError, OSError):
            return True  # some of it may have left
        return True

    def give_up(self, reason: str) -> None:
        """Leave the present connection and make a new one."""
        self._ending = self._ending or reason

    def expect(self, within_s: float, since: float) -> None:
        """Take the stream for broken unless something came since, or comes in this time.

        Args:
            since: in the loop's time: what tells of an order may be here before its answer.
        """
        if self._expected_by is None and self._heard < since:
            self._expected_by = asyncio.get_running_loop().time() + within_s

    # One connection after the other

    async def _open(self) -> aiohttp.ClientWebSocketResponse:
        """Open a connection.

        Raises:
            VenueUnavailable: there is none now. The text has no address: it may hold a key.
        """
        try:
            async with asyncio.timeout(OPEN_S):
                return await self._session.ws_connect(
                    await self._address(), heartbeat=PING_S, max_msg_size=FRAME_MAX
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise VenueUnavailable(told(error)) from None

    async def _live(self, socket: aiohttp.ClientWebSocketResponse) -> str:
        """Read a connection and its successors; return why the last one ended."""
        self._socket = socket
        self._set_up()
        lifetime_s = self._watch.lifetime_s
        while True:
            reason = await self._read(socket, lifetime_s)
            if reason is not None:
                return reason
            try:
                fresh = await self._open()
            except VenueUnavailable as error:
                _log.warning("%s can't be renewed: %s", self._name, error)
                lifetime_s = ROTATION_RETRY_S
                continue
            self._socket = fresh
            await self._read(socket, OVERLAP_S)
            await self._close(socket)
            socket, lifetime_s = fresh, self._watch.lifetime_s

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, lifetime_s: float) -> str | None:
        """Hand on frames until the connection ends; return why, None at its lifetime's end."""
        now = asyncio.get_running_loop().time
        began = heard = now()
        has_heard = False
        while True:
            try:
                message = await socket.receive(WATCH_S)
            except TimeoutError:
                message = None
            if message is not None and message.type not in _DATA:
                return f"the connection ended ({socket.close_code})"
            if message is not None:
                heard = self._heard = now()
                has_heard, self._expected_by = True, None
                self._ears.on_frame(message.data)
            if self._ending:
                return self._ending
            if now() - began > lifetime_s:
                return None
            if message is None and (reason := self._is_silent(now(), heard, has_heard)):
                return reason

    def _is_silent(self, now: float, heard: float, has_heard: bool) -> str:
        """Return why the silence is too long; "" where it is not."""
        limit_s = self._watch.silence_s if has_heard else self._watch.first_s
        if limit_s is not None and now - heard > limit_s:
            return f"nothing came for {limit_s:g} s"
        if self._expected_by is not None and now > self._expected_by:
            return "what had to come did not"
        return ""

    def _set_up(self) -> None:
        self._ending, self._expected_by = "", None
        self.is_up = True
        self.went_up.set()
        self._ears.on_up()

    def _set_down(self, reason: str) -> None:
        _log.warning("%s is down: %s", self._name, reason)
        self.is_up = False
        self.went_up.clear()
        self._ears.on_down(reason)

    async def _pause(self, attempt: int) -> None:
        await self._close(self._socket)
        self._socket = None
        wait_ns = min(backoff_ns(FIRST_BACKOFF_NS, attempt, self._random), BACKOFF_MAX_NS)
        await asyncio.sleep(wait_ns / NS_PER_S)

    async def _close(self, socket: aiohttp.ClientWebSocketResponse | None) -> None:
        if socket is not None and not socket.closed:
            try:
                async with asyncio.timeout(1.0):
                    await socket.close()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                _log.debug("%s did not close: %s", self._name, told(error))
