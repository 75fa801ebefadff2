"""Bring a feed's messages to a session: batch by batch, or in the call that received them."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TYPE_CHECKING

from ..model.errors import InputError, VenueUnavailable
from ..model.market import MarketData
from ..model.messages import MarketLink
from ..model.values import Symbol, TradingSessionStatus
from ..ports import Clock, Direct, Recorded
from .missed_funding import keep_settled
from .relisting import keep_listed

if TYPE_CHECKING:
    from .live import LiveSession

AWAY_DELAY_S, AWAY_DELAY_S_MAX = 1.0, 30.0
"""How long to wait before a market that is away is asked for again: each time twice as long."""

STEADY_S = 60.0
"""How long a market must have been heard again before its next loss is told of as another."""

_log = logging.getLogger("holdfast.session")


class Feeding:
    """Reads one feed for one session, once.

    Args:
        is_hurried: the session outruns the clock, where the feed lets it.
    """

    def __init__(self, session: LiveSession, clock: Clock, *, is_hurried: bool) -> None:
        self._session = session
        self._feed = session.feed
        self._clock = clock
        self._is_fast = is_hurried and not self._feed.is_live
        self._direct: Direct | None = None  # the feed, where it hands over
        self._stream: AsyncIterator[Sequence[MarketData]]
        self._is_away = False
        self._tries_away, self._back_s = 0, -math.inf

    async def run(self, after_ts: int) -> None:
        """Show everything later than a time, until the feed or the session has ended."""
        if isinstance(self._feed, Direct):
            self._direct = self._feed
            self._feed.take, self._feed.on_link = self._take, self._hear_link
        if self._is_fast and await self._has_played(after_ts):
            return
        session, venues = self._session, self._session.accounts.venues.values()
        beside = (
            keep_listed(self._feed, venues),
            keep_settled(self._feed, venues, self._clock, session.notifier),
        )
        tasks = [asyncio.ensure_future(each) for each in beside]
        try:
            await self._show(after_ts)
        finally:
            for task in tasks:
                task.cancel()

    async def _show(self, after_ts: int) -> None:
        self._stream = aiter(self._feed.messages(0 if self._feed.is_live else after_ts))
        is_run = True
        try:
            await self._show_all()
        except GeneratorExit:
            is_run = False  # nobody runs this any more
            raise
        finally:
            if is_run and isinstance(self._stream, AsyncGenerator):  # else connections stay open
                await self._stream.aclose()

    async def _show_all(self) -> None:
        session, shell = self._session, self._session.shell
        while (batch := await self._next_batch()) is not None:
            if batch and self._is_away:
                self._come_back()
            for message in batch:
                session.on_market(message)
                if self._is_fast and shell.has_uncommitted:
                    await shell.committed()
            if shell.is_backed_up:
                await shell.committed()
            if shell.has_failed or session.status is TradingSessionStatus.STOPPED:
                return

    async def _has_played(self, after_ts: int) -> bool:
        """Show a recording that is all there, as fast as it can be read; tell whether it is."""
        if not isinstance(self._feed, Recorded):
            return False
        from .tape import TapeError, tape_for  # noqa: PLC0415 - loads numpy

        tape = tape_for(self._session, self._clock)
        if tape is None:
            return False
        try:
            await tape.play(after_ts)
        except TapeError as error:
            self._session.feed_failed(error.cause)
        return True

    def _take(self, message: MarketData) -> bool:
        """Take a message in the call in which it was received, unless others wait before it."""
        session = self._session
        is_over = session.status is TradingSessionStatus.STOPPED or session.is_closed
        if is_over or session.has_failed or session.shell.is_backed_up:
            return False
        watch = session.shell.stopwatch
        if watch is not None and self._direct is not None:
            watch.frame = self._direct.frame_ns
        try:
            session.on_market(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, this life is over
            session.shell.fail(error)
        if watch is not None:
            watch.frame = 0
        return True

    def _hear_link(self, symbol: Symbol, is_up: bool, reason: str) -> None:
        """Tell the engine whether a symbol's market data comes."""
        session = self._session
        if not session.has_failed and not session.is_closed:
            if is_up and self._is_away:
                self._come_back()
            session.runner.on_link(symbol, is_up=is_up)
            session.shell.hear(MarketLink(symbol=symbol, is_up=is_up, reason=reason))

    async def _next_batch(self) -> Sequence[MarketData] | None:
        """Return what the feed shows next, None at its end.

        A feed that fails ends the session in ERROR; a live one makes this life fail by an error of
        its own, so that the next one may go on. Where the market is away this life goes on without
        it: what it holds is looked after, and entries are refused for prices that are too old.
        """
        try:
            return await anext(self._stream, None)
        except Exception as error:
            if self._feed.is_live and isinstance(error, VenueUnavailable) and not _is_called_off():
                await self._wait_for_market(error)
                return ()
            if self._feed.is_live and not isinstance(error, InputError):
                raise
            self._session.feed_failed(error)
            return None

    async def _wait_for_market(self, error: Exception) -> None:
        """Wait a little before the market is asked for once more; tell of the first time."""
        is_new = asyncio.get_running_loop().time() - self._back_s > STEADY_S
        if not self._is_away and is_new:
            self._tries_away = 0
            text = f"nothing new is opened: the market can't be heard, and is asked for: {error}"
            self._session.notifier.notify("alarm", text)
        _log.warning("the market can't be heard: %s", error)
        delay_s = min(AWAY_DELAY_S * 2 ** min(self._tries_away, 10), AWAY_DELAY_S_MAX)
        self._is_away, self._tries_away = True, self._tries_away + 1
        await asyncio.sleep(delay_s)
        self._stream = aiter(self._feed.messages())

    def _come_back(self) -> None:
        self._is_away, self._back_s = False, asyncio.get_running_loop().time()
        self._session.notifier.notify("info", "the market is heard again")


def _is_called_off() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
