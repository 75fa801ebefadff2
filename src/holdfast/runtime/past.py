"""What came before now, and is asked for until it is there.

Rule 1: nothing that protects waits for it: the books come first, and time passes meanwhile.
Rule 2: a session whose account answers is not ended for it. No strategy is shown the market before
        its history, and what is judged by the past is refused as long as that is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from ..model.errors import VenueError
from ..ports import Clock, Feed, Notifier
from .fetching import telling_warm_up

FIRST_DELAY_S, DELAY_S_MAX = 1.0, 60.0
"""How long to wait before what was not to be had is asked for again: each time twice as long."""

Step = Callable[[int], Awaitable[None]]


class Past:
    """What needs the past, one after the other: each is given the time that ends it.

    Args:
        steps: may be called again after a VenueError; another error is final.
    """

    def __init__(self, feed: Feed, clock: Clock, notifier: Notifier, *steps: Step) -> None:
        self._feed = feed
        self._clock = clock
        self._notifier = notifier
        self._left = list(steps)

    async def ask(self) -> None:
        """Ask once; what a live feed can't tell now is left to `insist`, and told.

        Raises:
            TradingError: it can't be had; of a live feed, it never can.
        """
        try:
            with telling_warm_up(self._notifier):
                await self._go_on()
        except VenueError as error:
            if not self._feed.is_live:
                raise
            text = f"the strategies wait for the bars before now, asked for again: {error}"
            self._notifier.notify("alarm", text)

    async def insist(self) -> None:
        """Ask again until all is there."""
        delay_s = FIRST_DELAY_S
        while self._left:
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, DELAY_S_MAX)
            with contextlib.suppress(VenueError):
                await self._go_on()
                self._notifier.notify("info", "the bars before now are there: the strategies begin")

    async def _go_on(self) -> None:
        while self._left:
            await self._left[0](self._clock.now())
            del self._left[0]
