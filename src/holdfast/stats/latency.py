"""How long orders take: submitted to accepted, submitted to first filled."""

from __future__ import annotations

import msgspec

from ..model.events import (
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderNeverArrived,
    OrderRejected,
    OrderSubmitted,
)
from ..model.values import NS_PER_MS, ClOrdId

LATENCIES_KEPT = 10_000
"""The newest times of each kind; older ones no longer count."""

WAITING_MAX = 50_000
"""Orders that may wait for their first fill; the oldest is forgotten past it."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Some times in milliseconds: the middle, the slow end and the slowest."""

    count: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


class Times(msgspec.Struct):
    """The newest times, as a ring: `begin` is the oldest once it is full."""

    kept: list[int] = []
    begin: int = 0

    def append(self, time: int) -> None:
        """Keep a time; forget the oldest past `LATENCIES_KEPT`."""
        if len(self.kept) < LATENCIES_KEPT:
            self.kept.append(time)
            return
        self.kept[self.begin] = time
        self.begin = (self.begin + 1) % LATENCIES_KEPT


class Latencies(msgspec.Struct):
    """Fold facts into times, by the engine's clock. Resting orders wait for the market too."""

    _submitted: dict[ClOrdId, int] = {}
    _unaccepted: dict[ClOrdId, int] = {}
    _to_accept: Times = msgspec.field(default_factory=Times)
    _to_fill: Times = msgspec.field(default_factory=Times)

    def apply(self, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case OrderSubmitted():
                self._wait(fact.order.cl_ord_id, fact.ts)
            case OrderAccepted():
                self._answer(fact.cl_ord_id, fact.ts)
            case OrderFilled():
                self._answer(fact.cl_ord_id, fact.ts)  # the fill can outrun the acknowledgement
                start = self._submitted.pop(fact.cl_ord_id, None)
                if start is not None:
                    self._to_fill.append(fact.ts - start)
            case OrderCanceled() | OrderExpired() | OrderRejected() | OrderNeverArrived():
                self._submitted.pop(fact.cl_ord_id, None)
                self._unaccepted.pop(fact.cl_ord_id, None)
            case _:
                pass

    def _wait(self, cl_ord_id: ClOrdId, ts: int) -> None:
        self._submitted[cl_ord_id] = ts
        self._unaccepted[cl_ord_id] = ts
        if len(self._submitted) > WAITING_MAX:
            oldest = next(iter(self._submitted))
            del self._submitted[oldest]
            self._unaccepted.pop(oldest, None)

    def _answer(self, cl_ord_id: ClOrdId, ts: int) -> None:
        start = self._unaccepted.pop(cl_ord_id, None)
        if start is not None:
            self._to_accept.append(ts - start)

    def to_accept(self) -> Spread:
        """Return the times from submitting to the venue's first word."""
        return _spread(self._to_accept.kept)

    def to_fill(self) -> Spread:
        """Return the times from submitting to the first fill."""
        return _spread(self._to_fill.kept)


def _spread(times: list[int]) -> Spread:
    if not times:
        return Spread()
    ordered = sorted(times)
    last = len(ordered) - 1
    return Spread(
        count=len(ordered),
        p50_ms=ordered[last // 2] / NS_PER_MS,
        p99_ms=ordered[round(last * 0.99)] / NS_PER_MS,
        max_ms=ordered[last] / NS_PER_MS,
    )
