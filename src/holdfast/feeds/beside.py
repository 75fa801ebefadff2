"""What a live feed asks beside its streams: by the wall's time, and in a thread where it must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Wall:
    """The wall's time as a clock."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now

    def advance(self, ts: int) -> None:
        """Take no notice."""


def wait_for(work: Coroutine[Any, Any, None]) -> None:
    """Do it in a thread with a loop of its own, and return when it is done."""
    with ThreadPoolExecutor(max_workers=1) as threads:
        threads.submit(asyncio.run, work).result()
