"""Answers to questions that trail the books: what was so a moment ago is told as if it were so.

Lists are those of the moment at which the lag began; executions and income since then are left
out. An order that came since then is not found, which is the exchange's own fault `read_lag`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..exchange_server.app import METHODS
from ..exchange_server.methods import Handler, Place, RequestContext
from ..exchange_server.params import Params
from ..exchange_server.venue import Venue
from ..model.values import NS_PER_MS

LAG_S_MAX = 1.9
"""How far answers trail at most: the adapter counts on 2 s."""

_LISTS: tuple[Place, ...] = (
    ("GET", "/fapi/v1/openOrders"),
    ("GET", "/fapi/v1/openAlgoOrders"),
    ("GET", "/fapi/v3/positionRisk"),
    ("GET", "/fapi/v3/account"),
)
_TIMED: tuple[Place, ...] = (("GET", "/fapi/v1/userTrades"), ("GET", "/fapi/v1/income"))


class StaleReads:
    """What is told while a lag lasts. `fired` hears of each stale answer."""

    def __init__(self, venue: Venue, fired: Callable[[], None]) -> None:
        self._venue = venue
        self._fired = fired
        self._kept: dict[tuple[str, Place], object] = {}
        self._since_ms = 0
        self._plain = {place: METHODS[place].handler for place in (*_LISTS, *_TIMED)}

    def begin(self) -> None:
        """Let time stand still for those who ask."""
        self._since_ms = self._venue.now() // NS_PER_MS
        for key in self._venue.settings.keys:
            context = RequestContext(self._venue, key.account, self._venue.now())
            for place in _LISTS:
                self._kept[key.account, place] = self._plain[place](context, Params({}))

    def end(self) -> None:
        self._kept = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Stand between the doors and their handlers."""
        table: dict[Place, object] = METHODS  # type: ignore[assignment]  # a dict behind its type
        before = {place: METHODS[place] for place in self._plain}
        try:
            for place in _LISTS:
                table[place] = before[place]._replace(handler=self._list(place))
            for place in _TIMED:
                table[place] = before[place]._replace(handler=self._timed(place))
            yield
        finally:
            table.update(before)

    def _list(self, place: Place) -> Handler:
        plain = self._plain[place]

        def answer(context: RequestContext, params: Params) -> object:
            kept = self._kept.get((context.account, place))
            if kept is None:
                return plain(context, params)
            self._fired()
            symbol = params.text("symbol")
            if symbol is None or not isinstance(kept, list):
                return kept
            return [row for row in kept if symbol_of(row) == symbol]

        return answer

    def _timed(self, place: Place) -> Handler:
        plain = self._plain[place]

        def answer(context: RequestContext, params: Params) -> object:
            rows = plain(context, params)
            if not self._kept or not isinstance(rows, list):
                return rows
            self._fired()
            return [row for row in rows if time_of(row) <= self._since_ms]

        return answer


def symbol_of(row: object) -> object:
    return row["symbol"] if isinstance(row, dict) else getattr(row, "symbol", None)


def time_of(row: object) -> int:
    found = row["time"] if isinstance(row, dict) else getattr(row, "time", 0)
    return int(str(found))
