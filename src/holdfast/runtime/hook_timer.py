"""The process's one interval timer, for all that cut off hooks in the main thread."""

from __future__ import annotations

import signal
from collections.abc import Callable
from time import monotonic, monotonic_ns
from types import FrameType
from typing import Protocol

INTERVAL_MIN_S = 0.001


class Striker(Protocol):
    """Who looks now and then whether a hook has outlasted its budget."""

    @property
    def interval_s(self) -> float:
        """Return the time between two looks at the clock."""

    def ring(self, now: int, frame: FrameType | None) -> None:
        """Hear the timer. May raise, in what runs in the main thread."""


Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers


class HookTimer:
    """Takes `ITIMER_REAL` while somebody has joined, and gives it back."""

    def __init__(self) -> None:
        self.guards: tuple[Striker, ...] = ()
        self._before: Handler = signal.SIG_DFL  # who had the signal
        self._before_due_s = 0.0  # when that one's timer is due; 0: it had none
        self._before_interval_s = 0.0

    def join(self, guard: Striker) -> None:
        """Ring for one more, as often as the one of them that is in the greatest hurry wants."""
        self.guards = (*self.guards, guard)
        if not self._has_signal:
            self._before = signal.signal(signal.SIGALRM, self._ring) or signal.SIG_DFL
            delay, self._before_interval_s = signal.setitimer(signal.ITIMER_REAL, 0)
            self._before_due_s = monotonic() + delay if delay else 0.0
        self._set_timer()

    def leave(self, guard: Striker) -> None:
        """Ring for one less; behind the last of them the timer is as it was before."""
        self.guards = tuple(other for other in self.guards if other is not guard)
        if not self._has_signal:
            return  # somebody took it from us, and the timer with it
        self._set_timer()
        if not self.guards:
            signal.signal(signal.SIGALRM, self._before)
            if self._before_due_s:
                delay = max(self._before_due_s - monotonic(), INTERVAL_MIN_S)
                signal.setitimer(signal.ITIMER_REAL, delay, self._before_interval_s)

    @property
    def _has_signal(self) -> bool:
        return signal.getsignal(signal.SIGALRM) == self._ring

    def _set_timer(self) -> None:
        interval = min((guard.interval_s for guard in self.guards), default=0.0)
        signal.setitimer(signal.ITIMER_REAL, interval, interval)

    def _ring(self, signum: int, frame: FrameType | None) -> None:
        if self._before_due_s and monotonic() >= self._before_due_s:
            self._ring_before(signum, frame)
        now = monotonic_ns()
        for guard in self.guards:
            guard.ring(now, frame)

    def _ring_before(self, signum: int, frame: FrameType | None) -> None:
        """Give an alarm to whom it was set for; ours has taken its place."""
        interval = self._before_interval_s
        self._before_due_s = monotonic() + interval if interval else 0.0
        if callable(self._before):
            self._before(signum, frame)


TIMER = HookTimer()
