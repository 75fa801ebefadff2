"""The bars that a strategy was shown, held against those of the exchange's own trades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ..model.market import Bar, Trade, timeframe_ns
from ..model.values import NS_PER_S, Symbol
from ..runtime.series import FILL_WAIT_NS
from .churner import TIMEFRAME

UNSURE_NS = FILL_WAIT_NS + 8 * NS_PER_S
"""How long after the market was heard again bars may be missing: they wait behind a hole, of which
the exchange has no bars so short."""

Say = Callable[[str], None]


class Candles(Protocol):
    """What knows all trades of an exchange."""

    def candle(self, symbol: Symbol, open_ts: int, end_ts: int) -> Sequence[float]:
        """Return open, high, low, close, volume and count of a time; nothing where none traded."""


class SeenBars:
    """Judges the bars of one symbol.

    An exchange that swallows trades may swallow the last ones of a bar, and only the next one's
    number tells. So a bar may end with the last trade heard, if no other one comes behind it; and
    the first trade behind a break shows nothing of what came before it in its own bar.

    Args:
        since: returns since when the symbol is heard without a break.
    """

    def __init__(self, say: Say, candles: Candles, since: Callable[[], int]) -> None:
        self._say = say
        self._candles = candles
        self._since = since
        self._shown_ts = 0
        self._open_ts = 0
        self._heard_ts = 0  # of the last trade
        self._first_ts = 0  # of the first one behind the last break
        self._short: tuple[int, int] = (0, 0)  # the last trade and the end of such a bar
        self.end_ts = 0  # of the bar that trades were heard of and that was not shown; 0 for none

    @property
    def is_due(self) -> bool:
        """Tell whether the bar that trades were heard of has to be shown once it is over."""
        known_from = max(self._since() + UNSURE_NS, self._first_ts)
        return bool(self.end_ts) and self._open_ts >= known_from

    def trade(self, trade: Trade) -> None:
        if trade.ts < self._shown_ts:
            last_ts, end_ts = self._short
            if last_ts < trade.ts < end_ts:
                self._say(f"a trade of {trade.symbol} of {trade.ts} came behind its bar")
            return  # late: else the bar that lacks it is told of
        if self._heard_ts <= self._since():
            self._first_ts = trade.ts
        self._heard_ts = trade.ts
        if self.end_ts and trade.ts >= self.end_ts:
            if self.is_due:
                self._say(f"no bar of {trade.symbol} to {self.end_ts}, and its next one has begun")
            self.end_ts = 0
        if not self.end_ts:
            length = timeframe_ns(TIMEFRAME)
            self._open_ts = trade.ts - trade.ts % length
            self.end_ts = self._open_ts + length

    def bar(self, bar: Bar) -> None:
        if bar.ts <= self._shown_ts:
            self._say(f"a bar of {bar.symbol} to {bar.ts} behind one to {self._shown_ts}")
        self._shown_ts = bar.ts
        if bar.ts >= self.end_ts:
            self.end_ts = 0
        told = [bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count]
        true = list(self._candles.candle(bar.symbol, bar.open_ts, bar.ts))
        if told == true:
            return
        heard = self._candles.candle(bar.symbol, bar.open_ts, min(self._heard_ts + 1, bar.ts))
        if told == list(heard):
            self._short = (self._heard_ts, bar.ts)
        else:
            self._say(f"the bar of {bar.symbol} to {bar.ts} is {told}, the exchange's is {true}")
