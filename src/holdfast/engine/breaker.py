"""Circuit breaker: stop calling what keeps failing, try once after a while, then go on.

Rule: every way a breaker may move is in `TRANSITIONS`; a pair that is absent changes nothing.
"""

from __future__ import annotations

import enum

import msgspec

from ..model.values import NS_PER_S

FAILURES_WINDOW_NS = 3600 * NS_PER_S
"""How long a failure counts: one a day says nothing of the venue's health."""

FAILURES_KEPT = 1_000
"""How many of one kind are counted at most; no threshold is higher."""


class BreakerState(enum.Enum):
    """Whether calls go through."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class BreakerTrigger(enum.Enum):
    """What may move a breaker."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"  # below the threshold
    TRIP = "TRIP"  # the failure that reaches the threshold
    WAITED = "WAITED"  # the recovery time is over


S, G = BreakerState, BreakerTrigger

TRANSITIONS: dict[BreakerState, dict[BreakerTrigger, BreakerState]] = {
    S.CLOSED: {G.SUCCESS: S.CLOSED, G.FAILURE: S.CLOSED, G.TRIP: S.OPEN},
    S.OPEN: {
        G.WAITED: S.HALF_OPEN,
        G.FAILURE: S.OPEN,  # a call from before it opened
        G.TRIP: S.OPEN,
    },
    S.HALF_OPEN: {G.SUCCESS: S.CLOSED, G.FAILURE: S.OPEN, G.TRIP: S.OPEN},
}


class Breaker(msgspec.Struct):
    """The state of one breaker; pure, so that the engine can keep it.

    `failures` are the times of those that `failure_count` counts, where somebody keeps them.
    """

    state: BreakerState = BreakerState.CLOSED
    failure_count: int = 0
    opened_ts: int = 0
    failures: list[int] = []

    def count_at(self, now: int) -> int:
        """Return how many failures count, one of this moment included."""
        counting = [ts for ts in self.failures if now - ts < FAILURES_WINDOW_NS]
        return min(len(counting), FAILURES_KEPT - 1) + 1

    def count(self, ts: int, count: int) -> None:
        """Take a new count: with a failure of this moment in it, or 0 after a success."""
        self.failure_count = count
        self.failures = [*self.failures, ts][-min(count, FAILURES_KEPT) :] if count else []

    def after_success(self) -> BreakerState:
        """Return where a success leads; an open breaker takes no notice of stragglers."""
        return TRANSITIONS[self.state].get(BreakerTrigger.SUCCESS, self.state)

    def after_failure(self, count: int, threshold: int) -> BreakerState:
        """Return where a failure leads; it is in the count already."""
        trigger = BreakerTrigger.TRIP if count >= threshold else BreakerTrigger.FAILURE
        return TRANSITIONS[self.state][trigger]

    def after_waiting(self, now: int, recovery_ns: int) -> BreakerState:
        """Return where the passing of time leads."""
        if self.state is BreakerState.OPEN and now - self.opened_ts >= recovery_ns:
            return TRANSITIONS[self.state][BreakerTrigger.WAITED]
        return self.state
