"""A WebSocket of the venue that comes back: watchdogs, backing off, rotation before its end.

Rule 1: a stream that is silent is broken. Pings tell of the road, `silence_s` of what should be
        on it, `expect` of something that must come now.
Rule 2: the venue ends every connection after a day. The next one is opened before this one is
        closed, and both are heard for a moment: what comes twice is the reader's to tell apart.
        Where all connections are told the same (`is_shared`), what the next one hears meanwhile
        waits until this one is let go of: one that is faster would put later news before earlier.
        One that hears nothing meanwhile, though its successor does, was deaf, and so was one that
        answers no ping: what it missed is told as any loss.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ...model.errors import RateLimitError, VenueUnavailable
from ...model.values import NS_PER_S
from ..limits import backoff_ns
from . import wire
from .handshakes import Banned, TooMany, check_ban, note_ban
from .wire import Socket, Wire

PING_S = 15.0
PONG_S = 7.5
"""After how long a silence we ping, and how long we wait for the pong."""

OPEN_S = 10.0
ADDRESS_S = 120.0
"""How long the address may take where no connection is up: it may wait for the venue's limits."""

WATCH_S = 0.5
"""How often the watchdogs look."""

FIRST_BACKOFF_NS = NS_PER_S // 4
BACKOFF_MAX_NS = 30 * NS_PER_S
BACKOFF_STEPS = 7
STABLE_S = 30.0
"""A connection that lived shorter makes the next one wait longer."""

LIFETIME_S = 23 * 3600.0
OVERLAP_S = 2.0
ROTATION_RETRY_S = 300.0

EARLY_MAX = 50_000
"""Frames that may come before their connection is in use. In a lively market that is seconds."""

_log = logging.getLogger("holdfast.venue")


@dataclass(frozen=True, slots=True)
class Watch:
    """When a stream counts as broken or old, in seconds; None is never."""

    first_s: float | None = None  # for the first frame
    silence_s: float | None = None  # between any two frames
    lifetime_s: float = LIFETIME_S
    is_shared: bool = False  # every connection is told the same


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told. Calls come on the loop's thread and must not raise.

    `on_renewed` is told when what is sent goes over the next connection; the stream was up all
    the while. `on_too_many` is told for how many seconds the venue wants no connection of this
    address, and whether that is a ban.
    """

    on_frame: Callable[[bytes], None]
    on_up: Callable[[], None] = lambda: None
    on_renewed: Callable[[], None] = lambda: None
    on_down: Callable[[str], None] = lambda _: None
    on_too_many: Callable[[float, bool], None] = lambda _seconds, _is_ban: None


class Line:
    """One connection of a stream: what was heard on it, and when.

    Args:
        hear: is given each frame, and the loop's time at which it came.
    """

    __slots__ = (
        "_early",
        "_hear",
        "_loop",
        "_pinged",
        "alive",
        "began",
        "ended",
        "has_heard",
        "heard",
        "is_over",
        "reason",
    )

    def __init__(self, hear: Callable[[bytes, float], None]) -> None:
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self.began = self.heard = self.alive = self._loop.time()
        self.has_heard = False
        self.reason = ""
        self.is_over = False
        self.ended = asyncio.Event()
        self._pinged: float | None = None
        self._early: list[bytes] | None = []  # what came while the socket was being opened

    def on_frame(self, frame: bytes) -> None:
        now = self._loop.time()
        self.heard = self.alive = now
        self.has_heard = True
        self._pinged = None
        if self._early is None:
            self._hear(frame, now)
        elif len(self._early) < EARLY_MAX:
            self._early.append(frame)
        else:
            self.end(f"{EARLY_MAX} frames came before the connection was in use")

    def use(self) -> None:
        """Hand on what came, and from now on what comes."""
        early, self._early = self._early or (), None
        for frame in early:
            self._hear(frame, self.heard)

    def on_pong(self) -> None:
        self.alive = self._loop.time()
        self._pinged = None

    def end(self, reason: str) -> None:
        """Say that the connection is over; the first reason stays."""
        self.reason = self.reason or reason
        self.is_over = True
        self.ended.set()

    @property
    def age_s(self) -> float:
        """How long it has been open."""
        return self._loop.time() - self.began

    def look(self, watch: Watch, socket: Socket) -> str:
        """Return why the silence is too long; "" where it is not, and ping where it is long."""
        now = self._loop.time()
        limit_s = watch.silence_s if self.has_heard else watch.first_s
        if limit_s is not None and now - self.heard > limit_s:
            return f"nothing came for {limit_s:g} s"
        if self._pinged is not None:
            return "a ping was not answered" if now - self._pinged > PONG_S else ""
        if now - self.alive > PING_S:
            self._pinged = now
            socket.ping()
        return ""


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
        wire: Wire,
        name: str,
        address: Callable[[], Awaitable[str]],
        ears: Ears,
        random: Callable[[], float],
        watch: Watch | None = None,
    ) -> None:
        self._wire = wire
        self._name = name
        self._address = address
        self._ears = ears
        self._random = random
        self._watch = watch or Watch()
        self._line: Line | None = None
        self._socket: Socket | None = None
        self._expected_by: float | None = None
        self._heard = 0.0
        self._was_told_up = False
        self.went_up = asyncio.Event()
        self.problem = ""
        """Why it could not be opened the last time; "" once it could."""

    @property
    def is_up(self) -> bool:
        """Tell whether there is a connection to send over."""
        return self._was_told_up and self._line is not None and not self._line.is_over

    async def run(self) -> None:
        """Connect, hear, and connect again, for ever."""
        attempt = 0
        now = asyncio.get_running_loop().time
        try:
            while True:
                try:
                    line, socket = await self._open(ADDRESS_S)
                except VenueUnavailable as error:
                    self.problem = str(error)
                    attempt = min(attempt + 1, BACKOFF_STEPS)
                    _log.warning("%s can't be opened: %s", self._name, error)
                    await self._pause(attempt, _least_s(error))
                    continue
                self.problem = ""
                began = now()
                self._set_down(await self._live(line, socket))
                attempt = 0 if now() - began > STABLE_S else min(attempt + 1, BACKOFF_STEPS)
                await self._pause(attempt)
        finally:
            self._was_told_up = False
            self._close()

    def send(self, frame: str | bytes) -> bool:
        """Send a frame, at once; False where nothing was written."""
        return self.is_up and self._socket is not None and self._socket.send(frame)

    def give_up(self, reason: str) -> None:
        """Leave the present connection and make a new one."""
        if self._line is not None:
            self._line.end(reason)

    def expect(self, within_s: float, since: float) -> None:
        """Take the stream for broken unless something came since, or comes in this time.

        Args:
            since: in the loop's time: what tells of an order may be here before its answer.
        """
        if self._expected_by is None and self._heard < since:
            self._expected_by = asyncio.get_running_loop().time() + within_s

    # One connection after the other

    async def _open(self, address_s: float) -> tuple[Line, Socket]:
        """Open a connection.

        Args:
            address_s: how long to wait for the address.

        Raises:
            VenueUnavailable: there is none now. The text has no address: it may hold a key.
        """
        try:
            async with asyncio.timeout(address_s):
                address = await self._address()
            check_ban(address)
            line = Line(self._on_frame)
            ears = wire.Ears(line.on_frame, line.on_pong, line.end)
            async with asyncio.timeout(OPEN_S):
                return line, await self._wire.open_socket(address, ears)
        except TooMany as error:
            note_ban(address, error)
            self._ears.on_too_many(error.retry_after, isinstance(error, Banned))
            raise
        except TimeoutError:
            raise VenueUnavailable("it took too long") from None

    async def _live(self, line: Line, socket: Socket) -> str:
        """Watch a connection and its successors; return why the last one ended."""
        self._begin(line, socket)
        lifetime_s = self._watch.lifetime_s
        while True:
            reason = await self._watched(line, socket, lifetime_s)
            if reason is not None:
                return reason
            try:
                fresh, successor = await self._open_beside(line)
            except VenueUnavailable as error:
                _log.warning("%s can't be renewed: %s", self._name, error)
                lifetime_s += max(ROTATION_RETRY_S, _least_s(error))
                continue
            if line.ended.is_set():  # before the next was there: what came in between is lost
                socket.close()
                self._set_down(line.reason)
                self._begin(fresh, successor)
            else:
                await self._hand_over(line, socket, fresh, successor)
            line, socket, lifetime_s = fresh, successor, self._watch.lifetime_s

    async def _open_beside(self, line: Line) -> tuple[Line, Socket]:
        """Open the next connection; that this one ends meanwhile is told at once.

        Raises:
            VenueUnavailable: there is none now.
        """

        async def tell_end() -> None:
            await line.ended.wait()
            self._set_down(line.reason)

        telling = asyncio.create_task(tell_end())
        try:
            return await self._open(OPEN_S)
        finally:
            telling.cancel()

    def _begin(self, line: Line, socket: Socket) -> None:
        self._line, self._socket = line, socket
        self._set_up()
        line.use()

    async def _hand_over(self, line: Line, socket: Socket, fresh: Line, successor: Socket) -> None:
        """Hear a connection and its successor for a moment, and let go of the former."""
        self._line, self._socket = fresh, successor
        self._ears.on_renewed()
        if self._watch.is_shared:
            socket.ping()  # of a silent market it tells whether the connection lives
        else:
            fresh.use()
        try:
            await self._watched(line, socket, line.age_s + OVERLAP_S)
        finally:
            socket.close()
        if self._watch.is_shared:
            if deaf := _deaf(line, fresh):
                self._set_down(deaf)
                self._set_up()
            fresh.use()

    async def _watched(self, line: Line, socket: Socket, lifetime_s: float) -> str | None:
        """Wait until the connection ends; return why, None at its lifetime's end."""
        while True:
            try:
                async with asyncio.timeout(WATCH_S):
                    await line.ended.wait()
            except TimeoutError:
                pass
            if line.ended.is_set():
                return line.reason
            if line.age_s > lifetime_s:
                return None
            if reason := line.look(self._watch, socket) or self._missing():
                return reason

    def _missing(self) -> str:
        """Return that something expected did not come; "" where nothing is amiss."""
        now = asyncio.get_running_loop().time()
        if self._expected_by is not None and now > self._expected_by:
            return "what had to come did not"
        return ""

    def _on_frame(self, frame: bytes, now: float) -> None:
        self._heard = now
        self._expected_by = None
        self._ears.on_frame(frame)

    def _set_up(self) -> None:
        self._expected_by = None
        self._was_told_up = True
        self.went_up.set()
        self._ears.on_up()

    def _set_down(self, reason: str) -> None:
        if not self._was_told_up:
            return  # it is known
        _log.warning("%s is down: %s", self._name, reason)
        self._was_told_up = False
        self.went_up.clear()
        self._ears.on_down(reason)

    async def _pause(self, attempt: int, least_s: float = 0.0) -> None:
        self._close()
        wait_ns = min(backoff_ns(FIRST_BACKOFF_NS, attempt, self._random), BACKOFF_MAX_NS)
        await asyncio.sleep(max(wait_ns / NS_PER_S, least_s))

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._line = self._socket = None


def _deaf(line: Line, successor: Line) -> str:
    """Return why a connection that was replaced may have missed something; "" where it heard."""
    if line.alive < successor.began:
        return "it was dead when it was replaced"
    if successor.has_heard and line.heard < successor.began:
        return "it heard nothing while its successor did"
    return ""


def _least_s(error: VenueUnavailable) -> float:
    """Return how long to stay away at least: what the venue said, where it refused us."""
    return error.retry_after if isinstance(error, RateLimitError) else 0.0
