"""Measure the venue's time for as long as an account is joined."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .asking import Asker

CLOCK_EVERY_S = 300.0
CLOCK_OFF_EVERY_S = 10.0
"""How often the venue's time is measured, and how often while ours is too far from it."""


async def keep_time(asker: Asker, tell_off: Callable[[str], None]) -> None:
    """Measure it now and then, and soon again once ours was found to be off.

    Args:
        tell_off: is told, at each measurement, how far ours is off, where it is too far.
    """
    now = asyncio.get_running_loop().time
    measured = now()
    while True:
        await asyncio.sleep(CLOCK_OFF_EVERY_S)
        if asker.offset.is_off or now() - measured >= CLOCK_EVERY_S:
            measured = now()
            await measure(asker, tell_off)


async def measure(asker: Asker, tell_off: Callable[[str], None]) -> None:
    """Measure it now."""
    await asker.sync_clock()
    if asker.offset.is_off:
        tell_off(asker.offset.told)
