"""Who wants which stream, and how an event gets to them: encoded once, sent to all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from .frames import encode
from .outbox import text_frame
from .stream_names import PRIVATE, PUBLIC, parse

ALL: frozenset[str] = frozenset()
"""No filter: every kind of user event."""

UNFILTERED = ("", "listenKeyExpired")
"""What everyone hears, whatever kinds he asked for; market data has no kind."""


class Way(Protocol):
    """How frames leave for one client; must not block."""

    def send(self, frame: bytes) -> None: ...

    def abort(self) -> None:
        """Break the connection, whatever has not left yet."""


class Delivery(Protocol):
    """How a frame is sent while things go wrong on purpose."""

    @property
    def is_quiet(self) -> bool: ...

    def deliver(self, connection: Connection, frame: bytes, place: str) -> None: ...


class SmoothDelivery:
    """Nothing goes wrong."""

    is_quiet = True

    def deliver(self, connection: Connection, frame: bytes, place: str) -> None:
        connection.way.send(frame)


class Connection:
    """One client's socket: which streams it asked for, and how it wants them.

    `route` is "public", "market", "private", or "" for the unrouted paths of old.
    """

    def __init__(self, hub: Hub, way: Way, *, route: str = "", is_combined: bool = False) -> None:
        self.route = route
        self.is_combined = is_combined
        self.is_silent = False  # nothing comes any more, though the socket is open
        self.filters: dict[str, frozenset[str]] = {}  # by stream name
        self.way = way
        self._hub = hub

    def subscribe(self, name: str, events: Iterable[str] = ALL) -> None:
        """Ask for a stream; `events` are the kinds of user events wanted, none meaning all."""
        self.filters[name] = frozenset(events)
        self._hub.add(name, self)

    def unsubscribe(self, name: str) -> None:
        if self.filters.pop(name, None) is not None:
            self._hub.remove(name, self)

    def names(self) -> list[str]:
        return list(self.filters)

    def reply(self, payload: bytes) -> None:
        """Answer a request; answers are never wrapped, lost or late."""
        self.way.send(text_frame(payload))

    def close(self) -> None:
        """Give all streams back."""
        for name in self.names():
            self.unsubscribe(name)


class Hub:
    """The streams that somebody wants.

    With `is_strict` a stream comes only over the route it belongs to, as on mainnet since April
    2026: on another one it is silent. A missing route counts as the public one then.
    `on_demand` is told the names of market streams that are newly wanted, or no longer.
    """

    def __init__(
        self,
        *,
        is_strict: bool = False,
        is_listen_key: Callable[[str], bool] = lambda _: False,
        on_demand: Callable[[str, bool], None] = lambda _name, _wanted: None,
        delivery: Delivery | None = None,
    ) -> None:
        self.is_strict = is_strict
        self.is_listen_key = is_listen_key
        self.on_demand = on_demand
        self.delivery = delivery or SmoothDelivery()
        self._wanted: dict[str, dict[Connection, None]] = {}

    def add(self, name: str, connection: Connection) -> None:
        if not self._delivers(name, connection):
            return
        if name not in self._wanted:
            self._wanted[name] = {}
            self.on_demand(name, True)
        self._wanted[name][connection] = None

    def remove(self, name: str, connection: Connection) -> None:
        wanted = self._wanted.get(name)
        if wanted is None or connection not in wanted:
            return
        del wanted[connection]
        if not wanted:
            del self._wanted[name]
            self.on_demand(name, False)

    def _delivers(self, name: str, connection: Connection) -> bool:
        if not self.is_strict:
            return True
        if self.is_listen_key(name):
            return connection.route == PRIVATE
        channel = parse(name)
        return channel is not None and channel.route == (connection.route or PUBLIC)

    def wants(self, name: str) -> bool:
        return name in self._wanted

    def publish(self, name: str, payload: bytes, kind: str = "") -> None:
        """Send an event to everyone who wants the stream; `kind` is what user filters go by."""
        wanted = self._wanted.get(name)
        if wanted is None:
            return
        is_quiet = self.delivery.is_quiet
        bare = wrapped = b""
        for connection in tuple(wanted):
            events = connection.filters[name] if kind not in UNFILTERED else ALL
            if (events and kind not in events) or connection.is_silent:
                continue
            if connection.is_combined:
                wrapped = wrapped or text_frame(_wrapped(name, payload))
            else:
                bare = bare or text_frame(payload)
            frame = wrapped if connection.is_combined else bare
            if is_quiet:
                connection.way.send(frame)
            else:
                self.delivery.deliver(connection, frame, kind or name)


def _wrapped(name: str, payload: bytes) -> bytes:
    return b'{"stream":%b,"data":%b}' % (encode(name), payload)
