"""Hear a simulated exchange that a session goes on with: it may have lived longer than our record.

It keeps what it does before it tells it, on the feed's time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from ..model import messages as msg
from ..model.values import TradingSessionStatus
from ..ports import Clock, Venue
from .clock import FeedClock
from .parts import Plan
from .recovery import StateRecoveryService
from .shell import Shell

Ear = Callable[[msg.VenueMessage], None]


def ear_for(shell: Shell, clock: Clock, plan: Plan) -> Callable[[Venue], Ear]:
    """Return what names, for a venue, who hears it."""

    def ear(venue: Venue) -> Ear:
        goes_on = plan.is_resumed and venue.capabilities.is_simulated
        return partial(_hear_simulated, shell, clock) if goes_on else shell.hear

    return ear


def _hear_simulated(shell: Shell, clock: Clock, message: msg.VenueMessage) -> None:
    """Go to the time up to which a simulated exchange has lived, where it is ahead of ours."""
    state = shell.engine.state
    is_starting = state.status is TradingSessionStatus.STARTING
    if is_starting and isinstance(message, msg.VenueSnapshot):
        ahead_ts = StateRecoveryService.time_of(message, state)
        if ahead_ts > message.taken_ts and isinstance(clock, FeedClock):
            clock.begin_at(ahead_ts)
            message = msgspec.structs.replace(message, asked_ts=ahead_ts, taken_ts=ahead_ts)
    shell.hear(message)
