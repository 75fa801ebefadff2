"""When a line is over another or crosses it, and what to do with the position then."""

from __future__ import annotations

from ..model.values import SignalType, Symbol
from .base import Strategy

ROUNDING = 1e-12
"""Lines nearer to each other than this part of the price are equal: the rest is rounding, which
would else cross many times in a market that stands still."""


def side_of(difference: float, price: float) -> int:
    """Return 1 for a difference over zero, -1 for one under it, 0 for rounding alone."""
    if abs(difference) <= ROUNDING * abs(price):
        return 0
    return 1 if difference > 0.0 else -1


class Crossing:
    """Remembers which line was above. The first sight of a side is no crossing."""

    __slots__ = ("_side",)

    def __init__(self) -> None:
        self._side = 0

    def update(self, difference: float, price: float) -> int:
        """Return 1 where the difference has turned positive, -1 where negative, else 0."""
        side = side_of(difference, price)
        if not side:
            return 0
        before, self._side = self._side, side
        return side if before == -side else 0


def turn(
    strategy: Strategy, symbol: Symbol, direction: int, *, allow_short: bool, reason: str
) -> None:
    """Close what is held against `direction` and open with it; what is held with it stays."""
    held = strategy.ctx.position(symbol) * direction
    if held < 0:
        strategy.signal(SignalType.CLOSE, symbol, reason=reason)
    if held <= 0 and (direction > 0 or allow_short):
        side = SignalType.BUY if direction > 0 else SignalType.SELL
        strategy.signal(side, symbol, reason=reason)
