"""The WebSocket API: the requests of HTTP over one socket. Events are not delivered here.

An id comes back as it came, whatever its type.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from ..model.values import AccountId
from .errors import INTERNAL, ApiError
from .faults import Kind
from .frames import encode, ms
from .heartbeat import StreamLimits
from .listing import NO_LIMIT
from .methods import Broken, Call, Method, Methods, Security, perform, spend
from .outbox import Outbox, text_frame
from .params import UNREADABLE, Params
from .settings import ApiKey
from .sockets import Sockets
from .venue import Venue
from .ws_methods import DEFAULTS, ORDER_METHODS, PLACES, SESSION_METHODS
from .ws_session import Session

_log = logging.getLogger("holdfast.exchange")

PATH = "/ws-fapi/v1"
CONNECT_WEIGHT = 5

IN_FLIGHT_MAX = 200
"""How many requests of one socket may be held up at a time, by faults alone."""

ORPHANS_MAX = 10_000
"""How many requests may be held up whose socket has gone."""

BAD_REQUEST = -1135
_SESSION_METHOD = Method(lambda _ctx, _params: None, weight=2, security=Security.NONE)


class Asked(msgspec.Struct):
    """One request. Its id stays the text that it came as."""

    id: msgspec.Raw = msgspec.Raw(b"null")
    method: str = ""
    params: dict[str, object] | None = None

    def values(self) -> dict[str, object]:
        return self.params or {}


class _Head(msgspec.Struct):
    """What can be read of a request whose other fields are not what they should be."""

    id: msgspec.Raw = msgspec.Raw(b"null")


_read = msgspec.json.Decoder(Asked).decode
_read_head = msgspec.json.Decoder(_Head).decode


def _id_of(message: str | bytes) -> msgspec.Raw | None:
    """Return the id of a request that can't be carried out; None where it is no JSON object."""
    try:
        return _read_head(message).id
    except UNREADABLE:
        return None


class WsApi:
    """The door; `methods` are those of HTTP. `count` hears, by a word, of clients cut off."""

    def __init__(
        self,
        venue: Venue,
        methods: Methods,
        limits: StreamLimits | None = None,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._venue = venue
        self._methods = methods
        # What comes in is bounded by weights here, not by the streams' count of messages.
        bounds = msgspec.structs.replace(limits or StreamLimits(), messages_per_s=0)
        self._sockets = Sockets(bounds, count)
        self._orphans: set[asyncio.Task[None]] = set()
        self._is_open = True

    def routes(self) -> list[web.RouteDef]:
        return [web.get(PATH, self._handle)]

    async def close(self) -> None:
        """Close every socket, and give up what is held up."""
        self._is_open = False
        await self._sockets.close()
        for task in self._orphans:
            task.cancel()

    async def end_lifetimes(self) -> None:
        """Close every socket as if its time were over."""
        await self._sockets.end_lifetimes()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        address, now = request.remote or "", self._venue.now()
        try:
            self._venue.limits.spend(address, CONNECT_WEIGHT, now)
        except ApiError as error:
            return web.Response(
                status=error.status,
                body=encode(error.body),
                headers={"Retry-After": str(error.retry_after or 1)},
                content_type="application/json",
            )
        wish = parse_qs(request.rel_url.raw_query_string).get("returnRateLimits", ["true"])[0]
        session = Session(self._venue.keys, now, returns_limits=wish.lower() != "false")
        link = await self._sockets.open(request)
        talk = Talk(self._venue, self._methods, session, link.outbox, address)
        try:
            await self._sockets.listen(link, talk.hear)
        finally:
            self._adopt(talk)
        return link.socket

    def _adopt(self, talk: Talk) -> None:
        """Let what a socket had asked for be carried out though it has gone."""
        if not self._is_open or len(self._orphans) + len(talk.held) > ORPHANS_MAX:
            talk.close()
        for task in talk.held:
            self._orphans.add(task)
            task.add_done_callback(self._orphans.discard)


class Talk:
    """One socket's conversation, without the socket."""

    def __init__(
        self, venue: Venue, methods: Methods, session: Session, outbox: Outbox, address: str
    ) -> None:
        self._venue = venue
        self._methods = methods
        self._session = session
        self._outbox = outbox
        self._address = address
        self.held: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Give up what is held up."""
        for task in self.held:
            task.cancel()

    async def hear(self, message: str | bytes) -> None:
        if self._venue.faults.is_quiet or len(self.held) >= IN_FLIGHT_MAX:
            await self._answer(message)
            return
        task = asyncio.create_task(self._answer(message))  # one that is held up holds up no other
        self.held.add(task)
        task.add_done_callback(self.held.discard)

    async def _answer(self, message: str | bytes) -> None:
        try:
            asked = _read(message)
        except UNREADABLE as error:
            failure = ApiError(BAD_REQUEST, f"Invalid JSON request: {error}")
            self._send({"id": _id_of(message)} | self._failed(failure))
            return
        head: dict[str, object] = {"id": asked.id}
        account = AccountId("")
        try:
            method = self._method(asked)
            spend(self._venue, method, Params(asked.values()), self._address)
            key = self._session.identify(asked.values(), method.security, self._venue.shown_now())
            account = key.account if key is not None else account
            answer = {"status": 200, "result": await self._perform(asked, method, key)}
        except ApiError as error:
            answer = self._failed(error)
        except Broken as broken:
            if broken.is_reset:
                self._outbox.abort()
            return
        except Exception:  # noqa: BLE001 - whatever a handler raises, the socket goes on
            _log.exception("%s failed", asked.method)
            answer = self._failed(ApiError(INTERNAL))
        late = self._venue.faults.draw(
            Kind.EVENTS_BEFORE_REPLY, _place(asked.method), self._venue.now()
        )
        if late is not None:
            await asyncio.sleep(late.delay_ms / 1000)
        self._send(head | answer | self._rate_limits(asked, account))

    def _method(self, asked: Asked) -> Method:
        if asked.method in SESSION_METHODS:
            return _SESSION_METHOD
        method = self._methods.get(PLACES.get(asked.method, ("", "")))
        if method is None:
            raise ApiError(BAD_REQUEST, f"Unknown method: {asked.method}.")
        return method

    async def _perform(self, asked: Asked, method: Method, key: ApiKey | None) -> object:
        now = self._venue.shown_now() if asked.method in SESSION_METHODS else self._venue.now()
        if asked.method == "session.logon":
            return self._session.log_on(asked.values(), now)
        if asked.method == "session.logout":
            return self._session.log_out(now)
        if asked.method == "session.status":
            return self._session.status(now)
        call = Call(_place(asked.method), method, key, self._address)
        values = DEFAULTS.get(asked.method, {}) | asked.values()
        return await perform(self._venue, call, Params(values))

    def _failed(self, error: ApiError) -> dict[str, object]:
        said: dict[str, object] = dict(error.body)
        if error.retry_after is not None:
            now = ms(self._venue.now())
            said["data"] = {"serverTime": now, "retryAfter": now + 1000 * error.retry_after}
        return {"status": error.status, "error": said}

    def _rate_limits(self, asked: Asked, account: AccountId) -> dict[str, object]:
        """Return what has been used of the limits, unless it is not wanted."""
        wish = Params(asked.values()).text("returnRateLimits")
        if not (self._session.returns_limits if wish is None else wish.lower() != "false"):
            return {}
        limits, now = self._venue.limits, self._venue.now()
        used = limits.used(self._address, now)
        rows = [_row("REQUEST_WEIGHT", "MINUTE", 1, limits.settings.weight_1m, used)]
        if account and asked.method in ORDER_METHODS:
            short, long = limits.order_counts(account, now)
            rows.append(_row("ORDERS", "SECOND", 10, limits.settings.orders_10s, short))
            rows.append(_row("ORDERS", "MINUTE", 1, limits.settings.orders_1m, long))
        return {"rateLimits": rows}

    def _send(self, answer: dict[str, object]) -> None:
        """Let an answer leave at once, before the events of the same turn."""
        self._outbox.send(text_frame(encode(answer)))
        self._outbox.flush()


def _place(method: str) -> str:
    """Return what faults of a method go by: the request of HTTP that it is."""
    return " ".join(PLACES.get(method, ("", method)))


def _row(kind: str, interval: str, number: int, limit: int, count: int) -> dict[str, object]:
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": limit or NO_LIMIT,
        "count": count,
    }
