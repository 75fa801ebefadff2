"""Say that a session stood still, and how long: it heard, decided and sent nothing meanwhile.

Hooks have a watchdog of their own. This sees what holds up the whole process: a machine that is
suspended or overloaded, a disk that does not answer, a signal that stops it, a bug of ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LOOK_S = 0.25
STALL_S = 1.0
"""How late a look must come to be told of."""

ALARM_S = 10.0
"""From here on it is an alarm: a market has moved on."""

QUIET_S = 60.0
"""Shorter stalls are told so often at most, and counted in between: a slow machine has many."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Passes while the machine is suspended too, where the system has such a clock."""

Tell = Callable[[str, str], object]


class StallWatch:
    """Looks at the clock from the loop, and tells when the loop let it wait.

    Args:
        tell: is given the level of a notice, and its text.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._quiet_until = 0.0
        self._untold = 0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            before, used_s = _now(), _used()
            await asyncio.sleep(LOOK_S)
            self._look(_now() - before - LOOK_S, _used() - used_s)

    def _look(self, late_s: float, used_s: float) -> None:
        if late_s < STALL_S:
            return
        is_long = late_s >= ALARM_S
        if not is_long and _now() < self._quiet_until:
            self._untold += 1
            return
        self._tell("alarm" if is_long else "warning", _text(late_s, used_s, self._untold))
        self._quiet_until, self._untold = _now() + QUIET_S, 0


def _text(late_s: float, used_s: float, untold: int) -> str:
    why = (
        f"the process itself was busy, for {used_s:.1f} s"
        if used_s > late_s / 2
        else "the machine was suspended or overloaded, a disk was slow, or a signal stopped it"
    )
    more = f"; so it did {untold} times more since this was told last" if untold else ""
    return (
        f"the session stood still for {late_s:.1f} s, and heard, decided and sent nothing: {why}; "
        f"what rests at the exchange stayed in force{more}"
    )


def _now() -> float:
    return time.clock_gettime(_CLOCK)


def _used() -> float:
    return time.process_time()
