"""Follow the crossings of two exponential moving averages."""

from __future__ import annotations

from ..indicators import EMA
from .average_cross import AverageCrossStrategy

FADED = 4
"""After so many periods under 0.1 % of the average's first value is left in it."""


class EmaCrossStrategy(AverageCrossStrategy):
    """Long when the fast average rises over the slow one, short (or flat) when it falls under."""

    average = EMA

    def __init__(
        self,
        fast: int = 12,
        slow: int = 26,
        timeframe: str | None = None,
        *,
        allow_short: bool = True,
    ) -> None:
        super().__init__(fast, slow, timeframe, allow_short=allow_short)
        self.warmup_bars = (1 + FADED) * slow
