"""A circuit breaker for callers' own awaitables; its table is the engine's."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from ..engine.breaker import Breaker, BreakerState
from ..model.errors import CircuitOpenError, InputError

P = ParamSpec("P")
T = TypeVar("T")


class CircuitBreaker:
    """Guards calls of one kind for callers outside the engine.

    Args:
        failure_threshold: failures in a row that open it.
        recovery_timeout: seconds after which one call is tried again.
        clock: returns seconds that never go back; `last_failure_time` is by it.

    Raises:
        InputError: the threshold is under 1, or the timeout under 0.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 60,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not failure_threshold >= 1:
            raise InputError(f"failure_threshold must be at least 1, was {failure_threshold!r}")
        if not recovery_timeout >= 0:
            raise InputError(f"recovery_timeout must be at least 0, was {recovery_timeout!r}")
        self.failure_threshold = failure_threshold
        self.recovery_timeout = recovery_timeout
        self.last_failure_time: float | None = None
        self._clock = clock
        self._breaker = Breaker()
        self._is_trying = False
        self._generation = 0  # raised by a trial, and by hand: calls from before say nothing of it

    @property
    def state(self) -> str:
        """Return CLOSED, OPEN or HALF_OPEN. It may be set: to open it by hand, above all.

        Opened by hand, it stays so for `recovery_timeout`, as behind a failure.
        """
        return self._breaker.state.value

    @state.setter
    def state(self, name: str) -> None:
        if name not in BreakerState.__members__:
            known = ", ".join(BreakerState.__members__)
            raise InputError(f"state must be one of {known}, was {name!r}")
        self._breaker.state = BreakerState[name]
        self._generation += 1
        if self._breaker.state is BreakerState.OPEN:
            self.last_failure_time = self._clock()

    @property
    def failure_count(self) -> int:
        """Return the failures in a row so far."""
        return self._breaker.failure_count

    @failure_count.setter
    def failure_count(self, count: int) -> None:
        self._breaker.failure_count = count

    def should_attempt_reset(self) -> bool:
        """Tell whether an open breaker has waited long enough to try one call."""
        since = self.last_failure_time
        return since is None or self._clock() - since >= self.recovery_timeout

    async def call(self, func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call through the breaker. A half-open one lets a single call try.

        Raises:
            CircuitOpenError: the breaker is open, or another call is trying; nothing was called.
        """
        if self._breaker.state is BreakerState.OPEN:
            if not self.should_attempt_reset():
                raise CircuitOpenError(
                    f"circuit open after {self.failure_count} failures; "
                    f"next try {self.recovery_timeout:g} s after the last one"
                )
            self._breaker.state = BreakerState.HALF_OPEN
        if self._breaker.state is not BreakerState.HALF_OPEN:
            return await self._count(func, *args, **kwargs)
        if self._is_trying:
            raise CircuitOpenError("circuit half open: another call is trying whether it may close")
        self._is_trying = True
        self._generation += 1
        try:
            return await self._count(func, *args, **kwargs)
        finally:
            self._is_trying = False

    async def _count(self, func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        generation = self._generation
        try:
            result = await func(*args, **kwargs)
        except Exception:
            if generation == self._generation:
                self.on_failure()
            raise
        if generation == self._generation:
            self.on_success()
        return result

    def on_success(self) -> None:
        """Count a success: the failures in a row begin anew."""
        self._breaker.state = self._breaker.after_success()
        if self._breaker.state is BreakerState.CLOSED:
            self._breaker.failure_count = 0

    def on_failure(self) -> None:
        """Count a failure."""
        self.failure_count += 1
        self._breaker.state = self._breaker.after_failure(
            self.failure_count, self.failure_threshold
        )
        self.last_failure_time = self._clock()
