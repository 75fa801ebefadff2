"""Which symbols' market data can be trusted: told of each symbol, when it changes.

Rule 1: a symbol's data is cut off from the loss of a path that it comes on until that path has
        told something of this very symbol again: what was known before may be old.
Rule 2: mark prices come every second; a symbol without them is cut off though its path lives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...model.values import Symbol

MARKS = "mark prices"
SYMBOL_SILENCE_S = 10.0
"""How long a symbol may be without a mark price."""

Tell = Callable[[Symbol, bool, str], None]


class MarketWatch:
    """Keeps what is missing of each symbol.

    Args:
        tell: is given a symbol, whether its data comes, and what is missing where it does not.
        now: returns the loop's time, seconds.
    """

    def __init__(self, symbols: Sequence[Symbol], tell: Tell, now: Callable[[], float]) -> None:
        self._tell = tell
        self._now = now
        self._missing: dict[Symbol, set[str]] = {symbol: set() for symbol in symbols}
        self._marked = dict.fromkeys(symbols, now())
        self.misses = False
        """Whether anything is missing at all: where not, `heard` need not be called."""

    def lost(self, path: str, symbols: Sequence[Symbol]) -> None:
        """Hear that a path was lost, for these of the symbols."""
        for symbol in symbols:
            self._cut(symbol, path)

    def heard(self, symbol: Symbol, path: str) -> None:
        """Hear that a path told something of a symbol."""
        self._mend(symbol, path)

    def marked(self, symbol: Symbol) -> None:
        """Hear that a mark price came."""
        if symbol in self._marked:
            self._marked[symbol] = self._now()
            if self.misses:
                self._mend(symbol, MARKS)

    def look(self) -> None:
        """Find symbols without mark prices."""
        oldest = self._now() - SYMBOL_SILENCE_S
        for symbol, marked in self._marked.items():
            if marked < oldest:
                self._cut(symbol, MARKS)

    def _cut(self, symbol: Symbol, what: str) -> None:
        missing = self._missing[symbol]
        was_whole = not missing
        missing.add(what)
        self.misses = True
        if was_whole:
            self._tell(symbol, False, f"no {what} of {symbol}")

    def _mend(self, symbol: Symbol, what: str) -> None:
        missing = self._missing.get(symbol)
        if not missing or what not in missing:
            return
        missing.discard(what)
        if not missing:
            self.misses = any(self._missing.values())
            self._tell(symbol, True, "")
