"""How far the venue's clock is ahead of ours, measured by asking it.

The best of several samples is the one whose answer came quickest: the venue read its clock some
time between question and answer, so that half of the way there and back bounds the error.
"""

from __future__ import annotations

from ...model.values import NS_PER_MS, NS_PER_S
from ..limits import UNMEASURED, Lateness

SAMPLES = 3
SKEW_MAX_NS = 1000 * NS_PER_MS
"""A clock that is further off makes the venue refuse our orders, or our fences lie."""


class ClockOffset:
    """The best that is known of the venue's time.

    Args:
        most_ns: how far ours may be off, at most `SKEW_MAX_NS`: what fences reckon with.
    """

    __slots__ = ("_best", "error_ns", "most_ns", "offset_ns")

    def __init__(self, most_ns: int = SKEW_MAX_NS) -> None:
        self.most_ns = min(most_ns, SKEW_MAX_NS)
        self.offset_ns = 0
        self.error_ns = 0
        self._best: int | None = None

    def begin(self) -> None:
        """Forget how good the last measurement was: clocks drift."""
        self._best = None

    def hear(self, asked_ts: int, answered_ts: int, venue_ms: int) -> None:
        """Take in one answer; a slower one than the best so far changes nothing."""
        way_ns = answered_ts - asked_ts
        if way_ns < 0 or (self._best is not None and way_ns >= self._best):
            return
        self._best = way_ns
        self.error_ns = way_ns // 2 + NS_PER_MS
        self.offset_ns = venue_ms * NS_PER_MS - (asked_ts + way_ns // 2)

    def venue_time(self, now: int) -> int:
        """Return the venue's time when ours is `now`."""
        return now + self.offset_ns

    def least_venue_time(self, now: int) -> int:
        """Return the venue's time when ours is `now`, as early as it can be.

        Our clock may have been stepped since the venue's was measured, within what is borne.
        """
        return min(self.venue_time(now) - self.error_ns, now - self.most_ns)

    @property
    def is_off(self) -> bool:
        """Tell whether ours is provably wrong by more than orders and fences allow."""
        return abs(self.offset_ns) - self.error_ns > self.most_ns

    @property
    def is_sure(self) -> bool:
        """Tell whether the offset is known well enough for fences to hold in the venue's time."""
        return 0 < self.error_ns <= SKEW_MAX_NS

    @property
    def late(self) -> Lateness:
        """How much later by ours than by the venue's own what ends by its clock ends."""
        if not self.is_sure:
            return UNMEASURED
        return Lateness(-self.error_ns - self.offset_ns, self.error_ns - self.offset_ns)

    @property
    def told(self) -> str:
        """Say how far ours is off."""
        off_s = -self.offset_ns / NS_PER_S
        where = "ahead of" if off_s > 0 else "behind"
        return (
            f"this machine's clock is {abs(off_s):.1f} s {where} the venue's, and may be off by "
            f"{self.most_ns / NS_PER_S:g} s at most: set it"
        )
