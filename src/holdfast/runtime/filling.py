"""Fill the holes in the bars of a session: from a recording at once, from an exchange by asking it.

Bars that come long after their end are shown as a warm-up is: what a strategy wishes for over
them is not heard.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from ..model.bars import UNKNOWN
from ..model.errors import TradingError
from ..model.market import Bar
from ..model.values import NS_PER_S, Symbol
from ..ports import Feed, Fetching
from .route import Route
from .series import FILL_PATIENCE_NS, FILL_WAIT_NS, Hole, Series

LOOK_S = 1.0
"""How often holes are looked for that are to be filled."""

ASK_S = 10.0
"""How long one round of questions may take."""

ASK_MAX = 20
"""How many holes are asked for in one round; the others have the next."""

PAST_NS = 30 * NS_PER_S
"""How long a bar may be over when it is shown as one to act upon."""

Show = Callable[[Route, Sequence[Bar], int], None]
_until = attrgetter("hole.until")
_log = logging.getLogger("holdfast.runner")


class Open(NamedTuple):
    """A hole, and where it is."""

    route: Route
    series: Series
    hole: Hole


class Filler:
    """Fills the holes of one runner's bars.

    Args:
        now: returns the session's time.
        show: is given bars that can be shown, of one route and time frame, oldest first, and the
            end of the last that are long over.
    """

    def __init__(
        self, feed: Feed, routes: Mapping[Symbol, Route], now: Callable[[], int], show: Show
    ) -> None:
        self._feed = feed
        self._routes = routes
        self._now = now
        self._show = show
        self._is_live = feed.is_live
        self._asks = feed if self._is_live and isinstance(feed, Fetching) else None

    def pass_on(self, route: Route, bar: Bar) -> None:
        """Show a bar that was heard in full, once nothing before it is missing."""
        series = route.series[bar.timeframe]
        known_from = route.bars.known_from(bar.timeframe)
        if bars := series.take(bar, known_from):
            self._show(route, bars, 0)
        elif self._asks is None and (hole := series.hole(known_from)) is not None:
            self._fill_at_once(Open(route, series, hole))

    def look(self) -> None:
        """Fill what can be filled without asking; give up what nobody could answer for."""
        for each in list(self._over()):
            if self._asks is None:
                self._fill_at_once(each)
            elif self._clock(each) > each.hole.until + FILL_WAIT_NS + FILL_PATIENCE_NS:
                _log.warning("%s", _text(each.hole, "are missing: nobody answered for them"))
                self._close(each, ())

    def due_ts(self, route: Route) -> int:
        """Return when a hole of a route is over, far off where it has none."""
        return min((each.hole.until for each in self._holes(route)), default=UNKNOWN)

    @property
    def asks(self) -> bool:
        """Tell whether `run` is needed."""
        return self._asks is not None

    async def run(self) -> None:
        """Ask for what is missing, now and then, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.ask()

    async def ask(self) -> None:
        """Ask for what is missing and over."""
        if self._asks is None:
            return
        due = sorted(self._due(), key=_until)
        for _, group in groupby(due[:ASK_MAX], _until):
            await self._ask(self._asks, list(group))

    async def _ask(self, source: Fetching, wanted: Sequence[Open]) -> None:
        until = wanted[0].hole.until
        questions = [(e.hole.symbol, e.hole.timeframe, e.hole.bar_count) for e in wanted]
        try:
            async with asyncio.timeout(ASK_S):
                await source.fetch_history(questions, until)
        except (TradingError, TimeoutError) as error:
            _log.warning("%s: %s", _text(wanted[0].hole, "could not be asked for"), error)
            return
        for each in wanted:
            bars = self._feed.history(
                each.hole.symbol, each.hole.timeframe, until, each.hole.bar_count
            )
            self._close(each, bars)

    def _fill_at_once(self, each: Open) -> None:
        """Fill a hole from a recording; a live feed that can't be asked leaves it open."""
        hole, bars = each.hole, list[Bar]()
        if hole.until >= UNKNOWN:
            return
        if not self._is_live:
            try:
                bars = list(
                    self._feed.history(hole.symbol, hole.timeframe, hole.until, hole.bar_count)
                )
            except TradingError as error:
                _log.warning("%s: %s", _text(hole, "could not be read"), error)
        self._close(each, bars)

    def _close(self, each: Open, bars: Iterable[Bar]) -> None:
        found = each.hole.pick(bars)
        if not found:
            _log.info("%s", _text(each.hole, "were not heard in full and are left out"))
        bars = each.series.close(each.hole, found)
        self._show(each.route, bars, self._clock(each) - PAST_NS)

    def _over(self) -> Iterator[Open]:
        """Yield the holes that are over."""
        for route in tuple(self._routes.values()):
            for each in self._holes(route):
                if self._clock(each) >= each.hole.until:
                    yield each

    def _due(self) -> Iterator[Open]:
        """Yield what of the holes the source has to have."""
        for route in tuple(self._routes.values()):
            for each in self._holes(route):
                if (hole := each.hole.over(self._clock(each) - FILL_WAIT_NS)) is not None:
                    yield each._replace(hole=hole)

    def _holes(self, route: Route) -> Iterator[Open]:
        for timeframe, series in route.series.items():
            if route.bars_of.get(timeframe):
                hole = series.hole(route.bars.known_from(timeframe))
                if hole is not None and hole.until < UNKNOWN:
                    yield Open(route, series, hole)

    def _clock(self, each: Open) -> int:
        return each.route.bars.clock(self._now())


def _text(hole: Hole, what: str) -> str:
    return f"bars {hole.timeframe} of {hole.symbol} from {hole.since} to {hole.until} {what}"
