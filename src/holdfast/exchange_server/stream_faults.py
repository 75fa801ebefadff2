"""Frames that get lost, come twice, late or out of turn, and sockets that fall silent or break.

Each frame to each client is a draw. A rule's `on` is compared with the stream's name, and on
user data streams, whose names are secret, with the kind of event, such as ORDER_TRADE_UPDATE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .faults import Faults, Kind
from .subscriptions import Connection

DELAY_MS_MAX = 12_000
HELD_MAX = 10_000
"""How many frames are held back at any time; beyond it they go at once."""

_MS = 0.001


class StreamFaults:
    """Sends frames the way the rules in force want it. `clock` gives nanoseconds."""

    def __init__(self, faults: Faults, clock: Callable[[], int]) -> None:
        self._faults = faults
        self._clock = clock
        self._held = 0
        self._turned: dict[Connection, list[bytes]] = {}  # frames that let another one pass

    @property
    def is_quiet(self) -> bool:
        """Tell whether frames may simply be sent."""
        return self._faults.is_quiet and not self._turned

    def deliver(self, connection: Connection, frame: bytes, place: str) -> None:
        """Send a frame to one client, or whatever happens to it instead."""
        if self._is_broken(connection, place):
            return
        now, draw = self._clock(), self._faults.draw
        if draw(Kind.DROP_FRAME, place, now) is not None:
            return
        late = draw(Kind.DELAY_FRAME, place, now)
        turned = draw(Kind.REORDER_FRAME, place, now)
        if late is not None:
            self._later(late.delay_ms, lambda: connection.way.send(frame))
        elif turned is not None and self._held < HELD_MAX:
            self._turned.setdefault(connection, []).append(frame)
            self._later(turned.delay_ms, lambda: self._let_go(connection))
            return
        else:
            connection.way.send(frame)
            if draw(Kind.DUPLICATE_FRAME, place, now) is not None:
                connection.way.send(frame)
        self._let_go(connection)

    def _is_broken(self, connection: Connection, place: str) -> bool:
        if connection.is_silent:
            return True
        now = self._clock()
        if self._faults.draw(Kind.SILENT_STREAM, place, now) is not None:
            connection.is_silent = True
        elif self._faults.draw(Kind.DISCONNECT, place, now) is not None:
            connection.is_silent = True
            connection.way.abort()
        return connection.is_silent

    def _let_go(self, connection: Connection) -> None:
        for frame in self._turned.pop(connection, ()):
            connection.way.send(frame)

    def _later(self, delay_ms: int, do: Callable[[], None]) -> None:
        if self._held >= HELD_MAX:
            do()
            return
        self._held += 1

        def release() -> None:
            self._held -= 1
            do()

        asyncio.get_running_loop().call_later(min(delay_ms, DELAY_MS_MAX) * _MS, release)
