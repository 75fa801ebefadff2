"""Expect a close outside the Bollinger bands to come back to their middle."""

from __future__ import annotations

from ..indicators import BollingerBands
from ..model.market import Bar
from ..model.values import SignalType, Symbol
from .base import Strategy
from .crossing import side_of, turn
from .parameters import bars, timeframes, within


class _Lines:
    __slots__ = ("bands", "side")

    def __init__(self, period: int, width: float) -> None:
        self.bands = BollingerBands(period, width)
        self.side: int | None = None  # of the last close: 1 over the bands, -1 under, 0 inside


class BollingerReversionStrategy(Strategy):
    """Buy the first close under the lower band, sell the first over the upper; close at the middle.

    The first only: after a stop, the price must have been inside again before the next entry.
    """

    def __init__(
        self,
        period: int = 20,
        width: float = 2.0,
        timeframe: str | None = None,
        *,
        allow_short: bool = True,
    ) -> None:
        self.period = bars("period", period, 2)
        self.width = within("width", width, 0.0, 100.0)
        self.allow_short = allow_short
        self.timeframes = timeframes(timeframe)
        self.warmup_bars = period + 1
        self._lines: dict[tuple[Symbol, str], _Lines] = {}

    def on_bar(self, bar: Bar) -> None:
        key = (bar.symbol, bar.timeframe)
        lines = self._lines.get(key)
        if lines is None:
            lines = self._lines[key] = _Lines(self.period, self.width)
        bands = lines.bands
        middle = bands.update(bar.close)
        if middle is None or bands.upper is None or bands.lower is None:
            return
        close = bar.close
        side = 0
        if side_of(close - bands.upper, close) > 0:
            side = 1
        elif side_of(close - bands.lower, close) < 0:
            side = -1
        before, lines.side = lines.side, side
        if side and before is not None and before != side:
            edge = bands.upper if side > 0 else bands.lower
            reason = f"close {close:.8g} past the band at {edge:.8g}"
            turn(self, bar.symbol, -side, allow_short=self.allow_short, reason=reason)
        else:
            self._leave(bar, middle)

    def _leave(self, bar: Bar, middle: float) -> None:
        held = self.ctx.position(bar.symbol)
        side = side_of(bar.close - middle, bar.close)
        if (held > 0 and side >= 0) or (held < 0 and side <= 0):
            reason = f"close {bar.close:.8g} at the middle {middle:.8g}"
            self.signal(SignalType.CLOSE, bar.symbol, reason=reason)
