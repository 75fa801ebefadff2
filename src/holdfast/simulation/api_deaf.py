"""The WebSocket API is open, takes requests, and carries nothing out, or fails each; REST is in
order. Whoever was not answered by it, or failed three times, must take REST for a while.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar
from weakref import WeakKeyDictionary

import msgspec

from .adversaries import Adversary
from .network import SimSocket

GAP_S = (1.0, 12.0)
LASTS_S = (6.0, 30.0)
SLOW_S = 4.0
"""Within which a client must have noticed: two seconds without an answer, and the way."""

SHUNNED_S = 55.0
"""How long it must stay away, short of a minute."""

FAILURES = 3
"""In a row, after which it must be left; a good answer that comes in between begins a new row."""

GOOD_S = 20.0
"""How long after it was sent a request may still be answered."""


class Line(msgspec.Struct):
    """What one connection was asked, and when it should have been given up for a while."""

    asked: int = 0
    noticed_at: float = 0.0
    taken_at: float = -GOOD_S  # the last request that is carried out


class ApiDeaf(Adversary):
    """Lets the API for orders hear nothing, now and then."""

    name = "api_deaf"
    share: ClassVar[float] = 0.05
    _until = 0.0
    _fails = False

    async def run(self) -> None:
        self._lines: WeakKeyDictionary[SimSocket, Line] = WeakKeyDictionary()
        self.world.road.api = self._hear
        while True:
            await asyncio.sleep(round(self.lots.uniform(*GAP_S), 3))
            lasts_s, self._fails = round(self.lots.uniform(*LASTS_S), 3), self.lots.random() < 0.4
            for line in self._lines.values():
                line.asked, line.noticed_at = 0, 0.0
            self._until = self.world.loop.time() + lasts_s
            await asyncio.sleep(lasts_s)

    def calm_down(self) -> None:
        self.world.road.api = None

    def _hear(self, socket: SimSocket, raw: bytes) -> bytes | None:
        """Take a request; return what is answered, b"" for nothing, None where all is in order."""
        now = self.world.loop.time()
        line = self._lines.setdefault(socket, Line())
        if now >= self._until:
            line.taken_at = now
            return None
        self.strike("fails" if self._fails else "deaf")
        if 0.0 < line.noticed_at < now < line.noticed_at + SHUNNED_S:
            text = f"a request took the API {now - line.noticed_at:.1f} s after it was known to"
            self.world.oracles.say("answered", f"{text} {'fail' if self._fails else 'be deaf'}")
        line.asked += 1
        failures = FAILURES + (FAILURES - 1) * (now - line.taken_at < GOOD_S)
        if line.asked == (failures if self._fails else 1):
            line.noticed_at = now + SLOW_S
        return _failure(raw) if self._fails else b""


def _failure(raw: bytes) -> bytes:
    asked = msgspec.json.decode(raw)
    error = {"code": -1000, "msg": None}
    return msgspec.json.encode({"id": asked["id"], "status": 500, "error": error})
