"""Go with a close outside the range of the last bars: Donchian's channel, the Turtles' rule."""

from __future__ import annotations

from ..indicators import Donchian
from ..model.errors import StrategyError
from ..model.market import Bar
from ..model.values import SignalType, Symbol
from .base import Strategy
from .crossing import turn
from .parameters import bars, timeframes


class _Lines:
    __slots__ = ("entry", "leave", "side")

    def __init__(self, entry: int, leave: int) -> None:
        self.entry = Donchian(entry)
        self.leave = Donchian(leave)
        self.side = 0  # of the last breakout that has not ended


class DonchianBreakoutStrategy(Strategy):
    """Buy a close over the highest high of the `entry` bars before it, sell one under their low.

    Closed by a close outside the narrower channel of `leave` bars on the other side. A breakout
    is entered once: after a stop, it must have ended before the next one counts.
    """

    def __init__(
        self,
        entry: int = 20,
        leave: int = 10,
        timeframe: str | None = None,
        *,
        allow_short: bool = True,
    ) -> None:
        self.entry = bars("entry", entry)
        self.leave = bars("leave", leave)
        if leave > entry:
            raise StrategyError(f"leave must be at most entry, was leave={leave}, entry={entry}")
        self.allow_short = allow_short
        self.timeframes = timeframes(timeframe)
        self.warmup_bars = 2 * max(entry, leave)
        self._lines: dict[tuple[Symbol, str], _Lines] = {}

    def on_bar(self, bar: Bar) -> None:
        key = (bar.symbol, bar.timeframe)
        lines = self._lines.get(key)
        if lines is None:
            lines = self._lines[key] = _Lines(self.entry, self.leave)
        # The channels before this bar: it can't break out of a range that it is part of.
        ended = _outside(bar.close, lines.leave)
        broken = _outside(bar.close, lines.entry)
        lines.entry.update(bar.high, bar.low)
        lines.leave.update(bar.high, bar.low)
        if broken and broken != lines.side:
            lines.side = broken
            reason = f"close {bar.close:.8g} broke the range of {self.entry} bars"
            turn(self, bar.symbol, broken, allow_short=self.allow_short, reason=reason)
        elif ended:
            if ended == -lines.side:
                lines.side = 0
            # By what is held: after a restart the breakout may be older than the history.
            self._leave(bar.symbol, ended, bar.close)

    def _leave(self, symbol: Symbol, direction: int, close: float) -> None:
        if self.ctx.position(symbol) * direction < 0:
            reason = f"close {close:.8g} broke the range of {self.leave} bars"
            self.signal(SignalType.CLOSE, symbol, reason=reason)


def _outside(close: float, channel: Donchian) -> int:
    """Return 1 for a close over the channel, -1 for one under it, else 0."""
    if channel.upper is not None and close > channel.upper:
        return 1
    if channel.lower is not None and close < channel.lower:
        return -1
    return 0
