"""Call a strategy's hook on the loop's own thread, and cut it off when it outlasts its budget.

Rule 1: `HookTimeout` is raised inside the hook and nowhere else. The timer strikes only between
        a call's begin and end, and both sides of that line run on the same thread.
Rule 2: a hook that swallows the first strike is struck again, every quarter of its budget, at
        most `STRIKES_MAX` times. From the second on also where it handles the strike.
Rule 3: a hook that came back late has hung, whether a strike reached it or not; but see rule 4.
Rule 4: wall time alone convicts nobody, for the machine may have stood still. A hook has hung
        once it has used its budget of processor time too; or is still inside after the timer has
        rung `RINGS_OF_GRACE` times past its deadline, which it does not while the machine stands;
        or comes back late, having run little, more than `FORGIVEN_MAX` times within `FORGIVEN_S`.
        So what sleeps or waits for a socket is cut off at twice its budget.

What can't be cut: a call into C that lets no signal handler run (sorting a long list, a large
matrix product) ends when it ends, and is reported then. Outside the main thread the same
holds for every blocking call, `time.sleep` included: what strikes there waits for Python code; and
there wall time is all that counts.
"""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sized
from operator import length_hint
from time import monotonic_ns, thread_time_ns
from types import FrameType

from ..model.values import NS_PER_MS, NS_PER_S
from .hook_timer import INTERVAL_MIN_S, TIMER
from .returned import Returned

STRIKES_MAX = 40
"""Ten budgets long. A hook that survives so many has defeated us, and the loop waits for it."""

STRIKES_PER_BUDGET = 4

RINGS_OF_GRACE = STRIKES_PER_BUDGET
"""A budget long while the machine runs. Of rings that fell due while it stood, one is heard."""

FORGIVEN_MAX = 3
FORGIVEN_S = 60
"""How many hooks may come back late within how long, having run little: slow disks and lookups
look like a machine that stands, but do it again and again."""

_log = logging.getLogger("holdfast.session")


class HookTimeout(BaseException):
    """A hook outlasted its budget. No `Exception`, so that a strategy's `except` lets it pass."""


class HookGuard:
    """Calls hooks within a budget of wall-clock time.

    Between `start` and `stop` hooks are cut off; outside they are only found late when they
    return. `start`, `stop` and `call` belong to one thread. In the main thread the process's
    `ITIMER_REAL` is taken and given back (a timer that was running before goes on); in others a
    watchdog thread strikes. Calls don't nest.

    Raises:
        ValueError: the budget is not above 0.
    """

    __slots__ = (
        "_began",
        "_chase",
        "_deadline",
        "_forgiven",
        "_left",
        "_ran",
        "_rings",
        "_run",
        "_rung",
        "_strikes",
        "_struck",
        "_watchdog",
        "budget_ns",
        "returned",
    )

    def __init__(self, budget_ms: float) -> None:
        if not budget_ms > 0:
            raise ValueError(f"budget_ms must be > 0, was {budget_ms!r}")
        self.budget_ns = int(budget_ms * NS_PER_MS)
        self._deadline = 0  # of the call that is inside; 0: none is
        self._struck = 0  # the deadline of the call that was struck last ...
        self._strikes = 0  # ... and how often
        self._rung = 0  # the deadline of the call that was inside at the last ring ...
        self._rings = 0  # ... how often it rang past that ...
        self._began = 0  # ... and the thread's processor time before that call
        self._ran = 0  # the thread's processor time at the last ring; 0: there was none
        self._forgiven: list[int] = []  # when hooks came back late that had run little
        self.returned = Returned()
        self._chase: _Chase | None = None
        self._watchdog: _Watchdog | None = None
        self._run: Iterator[object] | None = None  # what `call_each` hands out ...
        self._left = 0  # ... and how much of it was left at the last look

    @property
    def can_watch_runs(self) -> bool:
        """Tell whether `call_each` would cut a hook off."""
        return self._watchdog is None

    @property
    def interval_s(self) -> float:
        """Return the time between two looks at the clock."""
        return max(self.budget_ns / NS_PER_S / STRIKES_PER_BUDGET, INTERVAL_MIN_S)

    def start(self) -> None:
        """Begin to cut off. Starting twice is starting once."""
        if self._watchdog is not None or self in TIMER.guards:
            return
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and hasattr(signal, "setitimer"):
            self._ran = thread_time_ns()
            TIMER.join(self)
        else:
            self._watchdog = _Watchdog(self)

    def stop(self) -> None:
        """Cut nothing off any more. Stopping twice is stopping once."""
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None
        elif self in TIMER.guards:
            TIMER.leave(self)

    def call(self, hook: Callable[..., object], *args: object) -> None:
        """Call a hook.

        Raises:
            HookTimeout: it was cut off, or came back late.
            BaseException: whatever the hook raised.
        """
        if self._watchdog is not None:
            self._watchdog.call(hook, args)
            return
        self._deadline = deadline = monotonic_ns() + self.budget_ns
        try:
            returned = hook(*args)
        finally:
            self._deadline = 0
            if self._chase is not None:
                self._end_chase()
        if returned is not None:
            self.returned.tell(hook, returned)
        if monotonic_ns() > deadline and not self._is_forgiven(deadline):
            raise self.late(deadline)

    def call_each(self, hook: Callable[..., object], run: Iterator[object], said: Sized) -> None:
        """Call a hook with one thing after the other, until it has said something.

        A hook that does not come on within its budget is cut off; one that was late is not found,
        since nobody looks at the clock between two calls. What is left in `run` was not handed
        out.

        Raises:
            HookTimeout: it was cut off.
            BaseException: whatever the hook raised.
        """
        self._run, self._left = run, length_hint(run)
        self._deadline = monotonic_ns() + self.budget_ns
        try:
            for each in run:
                hook(each)
                if said:
                    break
        finally:
            self._deadline = 0
            self._run = None
            if self._chase is not None:
                self._end_chase()

    def late(self, deadline: int) -> HookTimeout:
        """Return what to raise for a hook that returned after its deadline."""
        took_ms = (monotonic_ns() - deadline + self.budget_ns) // NS_PER_MS
        return HookTimeout(f"came back after {took_ms} ms")

    def strike(self, now: int, frame: FrameType | None) -> None:
        """Raise in the hook that is inside and past its deadline, if one is."""
        deadline = self._deadline
        if not deadline or now < deadline or self._comes_on(now, frame):
            return
        self._rings += 1
        if self._rings <= RINGS_OF_GRACE and self._has_run_little(deadline):
            return
        if self._struck != deadline:
            self._struck, self._strikes = deadline, 0
        if self._strikes == STRIKES_MAX:
            return
        self._strikes += 1
        if self._strikes > 1 and frame is not None:
            self._chase = self._chase or _Chase()
            self._chase.follow(_frames_inside(frame), self._strikes)
        raise HookTimeout

    def ring(self, now: int, frame: FrameType | None) -> None:
        """Hear the timer: see what has run, and strike what is inside too long."""
        deadline = self._deadline
        if deadline != self._rung:  # another call than at the last ring, or none
            self._rung, self._rings, self._began = deadline, 0, self._ran
        self._ran = thread_time_ns()
        self.strike(now, frame)

    def _has_run_little(self, deadline: int) -> bool:
        """Tell whether a hook has not had its budget of processor time.

        What ran between the last ring and its call, a quarter of a budget at most, counts as its.
        """
        began = self._began if self._rung == deadline else self._ran
        return bool(began) and thread_time_ns() - began < self.budget_ns

    def _is_forgiven(self, deadline: int) -> bool:
        """Tell whether a hook that came back late may be put down to the machine."""
        if self._struck == deadline or not self._has_run_little(deadline):
            return False
        now = monotonic_ns()
        since = now - FORGIVEN_S * NS_PER_S
        self._forgiven = [*(ts for ts in self._forgiven if ts > since), now]
        if len(self._forgiven) > FORGIVEN_MAX:
            return False
        _log.warning(
            "a strategy's hook %s, but ran little: it waited, or the machine stood",
            self.late(deadline),
        )
        return True

    def _comes_on(self, now: int, frame: FrameType | None) -> bool:
        """Give the next hook of a run its own budget, once the one before has returned."""
        if self._run is None:
            return False
        left = length_hint(self._run)
        is_between = frame is None or frame.f_code is HookGuard.call_each.__code__
        if left == self._left and not is_between:
            return False
        self._left, self._deadline = left, now + self.budget_ns
        return True

    def _end_chase(self) -> None:
        chase, self._chase = self._chase, None
        assert chase is not None
        chase.end()


class _Chase:
    """Strikes a hook once more where it swallows a strike.

    `while True: try: work() except: pass` is in its `try` whenever a signal comes. Traced, the
    frame is struck at the next line that it runs, which is the one behind its `except`.
    """

    def __init__(self) -> None:
        self._debugger = sys.gettrace()

    def follow(self, frames: list[FrameType], strikes: int) -> None:
        """Trace one frame of the hook, another at each strike: which one swallows is unknown."""
        if frames:
            frames[(strikes - 2) % len(frames)].f_trace = self._strike
            sys.settrace(self._pass)

    def end(self) -> None:
        sys.settrace(self._debugger)

    def _pass(self, frame: FrameType, event: str, arg: object) -> None:
        """Leave frames alone that begin meanwhile."""

    def _strike(self, frame: FrameType, event: str, arg: object) -> None:
        if event == "line":
            frame.f_trace = None
            raise HookTimeout


def _frames_inside(frame: FrameType) -> list[FrameType]:
    """Return the hook's own frames, the innermost first."""
    found = []
    above: FrameType | None = frame
    while above is not None and above.f_code not in _CALLERS:
        found.append(above)
        above = above.f_back
    return found


_CALLERS = (HookGuard.call.__code__, HookGuard.call_each.__code__)


class _Watchdog:
    """A thread that strikes another one, where no signal can."""

    def __init__(self, guard: HookGuard) -> None:
        self._guard = guard
        self._target = ctypes.c_ulong(threading.get_ident())
        self._lock = threading.Lock()  # held to move the deadline, and to look at it and strike
        self._deadline = 0
        self._has_struck = False
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="holdfast-hooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def call(self, hook: Callable[..., object], args: tuple[object, ...]) -> None:
        self._deadline = deadline = monotonic_ns() + self._guard.budget_ns
        try:
            returned = hook(*args)
        finally:
            # A strike that has not arrived yet shall not do so later. No function of its own:
            # one could arrive at its first line, before its `try`.
            while True:
                try:
                    with self._lock:
                        self._deadline = 0
                    if not self._has_struck:
                        break
                    # Whether it has arrived is unknown; a second takes its place if it has not.
                    # Taking it back instead would leave CPython's eval breaker up for good.
                    self._has_struck = False
                    self._send_strike()
                    while True:
                        pass
                except HookTimeout:
                    continue
        if returned is not None:
            self._guard.returned.tell(hook, returned)
        if monotonic_ns() > deadline:
            raise self._guard.late(deadline)

    def _watch(self) -> None:
        struck, strikes = 0, 0
        while not self._is_over.wait(self._guard.interval_s):
            with self._lock:
                deadline = self._deadline
                if not deadline or monotonic_ns() < deadline:
                    continue
                strikes = strikes + 1 if struck == deadline else 1
                struck = deadline
                if strikes <= STRIKES_MAX:
                    self._has_struck = True
                    self._send_strike()

    def _send_strike(self) -> None:
        kind = ctypes.py_object(HookTimeout)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(self._target, kind)
