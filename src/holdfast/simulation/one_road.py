"""One of the roads to the exchange is closed for minutes, and the others are open.

Either REST is down (no connection, no answer, an answer of a proxy that has lost its host, each of
it carried out or not) while streams and the WebSocket API go on; or the account's stream is down
(it is refused, breaks again at once, or is open and silent) while REST goes on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from .adversaries import Adversary

if TYPE_CHECKING:
    from .network import SimSocket
    from .world import World

LASTS_S = (20.0, 240.0)
ANSWERED = 0.1
"""How much of REST goes through all the same."""

SHORT_S = (0.1, 2.5)
"""How long a stream that breaks again at once lasts."""

REST_WAYS = ("refused", "lost", "mute", "broken")


class OneRoad(Adversary):
    """Closes one road, once, at any moment."""

    name = "one_road"
    share: ClassVar[float] = 0.03
    _way = ""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._begin_s = round(self.lots.uniform(0.1, 1.0) * world.spec.storm_s, 3)
        self._lasts_s = round(self.lots.uniform(*LASTS_S), 3)
        if self.is_on:
            world.ends_s = max(world.ends_s, self._begin_s + self._lasts_s)

    async def run(self) -> None:
        await asyncio.sleep(self._begin_s)
        if self.lots.random() < 0.5:
            self._way = self.lots.choice((*REST_WAYS, "mixed"))
            self.world.road.rest = self._rest
            await asyncio.sleep(self._lasts_s)
        else:
            self._way = self.lots.choice(("refused", "silent", "short"))
            self.world.road.users = self._users
            await self._keep_streams_down(self.world.loop.time() + self._lasts_s)
        self.calm_down()

    def _rest(self) -> str:
        """Say what becomes of a request over HTTP; "" where all is in order."""
        if self.lots.random() < ANSWERED:
            return ""
        way = self.lots.choice(REST_WAYS) if self._way == "mixed" else self._way
        self.strike(f"REST is {way}")
        if way == "broken":
            return self.lots.choice(("broken", "broken, and carried out"))
        return way

    def _users(self) -> str:
        """Say what becomes of an account's stream."""
        self.strike(f"the stream is {self._way}")
        return self._way

    async def _keep_streams_down(self, until: float) -> None:
        world = self.world
        while world.loop.time() < until:
            if self._way != "silent":
                for socket in [each for each in world.road.sockets if self._is_broken(each)]:
                    socket.break_off("connection reset")
            await asyncio.sleep(round(self.lots.uniform(*SHORT_S), 3))

    def _is_broken(self, socket: SimSocket) -> bool:
        return socket.is_users and socket.is_open

    def calm_down(self) -> None:
        self.world.road.rest = self.world.road.users = None
