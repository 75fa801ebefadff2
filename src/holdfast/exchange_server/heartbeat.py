"""When to ping a socket, when to give up on it, and when its time is over. Pure; seconds."""

from __future__ import annotations

import enum
import math

import msgspec

from .outbox import MAX_UNSENT_BYTES


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a socket lives and how much it may say. Seconds; 0 messages is no limit."""

    messages_per_s: int = 10  # what comes in, pings and pongs included
    ping_every_s: float = 180.0
    pong_within_s: float = 600.0
    lifetime_s: float = 24 * 3600.0
    max_unsent_bytes: int = MAX_UNSENT_BYTES


class Due(enum.Enum):
    """What is to be done now."""

    NOTHING = "nothing"
    PING = "ping"
    NO_PONG = "no pong"
    TOO_OLD = "24 hours"


class Heartbeat:
    """The pings of one socket."""

    def __init__(self, limits: StreamLimits, now: float) -> None:
        self._limits = limits
        self._end = now + limits.lifetime_s
        self._next_ping = now + limits.ping_every_s
        self._pong_by = math.inf
        self._unanswered: set[bytes] = set()

    def next_due(self) -> float:
        """Return when to look again."""
        return min(self._end, self._next_ping, self._pong_by)

    def due(self, now: float) -> Due:
        """Return what is due; for a ping, `sent` is to be told."""
        if now >= self._end:
            return Due.TOO_OLD
        if now >= self._pong_by:
            return Due.NO_PONG
        return Due.PING if now >= self._next_ping else Due.NOTHING

    def sent(self, payload: bytes, now: float) -> None:
        """Hear that a ping left."""
        self._next_ping = now + self._limits.ping_every_s
        self._unanswered.add(payload)
        self._pong_by = min(self._pong_by, now + self._limits.pong_within_s)

    def heard(self, payload: bytes) -> None:
        """Hear a pong; one that answers no ping of ours is allowed, and proves nothing."""
        if payload in self._unanswered:
            self._unanswered.clear()
            self._pong_by = math.inf
