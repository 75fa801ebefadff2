"""The time that the engine is handed: the wall's, or a feed's own, at its pace."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..model.values import NS_PER_S

TICK_NS = NS_PER_S
"""How often time does its work in a session."""


SET_BACK_NS = NS_PER_S
"""A clock that shows this much less than before was set back; below, it is waited for."""


CATCH_UP = (9, 10)
"""The pace of a clock that is not believed: the machine's catches up with it, a second in ten."""


class WallClock:
    """The machine's clock, kept from going back and, where it was set back, from standing still.

    A clock that was set back by more than `SET_BACK_NS` is not believed before it has caught up:
    until then what passes by the monotonic clock is added to the last time. Audits, watches and
    timers would wait for as long as it was set back otherwise. A little less is added than has
    passed: a clock that ran ahead for a moment, and was set right, is caught up with. Nothing new
    is opened while ours is off; what is waited for takes longer, which errs on the safe side.

    Args:
        read: returns the machine's time; None reads the real one.
        passed: returns nanoseconds that only grow, at the pace of time.
    """

    def __init__(
        self,
        read: Callable[[], int] | None = None,
        passed: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._read = time.time_ns if read is None else read
        self._passed = passed
        self._last = 0
        self._left: tuple[int, int] | None = None  # our time and `passed` as it was believed last

    def now(self) -> int:
        """Return nanoseconds UTC."""
        shown = self._read()
        if self._left is not None or shown < self._last - SET_BACK_NS:
            shown = self._go_on(shown)
        self._last = max(self._last, shown)
        return self._last

    def _go_on(self, shown: int) -> int:
        passed = self._passed()
        if self._left is None:
            self._left = self._last, passed
        last, since = self._left
        parts, whole = CATCH_UP
        ours = last + (passed - since) * parts // whole
        if shown < ours:
            return ours
        self._left = None
        return shown

    def advance(self, ts: int) -> None:
        """Take no notice: the wall's time passes by itself."""


class FeedClock:
    """The time of what is fed: it passes at `speed` between messages, and jumps to theirs.

    It stands still until the first message: to start up takes time that the feed does not know.

    Args:
        start_ts: time of the first message, ns UTC.
        speed: feed time over wall time; 0 passes with the messages alone.
    """

    def __init__(self, start_ts: int, speed: float) -> None:
        self._last = start_ts
        self._speed = speed
        self._first: tuple[float, int] | None = None  # wall time in s, and the message's

    def now(self) -> int:
        """Return nanoseconds UTC in the feed's time."""
        if self._speed and self._first is not None:
            began, ts = self._first
            passed = (time.monotonic() - began) * self._speed
            self._last = max(self._last, ts + int(passed * NS_PER_S))
        return self._last

    def begin_at(self, ts: int) -> None:
        """Stand at this time, if it is later, until the first message."""
        self._last = max(self._last, ts)

    def advance(self, ts: int) -> None:
        """Go to the time of a message; never back."""
        if self._first is None:
            self._first = (time.monotonic(), ts)
        self._last = max(self._last, ts)
