"""How long orders take: submitted to accepted, submitted to first filled."""

from __future__ import annotations

from collections import deque

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


class Latencies:
    """Fold facts into times, by the engine's clock. Resting orders wait for the market too."""

    def __init__(self) -> None:
        self._submitted: dict[ClOrdId, int] = {}
        self._unaccepted: set[ClOrdId] = set()
        self._to_accept: deque[int] = deque(maxlen=LATENCIES_KEPT)
        self._to_fill: deque[int] = deque(maxlen=LATENCIES_KEPT)

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
                self._unaccepted.discard(fact.cl_ord_id)
            case _:
                pass

    def _wait(self, cl_ord_id: ClOrdId, ts: int) -> None:
        self._submitted[cl_ord_id] = ts
        self._unaccepted.add(cl_ord_id)
        if len(self._submitted) > WAITING_MAX:
            oldest = next(iter(self._submitted))
            del self._submitted[oldest]
            self._unaccepted.discard(oldest)

    def _answer(self, cl_ord_id: ClOrdId, ts: int) -> None:
        if cl_ord_id in self._unaccepted:
            self._unaccepted.remove(cl_ord_id)
            self._to_accept.append(ts - self._submitted[cl_ord_id])

    def to_accept(self) -> Spread:
        """Return the times from submitting to the venue's first word."""
        return _spread(self._to_accept)

    def to_fill(self) -> Spread:
        """Return the times from submitting to the first fill."""
        return _spread(self._to_fill)


def _spread(times: deque[int]) -> Spread:
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
