"""A network in memory: latencies, connections that are refused, cut or swallowed, in their order.

It is the `Wire` of one process. What was written before the process died still arrives.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextvars import Context
from random import Random

from ..exchange_server.methods import Broken
from ..model.errors import OutcomeUnknownError, VenueUnavailable
from ..venues.binance_futures.wire import Ears, HttpReply, Socket
from .answer import Answer
from .bourse import API_PATH, Bourse, FarEnd
from .process import Process
from .strange import Strange

LATENCY_MS = (2, 60)
SLOW_MS = 1000
SLOW_CHANCE = 0.02
GRAIN_S = 0.001
"""Latencies are whole milliseconds, so that arrivals may coincide."""

LOST_HOST = Answer(502, {}, b"<html><body>Bad gateway</body></html>")
HANG_S = 60.0
MARKET_PATH = "/stream?streams="
"""What the addresses of market streams have."""


class Road:
    """The way between the machine and the exchange, and what is wrong with it."""

    def __init__(self, bourse: Bourse, seed: str, now: Callable[[], float]) -> None:
        self.bourse = bourse
        self.seed = seed
        self._now = now
        self.lots = Random(f"{seed}/road")
        self.refuses_until = 0.0  # connections and requests: nothing is written
        self.swallows_until = 0.0  # everything, both ways
        self.cuts_before = 0  # so many requests are cut off before they arrive
        self.cuts_after = 0  # so many after they were carried out
        self.cuts_early = 0  # so many at once, and they arrive all the same, later
        self.late_s = 0.0
        self.cut_off_until: dict[str, float] = {}  # by account: connections and requests
        self.fired: Counter[str] = Counter()
        self.strange = Strange(Random(f"{seed}/strange"), now, self.fired)
        self.sockets: list[SimSocket] = []
        self.sent = 0
        self.before_send: Callable[[str, str], None] = lambda _verb, _url: None
        self.api: Callable[[SimSocket, bytes], bytes | None] | None = None  # see `api_deaf`
        self.rest: Callable[[], str] | None = None  # see `one_road`
        self.users: Callable[[], str] | None = None  # likewise
        self.gone_at: dict[tuple[Process, str], float] = {}  # when one knew its stream to be gone

    def latency(self) -> float:
        most = SLOW_MS if self.lots.random() < SLOW_CHANCE else LATENCY_MS[1]
        return self.lots.randint(LATENCY_MS[0], most) * GRAIN_S

    def is_refused(self, account: str = "") -> bool:
        """Tell whether nobody takes a connection: for a while, or because nobody is there."""
        until = max(self.refuses_until, self.cut_off_until.get(account, 0.0))
        return self._now() < until or self.bourse.is_down

    def cut_sockets(self) -> int:
        """Break every connection that is open; return how many."""
        sockets = [each for each in self.sockets if each.is_open]
        for each in sockets:
            each.break_off("connection reset")
        return len(sockets)

    def cut_off(self, account: str, seconds: float) -> None:
        """Break an account's connections, and let nobody take one for a while."""
        self.cut_off_until[account] = self._now() + seconds
        for socket in [each for each in self.sockets if each.account == account]:
            socket.break_off("connection reset")

    def takes(self, counter: str) -> bool:
        """Use one of a number of faults up; False when there is none left."""
        left: int = getattr(self, counter)
        if left <= 0:
            return False
        setattr(self, counter, left - 1)
        self.fired[counter.replace("cuts", "cut")] += 1
        return True


def is_users(url: str) -> bool:
    """Tell whether an address is that of an account's stream."""
    return API_PATH not in url and MARKET_PATH not in url


class SimWire:
    """One process's way to the exchange."""

    def __init__(self, road: Road, process: Process, account: str = "") -> None:
        self._road = road
        self._process = process
        self._account = account
        self._sockets: list[SimSocket] = []

    async def open_socket(self, url: str, ears: Ears) -> Socket:
        road = self._road
        loop = asyncio.get_running_loop()
        await asyncio.sleep(road.latency())
        if road.is_refused(self._account):
            road.fired["refused"] += 1
            raise VenueUnavailable("connection refused")
        if loop.time() < road.swallows_until:
            road.fired["swallowed"] += 1
            await asyncio.sleep(HANG_S)
            raise VenueUnavailable("it took too long")
        if is_users(url) and road.users is not None and road.users() == "refused":
            raise VenueUnavailable("connection refused")
        socket = SimSocket(road, self._process, url, ears, self._account)
        self._sockets.append(socket)
        await asyncio.sleep(road.latency())
        return socket

    async def request(
        self, verb: str, url: str, headers: Mapping[str, str], timeout_s: float
    ) -> HttpReply:
        road, loop = self._road, asyncio.get_running_loop()
        self._process.check()
        if road.is_refused(self._account):
            await asyncio.sleep(road.latency())
            road.fired["refused"] += 1
            raise VenueUnavailable("connection refused")
        ill = "" if road.rest is None else road.rest()
        if ill == "refused":
            await asyncio.sleep(road.latency())
            raise VenueUnavailable("connection refused")
        road.sent += 1
        road.before_send(verb, url)
        answer: asyncio.Future[HttpReply] = loop.create_future()
        call = _Call(road, self._process, answer, ill)
        call.leave(verb, url, dict(headers))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise OutcomeUnknownError("it took too long") from None

    async def close(self) -> None:
        for socket in self._sockets:
            socket.close()


class _Call:
    """One request on its way, and its answer. Runs outside of the process that asked."""

    def __init__(
        self, road: Road, process: Process, answer: asyncio.Future[HttpReply], ill: str
    ) -> None:
        self._ill = ill  # see `one_road`
        self._road = road
        self._process = process
        self._answer = answer
        self._loop = asyncio.get_running_loop()

    def leave(self, verb: str, url: str, headers: dict[str, str]) -> None:
        road = self._road
        if self._loop.time() < road.swallows_until:
            road.fired["swallowed"] += 1
            return
        outside = Context()
        if self._ill == "lost":
            return
        if self._ill == "broken":
            self._loop.call_later(road.latency(), self._return, LOST_HOST, context=outside)
            return
        if road.takes("cuts_before"):
            self._loop.call_later(road.latency(), self._break, context=outside)
            return
        if verb != "GET" and road.takes("cuts_early"):
            self._loop.call_later(road.latency(), self._break, context=outside)
            self._loop.call_later(road.late_s, self._arrive, verb, url, headers, context=outside)
            return
        self._loop.call_later(road.latency(), self._arrive, verb, url, headers, context=outside)

    def _arrive(self, verb: str, url: str, headers: dict[str, str]) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(verb, url, headers))
        self._task = task

    async def _serve(self, verb: str, url: str, headers: dict[str, str]) -> None:
        try:
            found = await self._road.bourse.request(verb, url, headers)
        except Broken as broken:
            if broken.is_reset:
                self._loop.call_later(self._road.latency(), self._break)
            return
        if self._road.takes("cuts_after"):
            self._loop.call_later(self._road.latency(), self._break)
            return
        if self._ill != "mute":
            found = LOST_HOST if self._ill else found
            self._loop.call_later(self._road.latency(), self._return, found)

    def _return(self, found: Answer) -> None:
        if self._loop.time() < self._road.swallows_until:
            self._road.fired["swallowed"] += 1
            return
        heard = self._road.strange.answer(found)
        self._inside(lambda: self._answer.set_result(HttpReply(*heard)))

    def _break(self) -> None:
        error = OutcomeUnknownError("connection reset")
        self._inside(lambda: self._answer.set_exception(error))

    def _inside(self, do: Callable[[], None]) -> None:
        def settle() -> None:
            if not self._answer.done():
                do()

        self._loop.call_soon(settle, context=self._process.context)


class SimSocket:
    """Both ends of one WebSocket, from the client's side. Frames keep their order each way.

    Those of a user's stream that arrive at the same instant are heard in any order.
    """

    def __init__(
        self, road: Road, process: Process, url: str, ears: Ears, account: str = ""
    ) -> None:
        self._road = road
        self._process = process
        self._ears = ears
        self._loop = asyncio.get_running_loop()
        self._to_us = self._to_them = 0.0
        self._coming: deque[bytes] = deque()  # frames of the market, in their order
        self.is_open = True
        self._is_swallowed = False
        self._is_api = API_PATH in url
        self._is_market = MARKET_PATH in url
        self.is_users = is_users(url)
        self.account, self.process = account, process
        self._path = f"{url.partition('?')[0]} {account}"
        self._far: FarEnd = road.bourse.open(url, self._from_them, self._ended_there)
        road.sockets.append(self)
        if self.is_users:
            road.gone_at[process, account] = math.inf
        if not self._is_api:
            for text in road.strange.again(self._path):
                self._hand_on(text)

    # The client's calls

    def send(self, frame: bytes | str) -> bool:
        self._process.check()
        if not self.is_open:
            return False
        raw = frame.encode() if isinstance(frame, str) else frame
        self._road.sent += 1
        self._road.before_send("WS", raw.decode())
        if self._is_lost():
            return True
        self._to_them = max(self._to_them, self._loop.time() + self._road.latency())
        self._loop.call_at(self._to_them, self._arrive, raw, context=Context())
        return True

    def ping(self) -> None:
        if self.is_open and not self._is_lost():
            self._later(self._ears.on_pong)

    def close(self) -> None:
        if self.is_open:
            self._is_gone()
            self._forget()
            # What was written still leaves: the far end closes behind it.
            self._loop.call_at(
                max(self._to_them, self._loop.time()), self._far.close, context=Context()
            )

    # The road

    def _is_lost(self) -> bool:
        if self._loop.time() < self._road.swallows_until:
            self._is_swallowed = True  # a connection with a gap in it never recovers
        if self._is_swallowed:
            self._road.fired["swallowed"] += 1
        return self._is_swallowed

    def _arrive(self, raw: bytes) -> None:
        if self._is_api and self._road.api is not None:
            answer = self._road.api(self, raw)
            if answer is not None:
                if answer and self.is_open:
                    self._hand_on(answer)
                return
        if self._road.takes("cuts_before"):
            self.break_off("connection reset")
            return
        if self._road.takes("cuts_early"):
            self.break_off("connection reset")
            self._loop.call_later(self._road.late_s, self._far.hear, raw)
            return
        self._far.hear(raw)

    def _from_them(self, text: bytes) -> None:
        if not self.is_open or self._is_lost() or self._is_silenced():
            return
        strange = self._road.strange
        for each in [strange.reply(text)] if self._is_api else strange.frame(text, self._path):
            self._hand_on(each)

    def _is_silenced(self) -> bool:
        users = self._road.users if self.is_users else None
        return users is not None and users() == "silent"

    def hold_up(self, seconds: float) -> None:
        """Let nothing that leaves there arrive before; what does comes in its turn."""
        self._to_us = max(self._to_us, self._loop.time() + seconds)

    def _hand_on(self, text: bytes) -> None:
        if self._is_market:
            self._coming.append(text)
            self._later(lambda: self._ears.on_frame(self._coming.popleft()))
        else:
            self._later(lambda: self._ears.on_frame(text))

    def _later(self, do: Callable[[], None]) -> None:
        self._to_us = max(self._to_us, self._loop.time() + self._road.latency())
        self._loop.call_at(self._to_us, self._hear, do, context=self._process.context)

    def _hear(self, do: Callable[[], None]) -> None:
        if self.is_open:
            do()

    def _ended_there(self) -> None:
        self.break_off("the other side closed it")

    def break_off(self, reason: str) -> None:
        """End the socket for both sides; what is under way to us still comes."""
        if not self.is_open:
            return
        self._forget()
        if self._is_market:  # the exchange may be in the midst of telling this very stream
            self._loop.call_soon(self._far.close, context=Context())
        else:
            self._far.close()
        self._to_us = max(self._to_us, self._loop.time() + self._road.latency())
        self._loop.call_at(self._to_us, self._told, reason, context=self._process.context)

    def _told(self, reason: str) -> None:
        if self.is_open:
            self._is_gone()
            self._ears.on_closed(reason)

    def _is_gone(self) -> None:
        self.is_open = False
        if self.is_users:
            self._road.gone_at[self.process, self.account] = self._loop.time()

    def _forget(self) -> None:
        if self in self._road.sockets:
            self._road.sockets.remove(self)
