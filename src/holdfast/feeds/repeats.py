"""What was heard of the live market before: a message comes once, and a gap is told.

While a connection replaces another, both tell the same, one later than the other; and one that
follows a lost connection may begin with what was told before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..model.market import MarketData, MarkPrice, Quote, Trade
from ..model.values import NS_PER_S, Symbol

AGAIN_NS_MAX = 60 * NS_PER_S
"""How far back a new connection may tell again what was heard. What is older is of a clock that
was put right, and believed.
"""

CLOCK_NS = 2 * NS_PER_S
"""How much later than the last one a repeated trade may be, where the venue's clock was set back.
What is later and yet numbered lower is of a venue that lost its memory, and counts anew.
"""

Place = tuple[Symbol, type]


class Repeats:
    """Remembers the last message of each symbol and kind.

    Args:
        tell_gap: is given a symbol and the first and the last number of trades that never came.
    """

    __slots__ = ("_last", "_lost", "_tell_gap")

    def __init__(self, tell_gap: Callable[[Symbol, int, int], None]) -> None:
        self._tell_gap = tell_gap
        self._last: dict[Place, tuple[int, int]] = {}  # number and time of what was shown
        self._lost: set[Place] = set()  # of whose path nothing new was heard since

    def lose(self, symbols: Iterable[Symbol], kinds: Iterable[type]) -> None:
        """Hear that the connection on which these came was lost."""
        places = {(symbol, kind) for symbol in symbols for kind in kinds}
        self._lost |= places & self._last.keys()

    def forget(self) -> None:
        """Begin with an empty memory."""
        self._last.clear()

    def is_repeated(self, message: MarketData) -> bool:
        """Tell whether what a message says was heard, or is older than what was heard."""
        kind, ts = type(message), message.ts
        if isinstance(message, Trade):
            number, repeated_up_to = message.trade_id, 0
        elif kind is Quote:
            number, repeated_up_to = ts, -1  # several quotes share a millisecond
        elif kind is MarkPrice:
            number, repeated_up_to = ts, 0
        else:
            return False
        place = (message.symbol, kind)
        last = self._last.get(place)
        if last is not None:
            if place in self._lost:
                if _is_told_again(number, ts, *last):
                    return True
                self._lost.discard(place)
            elif number <= last[0]:
                is_of_then = -AGAIN_NS_MAX <= ts - last[1] <= CLOCK_NS
                if is_of_then and number <= last[0] + repeated_up_to:
                    return True
            elif kind is Trade and number > last[0] + 1:
                self._tell_gap(message.symbol, last[0] + 1, number - 1)
        self._last[place] = number, ts
        return False


def _is_told_again(number: int, ts: int, last_number: int, last_ts: int) -> bool:
    """Tell whether a new connection says what was heard before the last one was lost.

    A venue that lost its memory counts anew, but its time goes on: an old number that happens to
    follow the new ones is of an earlier time.
    """
    newest_ts = last_ts if number <= last_number else last_ts - 1
    return last_ts - AGAIN_NS_MAX <= ts <= newest_ts
