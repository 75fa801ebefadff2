"""How long each step of an order's way out takes, from the market frame to the order frame.

The times are the monotonic clock's. They go into the journal behind the order, never before it,
and decide nothing. See `holdfast trace`.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import NamedTuple

from ..model.messages import OrderTimed
from ..model.values import ClOrdId


class Lap(NamedTuple):
    """When a decision was begun and made, and the frame came that led to it (0: none did)."""

    frame: int
    begun: int
    decided: int


class Stopwatch:
    """Is told of the places that a message passes.

    `frame` is when the market frame came whose message is being shown; 0 between two of them.
    """

    __slots__ = ("_wished", "frame")

    def __init__(self) -> None:
        self.frame = 0
        self._wished = 0

    def wished(self) -> None:
        """Note that a strategy wishes for something."""
        self._wished = perf_counter_ns()

    now = staticmethod(perf_counter_ns)

    def lap(self, begun: int) -> Lap:
        """Note that a decision was made; it was begun then, or with the wish that it is about."""
        wished, self._wished = self._wished, 0
        return Lap(self.frame if wished else 0, wished or begun, perf_counter_ns())

    @staticmethod
    def timed(cl_ord_id: ClOrdId, lap: Lap, recorded: int) -> OrderTimed:
        """Note that an order was handed over."""
        sent = perf_counter_ns()
        return OrderTimed(
            cl_ord_id=cl_ord_id,
            strategy_ns=lap.begun - lap.frame if lap.frame else None,
            decision_ns=lap.decided - lap.begun,
            record_ns=recorded - lap.decided,
            send_ns=sent - recorded,
        )
