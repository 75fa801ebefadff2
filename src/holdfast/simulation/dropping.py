"""Delivers frames as the exchange's faults want it, and tells which of them were dropped."""

from __future__ import annotations

from collections.abc import Callable

from ..exchange_server.faults import Faults, Kind, Rule
from ..exchange_server.stream_faults import StreamFaults
from ..exchange_server.subscriptions import Connection


class HeardDelivery(StreamFaults):
    """Sends, or not. `on_drop` is given each frame that a rule took out."""

    def __init__(
        self, faults: Faults, clock: Callable[[], int], on_drop: Callable[[bytes], None]
    ) -> None:
        super().__init__(_Watched(faults, self._struck), clock)  # type: ignore[arg-type]  # all it asks
        self._frame = b""
        self._on_drop = on_drop

    def _struck(self) -> None:
        self._on_drop(self._frame)

    def deliver(self, connection: Connection, frame: bytes, place: str) -> None:
        self._frame = frame
        super().deliver(connection, frame, place)


class _Watched:
    """The exchange's faults, with an ear for one kind."""

    def __init__(self, faults: Faults, dropped: Callable[[], None]) -> None:
        self._faults = faults
        self._dropped = dropped

    @property
    def is_quiet(self) -> bool:
        return self._faults.is_quiet

    def draw(self, kind: Kind, place: str, now: int) -> Rule | None:
        rule = self._faults.draw(kind, place, now)
        if rule is not None and kind is Kind.DROP_FRAME:
            self._dropped()
        return rule
