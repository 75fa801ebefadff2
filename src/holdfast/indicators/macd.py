"""Moving average convergence and divergence."""

from __future__ import annotations

from .averages import EMA
from .base import Indicator, checked_period, refusal


class MACD(Indicator):
    """Fast less slow exponential average (`value`), its own average (`signal`), their difference
    (`histogram`).

    The fast average starts so late that both have their first value on the same update, as
    TA-Lib does it.
    """

    __slots__ = ("_fast", "_late", "_signal", "_slow", "histogram", "signal")

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        checked_period("fast", fast)
        checked_period("slow", slow)
        checked_period("signal", signal)
        if fast >= slow:
            raise ValueError(f"fast must be shorter than slow, was fast {fast}, slow {slow}")
        super().__init__(slow + signal - 1)
        self._fast = EMA(fast)
        self._slow = EMA(slow)
        self._signal = EMA(signal)
        self._late = slow - fast
        self.signal: float | None = None
        self.histogram: float | None = None

    def update(self, value: float) -> float | None:
        if not -1e100 <= value <= 1e100:
            raise refusal("value", value)
        slow = self._slow.update(value)
        if self._late:
            self._late -= 1
            return None
        fast = self._fast.update(value)
        if fast is None or slow is None:
            return None
        line = fast - slow
        signal = self._signal.update(line)
        if signal is None:
            return None
        self.signal = signal
        self.histogram = line - signal
        self.value = line
        return line
