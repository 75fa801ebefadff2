"""The HTTP door: reads requests off the wire, answers them, and runs the exchange behind them."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Coroutine
from typing import NamedTuple

import msgspec
from aiohttp import web

from ..model.errors import ConfigError, InputError, TradingError, VenueError
from ..ports import Feed
from . import (
    admin,
    admin_force,
    rest_account,
    rest_algo,
    rest_history,
    rest_index,
    rest_listen_key,
    rest_market,
    rest_orders,
    rest_settings,
    rest_statistics,
)
from .auth import check_time
from .broadcast import Broadcast
from .driver import drive, listed, open_source, remember
from .errors import INTERNAL, NO_SUCH_PATH, ApiError
from .forced import Forced
from .lagging import look
from .methods import Broken, Call, Method, Methods, Security, perform, spend
from .params import Params
from .settings import ApiKey, ServerSettings
from .venue import Venue

METHODS: Methods = {
    **rest_market.METHODS,
    **rest_index.METHODS,
    **rest_orders.METHODS,
    **rest_algo.METHODS,
    **rest_account.METHODS,
    **rest_history.METHODS,
    **rest_settings.METHODS,
    **rest_statistics.METHODS,
    **rest_listen_key.METHODS,
}

ADMIN = {**admin.ROUTES, **admin_force.ROUTES}

KEY_HEADER = "X-MBX-APIKEY"
BODY_BYTES_MAX = 1024 * 1024
WHY_LENGTH = 500
"""Of a header: clients refuse an answer with one of some thousand characters."""

TICK_S = 0.01
"""How often the exchange looks at what is due; the venue says about so."""

HANG_S = 60.0
"""How long an asker waits in vain before the connection is closed after all."""

LINGER_S = 1.0

_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("holdfast.exchange")


class Asked(NamedTuple):
    """What of an HTTP request matters here, whoever read it off the wire."""

    verb: str
    path: str
    query: str
    body: str
    key: str | None
    address: str


class Reply(NamedTuple):
    """An answer before it is written."""

    status: int
    body: object
    headers: dict[str, str]


class Door:
    """Answers every HTTP request that is not for a stream."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def answer(self, request: web.Request) -> web.StreamResponse:
        place = (request.method, request.path)
        if place not in METHODS:
            if place in ADMIN:
                return await self._admin(request, ADMIN[place])
            return _written(_unknown(place))
        body = (
            (await request.read()).decode("utf-8", "surrogateescape") if _has_body(request) else ""
        )
        query, key = request.rel_url.raw_query_string, request.headers.get(KEY_HEADER)
        try:
            return _written(await self.reply(Asked(*place, query, body, key, request.remote or "")))
        except Broken as broken:
            return await _break(request, broken)

    async def reply(self, asked: Asked) -> Reply:
        """Answer a request, without the wire.

        Raises:
            Broken: there is no answer.
        """
        method = METHODS.get((asked.verb, asked.path))
        if method is None:
            return _unknown((asked.verb, asked.path))
        headers: dict[str, str] = {}
        try:
            return Reply(200, await self._serve(asked, method, headers), headers)
        except ApiError as error:
            if error.retry_after is not None:
                headers["Retry-After"] = str(error.retry_after)
            if error.why:
                headers["X-Holdfast-Why"] = " ".join(error.why.split())[:WHY_LENGTH]
            return Reply(error.status, error.body, headers)
        except Broken:
            raise
        except Exception:  # noqa: BLE001 - whatever a handler raises, the exchange goes on
            _log.exception("%s %s failed", asked.verb, asked.path)
            return Reply(503, ApiError(INTERNAL).body, headers)

    async def _serve(self, asked: Asked, method: Method, headers: dict[str, str]) -> object:
        venue, address = self._venue, asked.address
        params = Params.of_request(asked.query, asked.body)
        headers["X-MBX-USED-WEIGHT-1M"] = str(venue.limits.used(address, venue.now()))
        headers["X-MBX-USED-WEIGHT-1M"] = str(spend(venue, method, params, address))
        key = self._identify(asked, method, params)
        call = Call(f"{asked.verb} {asked.path}", method, key, address)
        try:
            return await perform(venue, call, params)
        finally:
            if method.orders and key is not None:
                short, long = venue.limits.order_counts(key.account, venue.now())
                headers["X-MBX-ORDER-COUNT-10S"] = str(short)
                headers["X-MBX-ORDER-COUNT-1M"] = str(long)

    def _identify(self, asked: Asked, method: Method, params: Params) -> ApiKey | None:
        if method.security is Security.NONE:
            return None
        venue = self._venue
        key = venue.keys.known(asked.key)
        if method.security is Security.SIGNED:
            params.need_integer("timestamp")
            venue.keys.check_request(key, asked.query, asked.body)
            check_time(params, venue.shown_now())
        return key

    async def _admin(self, request: web.Request, answer: admin.Answer) -> web.Response:
        if not admin.is_allowed(request, self._venue.settings.admin_token):
            return _written(Reply(401, {"error": "the admin token is needed"}, {}))
        try:
            return _written(Reply(200, await answer(self._venue, request), {}))
        except (InputError, ConfigError) as error:
            return _written(Reply(400, {"error": str(error)}, {}))


def _has_body(request: web.Request) -> bool:
    return request.method != "GET" and request.can_read_body


def _written(reply: Reply) -> web.Response:
    return web.Response(
        status=reply.status,
        body=_encode(reply.body),
        headers=reply.headers,
        content_type="application/json",
    )


def _unknown(place: tuple[str, str]) -> Reply:
    text = f"Path {place[1]}, Method {place[0]} is invalid"
    return Reply(404, ApiError(NO_SUCH_PATH, text).body, {})


async def _break(request: web.Request, broken: Broken) -> web.StreamResponse:
    """Leave the asker without an answer."""
    if not broken.is_reset:
        await asyncio.sleep(HANG_S)
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


class Server:
    """An exchange on a port, from `start` to `stop`.

    Raises:
        ConfigError: the settings can't be had; nothing is left behind.
    """

    def __init__(
        self, settings: ServerSettings, *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self.settings = settings
        self._feed: Feed | None = open_source(settings, clock())
        self.venue = Venue(settings, listed(self._feed, settings.symbols), clock=clock)
        self.broadcast = Broadcast(self.venue, METHODS)
        self.venue.sinks.append(lambda *_: look(self.venue, rest_account.BOOKS))
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._port = settings.port
        self._site: web.SockSite | None = None
        self._forced = Forced(self.venue, self._refuse, self._end_sockets)
        self.failure: Exception | None = None
        self.failed = asyncio.Event()

    async def start(self) -> None:
        """Take the port and begin.

        Raises:
            ConfigError: the port is in use, or may not be used.
            NetworkError: a live feed has no answer.
        """
        taken = listen(self.settings.host, self.settings.port)
        self._port = taken.getsockname()[1]
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app[admin_force.FORCED] = self._forced
        app.add_routes(self.broadcast.routes())
        app.router.add_route("*", "/{path:.*}", Door(self.venue).answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=LINGER_S)
        await self._runner.setup()
        if self._feed is not None:
            for tape in self.venue.tapes.values():
                await asyncio.to_thread(remember, self._feed, tape, self.venue.now())
            self._begin(self._read(self._feed), "holdfast-exchange-feed")
        self._begin(self._keep_time(), "holdfast-exchange-time")
        self._begin(self.broadcast.run(), "holdfast-exchange-streams")
        await self._open(taken)

    async def _open(self, taken: socket.socket) -> None:
        assert self._runner is not None
        self._site = web.SockSite(self._runner, taken)
        await self._site.start()

    async def stop(self) -> None:
        """Give the port back, and let go of the books."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self.broadcast.close()
            await self._runner.cleanup()
        self.venue.close()

    @property
    def urls(self) -> dict[str, str]:
        """Return where each door is."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        place = f"{host}:{self._port}"
        return {
            "rest": f"http://{place}",
            "streams": f"ws://{place}",
            "ws_api": f"ws://{place}/ws-fapi/v1",
            "admin": f"http://{place}/admin",
        }

    def _begin(self, work: Coroutine[None, None, None], name: str) -> None:
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.create_task(work, name=name))

    def _refuse(self, delay_ms: int) -> None:
        """Let nothing listen for a while, and break what is connected."""
        if self._site is not None:
            self._begin(self._be_away(self._site, delay_ms / 1000), "holdfast-exchange-away")
            self._site = None

    async def _be_away(self, site: web.SockSite, seconds: float) -> None:
        await site.stop()
        assert self._runner is not None
        for each in tuple(self._runner.server.connections if self._runner.server else ()):
            if each.transport is not None:
                each.transport.abort()
        await asyncio.sleep(seconds)
        try:
            await self._open(listen(self.settings.host, self._port))
        except ConfigError as error:  # another process has taken it meanwhile
            self._fail(error)

    def _end_sockets(self) -> None:
        self._begin(self.broadcast.end_lifetimes(), "holdfast-exchange-ends")

    async def _read(self, feed: Feed) -> None:
        try:
            await drive(feed, self.settings.feed.speed, self.venue.now, self.venue.on_market)
            _log.info("the feed %s has ended", feed.name)
        except TradingError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._stumble("market", error)

    async def _keep_time(self) -> None:
        try:
            while True:
                await asyncio.sleep(TICK_S)
                self.venue.tick()
                look(self.venue, rest_account.BOOKS)
                rest_statistics.look(self.venue)
                self._forced.look()
        except TradingError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._stumble("clock", error)

    def _stumble(self, what: str, error: Exception) -> None:
        """Give up where something is broken: no customer may trade on as if it went on."""
        _log.exception("the exchange's %s has stopped", what)
        self._fail(VenueError(f"its {what} has stopped: {error!r}"))

    def _fail(self, error: Exception) -> None:
        _log.error("the exchange can't go on: %s", error)
        self.failure = error
        self.failed.set()


def listen(host: str, port: int) -> socket.socket:
    """Take a port.

    Raises:
        ConfigError: it is in use, or may not be used.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"can't be had: {error.strerror}"
        raise ConfigError(
            f"port {port} of {host} {why}; give another one, or 0 for a free one"
        ) from error
    listener.setblocking(False)
    return listener


def create_server(settings: ServerSettings, *, clock: Callable[[], int] = time.time_ns) -> Server:
    """Make a server; it listens from `Server.start` on.

    Raises:
        ConfigError: the settings can't be had.
    """
    return Server(settings, clock=clock)
