"""Circuit breaker: stop calling what keeps failing, try once after a while, then go on.

Rule: every way a breaker may move is in `TRANSITIONS`; a pair that is absent changes nothing.
"""

from __future__ import annotations

import enum

import msgspec


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
    """The state of one breaker; pure, so that the engine can keep it."""

    state: BreakerState = BreakerState.CLOSED
    failure_count: int = 0
    opened_ts: int = 0

    def after_success(self) -> BreakerState:
        """Return where a success leads; an open breaker takes no notice of stragglers."""
        return TRANSITIONS[self.state].get(BreakerTrigger.SUCCESS, self.state)

    def after_failure(self, threshold: int) -> BreakerState:
        """Return where one more failure leads."""
        trips = self.failure_count + 1 >= threshold
        trigger = BreakerTrigger.TRIP if trips else BreakerTrigger.FAILURE
        return TRANSITIONS[self.state][trigger]

    def after_waiting(self, now: int, recovery_ns: int) -> BreakerState:
        """Return where the passing of time leads."""
        if self.state is BreakerState.OPEN and now - self.opened_ts >= recovery_ns:
            return TRANSITIONS[self.state][BreakerTrigger.WAITED]
        return self.state
