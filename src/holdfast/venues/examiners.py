"""Who examines the way to a venue, by its name; a venue without one is connected to and left."""

from __future__ import annotations

from collections.abc import AsyncIterator

from .findings import Examiner, Finding
from .wiring import Wiring


async def _binance_futures(wiring: Wiring) -> AsyncIterator[Finding]:
    from .binance_futures.examination import examine  # noqa: PLC0415 - loads aiohttp

    async for finding in examine(wiring):
        yield finding


EXAMINERS: dict[str, Examiner] = {
    "binance_futures": _binance_futures,
    "binance": _binance_futures,
}
"""By the name of a venue, or of the live feed that a simulated account trades on."""
