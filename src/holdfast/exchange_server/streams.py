"""The sockets of the streams: what their addresses ask for, and the control messages on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl

from aiohttp import web

from . import control
from .heartbeat import StreamLimits
from .sockets import Sockets
from .stream_names import ROUTES, looks_like_stream
from .subscriptions import Connection, Hub, Way


class Wish(NamedTuple):
    """A stream that the address of a socket asks for."""

    name: str
    events: frozenset[str] = frozenset()


def wishes(tail: str, query: str) -> Iterator[Wish]:
    """Read what an address asks for: path segments, `streams=` and `listenKey=…&events=…`.

    `events` belongs to the `listenKey` before it. The path comes decoded, the query does not.
    """
    for segment in tail.split("/"):
        if segment:
            yield Wish(segment)
    key, events = "", frozenset[str]()
    for name, value in parse_qsl(query):
        if name == "streams":
            yield from (Wish(stream) for stream in value.split("/") if stream)
        elif name == "listenKey":
            if key:
                yield Wish(key, events)
            key, events = value, frozenset()
        elif name == "events":
            events = frozenset(filter(None, value.split("/")))
    if key:
        yield Wish(key, events)


class StreamDoor:
    """Serves the streams of a hub, on the routed paths and on the unrouted ones of old."""

    def __init__(
        self,
        hub: Hub,
        limits: StreamLimits | None = None,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._hub = hub
        self._sockets = Sockets(limits or StreamLimits(), count)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes: with each prefix and without, raw and combined."""
        return [
            web.get(f"{prefix}/{form}{tail}", self._handle)
            for prefix in ("", *(f"/{route}" for route in ROUTES))
            for form in ("ws", "stream")
            for tail in ("", "/{tail:.*}")
        ]

    async def close(self) -> None:
        """Close every socket."""
        await self._sockets.close()

    async def end_lifetimes(self) -> None:
        """Close every socket as if its time were over."""
        await self._sockets.end_lifetimes()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        link = await self._sockets.open(request)
        connection = connect(self._hub, link.outbox, request.path, request.rel_url.raw_query_string)

        async def hear(message: str | bytes) -> None:
            connection.reply(control.answer(message, connection))

        try:
            await self._sockets.listen(link, hear)
        finally:
            connection.close()
        return link.socket


def connect(hub: Hub, way: Way, path: str, query: str) -> Connection:
    """Give a socket what its address asks for. The path comes decoded, the query does not."""
    first, second, *tail = (*path.split("/")[1:], "", "")
    route, form, *rest = (first, second, *tail) if first in ROUTES else ("", first, second, *tail)
    connection = Connection(hub, way, route=route, is_combined=form == "stream")
    for wish in wishes("/".join(rest), query):
        if looks_like_stream(wish.name) or hub.is_listen_key(wish.name):
            connection.subscribe(wish.name, wish.events)
    return connection
