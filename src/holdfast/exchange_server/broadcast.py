"""All that goes over WebSockets, put together: streams of the market and of users, and the API."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from aiohttp import web

from ..model.values import NS_PER_S, AccountId
from .market_streams import PULSE_NS, MarketStreams
from .methods import Methods
from .stream_faults import StreamFaults
from .streams import StreamDoor
from .subscriptions import Hub
from .user_streams import UserStreams
from .venue import Venue
from .ws_api import WsApi

_log = logging.getLogger("holdfast.exchange")


class Broadcast:
    """Put `routes` into the application, let `run` run beside it, and `close` it at the end.

    `counts` says how often a client was cut off, by reason.
    """

    def __init__(self, venue: Venue, methods: Methods) -> None:
        self.counts: Counter[str] = Counter()
        self._venue = venue
        limits = venue.settings.streams
        delivery = StreamFaults(venue.faults, venue.now)
        self.hub = Hub(is_strict=venue.settings.strict_routing, delivery=delivery)
        self._users = UserStreams(venue, self.hub)
        self._market = MarketStreams(venue, self.hub)
        self._streams = StreamDoor(self.hub, limits, self._count)
        self._api = WsApi(venue, methods, limits, self._count)

    def routes(self) -> list[web.RouteDef]:
        return [*self._api.routes(), *self._streams.routes()]

    def pulse(self) -> None:
        """Let everything speak whose time has come."""
        now = self._venue.now()
        self._market.pulse(now)
        self._users.pulse(now)

    async def run(self) -> None:
        """Pulse until cancelled."""
        while True:
            try:
                self.pulse()
            except Exception:  # noqa: BLE001 - whatever it was, the exchange goes on
                _log.exception("streams missed a pulse")
            await asyncio.sleep(PULSE_NS / NS_PER_S)

    def expire_listen_key(self, account: AccountId) -> bool:
        """Let an account's listen key expire now; False when it has none."""
        return self._users.expire(account, self._venue.now())

    async def end_lifetimes(self) -> None:
        """Close every socket politely, as after 24 hours; new ones are welcome."""
        await self._streams.end_lifetimes()
        await self._api.end_lifetimes()

    async def close(self) -> None:
        """Close every socket."""
        await self._streams.close()
        await self._api.close()

    def _count(self, why: str) -> None:
        self.counts[why] += 1
