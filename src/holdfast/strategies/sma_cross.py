"""Follow the crossings of two simple moving averages."""

from __future__ import annotations

from ..indicators import SMA
from .average_cross import AverageCrossStrategy


class SmaCrossStrategy(AverageCrossStrategy):
    """Long when the fast average rises over the slow one, short (or flat) when it falls under."""

    average = SMA

    def __init__(
        self,
        fast: int = 10,
        slow: int = 30,
        timeframe: str | None = None,
        *,
        allow_short: bool = True,
    ) -> None:
        super().__init__(fast, slow, timeframe, allow_short=allow_short)
