"""The other venue: a fake of Binance USD-M futures that knows nothing of Holdfast's own exchange.

It was written from the protocol alone, to have other habits. `habits` are words that change how
it says things; `trouble` is what goes wrong with a request, so many times.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import json
import time
from collections import deque
from dataclasses import dataclass

from .api import METHODS, Api, params_of, rest_signed, ws_signed
from .books import Books
from .keys import KEY
from .levels import Levels
from .market import market_frames
from .orders import Refused
from .sockets import Answer, Hangup, Server
from .writing import write

BEAT_S = 0.05
REPLAYED = 30
LATE_S = 0.15
PAGE = b"<html>\r\n<head><title>%d</title></head>\r\n<body><center>nginx</center></body>\r\n</html>"
PATHS = ("public", "market", "private")
TEXTS = {
    "unknown": (503, "Unknown error, please check your request or try again later."),
    "unavailable": (503, "Service Unavailable."),
    "internal": (503, "Internal error; unable to process your request. Please try again."),
}
"""Answers of the venue's gateway: they have no code."""

CODES = {
    "banned": (418, -1003, "Way too many requests; IP banned until {ban}."),
    "too_many": (429, -1003, "Too many requests; current limit is 2400 per minute."),
    "timeout": (408, -1007, "Timeout waiting for response from backend server."),
    "bus": (
        400,
        -1006,
        "An unexpected response was received from the message bus. Execution status unknown.",
    ),
    "throttled": (503, -1008, "Request throttled by system-level protection."),
    "mistimed": (400, -1021, "Timestamp for this request is outside of the recvWindow."),
}
NOT_DONE = frozenset({*CODES, "unavailable", "internal", "unknown", "page", "reset", "mute"}) - {
    "timeout",
    "bus",
}
"""What may go wrong before anything is done; with `_done` behind it, it goes wrong afterwards."""


@dataclass
class Trouble:
    kind: str
    on: str
    count: int
    fired: int = 0


class OtherVenue:
    """All of it, on one loop."""

    def __init__(self, habits=()):
        self.habits = set(habits)
        self.troubles: list[Trouble] = []
        self.skew_ms = 0
        self.books = Books(self._tell, self.now, self.habits)
        self.api = Api(self.books, self.now, self.habits)
        self.levels = {name: Levels(name, depth) for name, depth in self.books.depths.items()}
        self.api.levels = self.levels
        self.changes: dict = {}
        """Of order books, at this beat."""

        self.is_book_lost = False

        self.server = Server(self.habits, self._answer, self._live, self.greet)
        self.users, self.markets, self.orders = set(), set(), set()
        self.said: deque[str] = deque(maxlen=REPLAYED)
        self.placed = []
        self.weight = self.unanswered = self.unsigned = 0
        self._tasks = set()
        self._events = 0

    def now(self):
        return time.time_ns() // 1_000_000 + self.skew_ms

    # REST

    async def _answer(self, request):
        self.weight += 1
        place = f"{request.verb} {request.path}"
        trouble = self._strike(place)
        if trouble and not trouble.endswith("_done") and trouble in NOT_DONE:
            return await self._spoiled(trouble)
        if request.headers.get("x-mbx-apikey", KEY) != KEY and "ping" not in request.path:
            return self._said(401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions."})
        try:
            answer = self._said(200, self._asked(request))
        except Refused as refused:
            answer = self._said(refused.status, {"code": refused.code, "msg": refused.msg})
        except LookupError:
            return Answer(404, PAGE % 404, {"Content-Type": "text/html"})
        if trouble.endswith("_done"):
            return await self._spoiled(trouble.removesuffix("_done"))
        answer.trouble = trouble
        return answer

    def _asked(self, request):
        query = "&".join(part for part in (request.query, request.body) if part)
        name = request.path.split("/", 3)[-1]
        key = request.headers.get("x-mbx-apikey", "")
        signed = rest_signed(request.query) + rest_signed(request.body)
        self.api.check(name, key, params_of(query), signed)
        if request.verb == "POST" and name in ("order", "algoOrder"):
            self.placed.append(params_of(query))
        return self.api.ask(request.verb, request.path, query)

    async def _spoiled(self, kind):
        if kind == "reset":
            raise Hangup
        if kind == "mute":
            await asyncio.sleep(60)
        if kind in TEXTS:
            status, text = TEXTS[kind]
            if "bare_texts" in self.habits:
                return Answer(status, text.encode(), {"Content-Type": "text/plain"})
            return self._said(status, {"code": 0, "msg": text})
        if kind in CODES:
            status, code, text = CODES[kind]
            headers = {"Retry-After": "1"} if status in (418, 429) else {}
            text = text.format(ban=self.now() + 1000)
            return self._said(status, {"code": code, "msg": text}, headers)
        return Answer(502, PAGE % 502, {"Content-Type": "text/html"})

    def _said(self, status, value, headers=None):
        if "wordless" in self.habits and "code" in value and status != 200:
            value = {"msg": None, "code": value["code"]}
        if "all_well" in self.habits and "code" in value:  # says so with HTTP 200
            status, value = 200, {"msg": value["msg"], "code": value["code"]}
        counters = {"X-MBX-USED-WEIGHT-1M": str(self.weight), "X-MBX-ORDER-COUNT-10S": "1"}
        if "odd_counters" in self.habits:  # not of a minute: of all its life
            counters = {"X-MBX-USED-WEIGHT-1M": "99999999", "X-MBX-ORDER-COUNT-10S": "5000"}
        shown = {} if "no_counters" in self.habits else counters
        return Answer(status, write(value, self.habits).encode(), {**shown, **(headers or {})})

    def _strike(self, place):
        for trouble in self.troubles:
            if trouble.fired < trouble.count and fnmatch.fnmatch(place, trouble.on):
                trouble.fired += 1
                return trouble.kind
        return ""

    # Sockets

    async def greet(self, request):
        """Say how a WebSocket's handshake ends: None is well."""
        trouble = self._strike(f"WS {request.path}")
        return await self._spoiled(trouble) if trouble else None

    async def _live(self, request, socket):
        path = request.path.strip("/")
        pings = asyncio.create_task(self._ping(socket))
        try:
            if path == "ws-fapi/v1":
                await self._live_orders(socket)
            elif path.startswith("private"):
                await self._live_user(request, socket)
            else:
                await self._live_market(request, socket)
        finally:
            pings.cancel()

    async def _ping(self, socket):
        """Ping three times a second, and part from who does not answer with the same words."""
        while "pings" in self.habits:
            words = f"{self.now()}".encode().ljust(125, b".")
            socket.ping(words)
            await asyncio.sleep(0.3)
            if words not in socket.pongs:
                self.unanswered += 1
                socket.close(1008, b"no pong")

    async def _live_user(self, request, socket):
        if params_of(request.query).get("listenKey") != self.api.listen_key:
            await asyncio.Event().wait()  # open, and silent for ever
        self.users.add(socket)
        if "replays" in self.habits:
            for text in list(self.said):
                socket.send(text)
        await self._until_gone(socket, self.users)

    async def _live_market(self, request, socket):
        kind = request.path.strip("/").partition("/")[0]
        named = params_of(request.query).get("streams", "").split("/")
        socket.names = {each for each in named if kind == path_of(each)}
        self.markets.add(socket)
        await self._until_gone(socket, self.markets)

    @staticmethod
    async def _until_gone(socket, among):
        try:
            async for _ in socket.texts():
                pass
        finally:
            among.discard(socket)

    async def _live_orders(self, socket):
        self.orders.add(socket)
        try:
            async for text in socket.texts():
                task = asyncio.create_task(self._reply(socket, json.loads(text)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            self.orders.discard(socket)

    async def _reply(self, socket, asked):
        self._events = 0
        trouble = self._strike(asked["method"])
        try:
            reply = self._replied(asked, trouble, socket)
        except Hangup:
            socket.abort()
            return
        if reply is None:
            return
        if "late_replies" in self.habits:
            await asyncio.sleep(LATE_S)
        number = asked["id"]
        reply = {"id": str(number) if "text_ids" in self.habits else number, **reply}
        if "no_counters" not in self.habits:
            reply["rateLimits"] = [contract_limit(self.weight)]
        socket.send(write(reply, self.habits))

    def _replied(self, asked, trouble, socket):
        """Return status and result; None where nothing is to be said."""
        kind = trouble.removesuffix("_done")
        if trouble and trouble == kind:
            return self._failed(kind)
        params = {name: str(value) for name, value in asked["params"].items()}
        try:
            result = self._called(asked["method"], params, socket)
        except Refused as refused:
            return {"status": refused.status, "error": {"code": refused.code, "msg": refused.msg}}
        return self._failed(kind) if trouble else {"status": 200, "result": result}

    def _called(self, method, params, socket):
        if method == "session.logon":
            return self._logged_on(params, socket)
        do = METHODS.get(method)
        if do is None:
            raise Refused(-1130, f"Method '{method}' is not supported.")
        if socket.is_logged_on and "signature" not in params:
            self.unsigned += 1
            self.api.check_time(params)
        else:
            self.api.check(method, params.get("apiKey"), params, ws_signed(params))
        if method.endswith(".place"):
            self.placed.append(params)
        return do(self.api, params)

    def _logged_on(self, params, socket):
        if not self.api.key.may_log_on:
            raise Refused(-4056, "HMAC_SHA256 API key is not supported.")
        self.api.check("session.logon", params.get("apiKey"), params, ws_signed(params))
        socket.is_logged_on = True
        now = self.now()
        since = {"authorizedSince": now, "connectedSince": now, "serverTime": now}
        return {"apiKey": KEY, **since, "returnRateLimits": False}

    def log_off(self, *, is_told):
        """Forget who is logged on, with a word or without."""
        for socket in self.orders:
            socket.is_logged_on = False
            if is_told:
                error = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
                socket.send(write({"id": None, "status": 401, "error": error}, self.habits))

    def _failed(self, kind):
        if kind == "reset":
            raise Hangup
        if kind in TEXTS:
            status, text = TEXTS[kind]
            return {"status": status, "error": {"code": -1000, "msg": text}}
        if kind in CODES:
            status, code, text = CODES[kind]
            now = self.now()
            error = {"code": code, "msg": text.format(ban=now + 1000)}
            if status in (418, 429):
                error["data"] = {"serverTime": now, "retryAfter": now + 1000}
            return {"status": status, "error": error}
        return None

    # The user stream

    def _tell(self, frame):
        if "wrapped" in self.habits:
            frame = {"stream": self.api.listen_key, "data": frame}
        text = write(frame, self.habits)
        self.said.append(text)
        loop = asyncio.get_running_loop()
        if "unknown_events" in self.habits:
            self._send_user(write({"e": "GRID_UPDATE", "T": 1, "E": 2, "gu": {}}, self.habits))
            self._send_user('{"e":"MARGIN_FORECAST","x":[1,{"e":null}]}')
        if "late_events" in self.habits:
            self._events += 1  # in order, one after the other
            loop.call_later(LATE_S * (1 + self._events / 100), self._send_user, text)
        else:
            self._send_user(text)

    def _send_user(self, text):
        for socket in list(self.users):
            socket.send(text)

    def expire_key(self):
        """End the user stream's key; the socket stays, and is silent."""
        key, self.api.is_key_live = self.api.listen_key, False
        self._send_user(
            write({"e": "listenKeyExpired", "E": self.now(), "listenKey": key}, self.habits)
        )
        self.users.clear()

    async def beat(self):
        """Show the market's prices over and over."""
        for turn in range(10**9):
            self.books.trickle()
            self.books.end_silent()
            self.changes = {name: each.change(self.now()) for name, each in self.levels.items()}
            for socket in list(self.markets):
                for text in market_frames(self, socket.names, turn):
                    socket.send(text)
            await asyncio.sleep(BEAT_S)

    async def start(self, port=0, tls=None):
        await self.server.start(port, tls)
        self._beat = asyncio.create_task(self.beat())

    async def stop(self):
        self._beat.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._beat
        await self.server.stop()


def path_of(name):
    """Return which path delivers a stream."""
    is_public = "@bookTicker" in name or "@depth" in name or name == "!bookTicker"
    return "public" if is_public else "market"


def contract_limit(weight):
    kind = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
    return {**kind, "limit": 2400, "count": weight}
