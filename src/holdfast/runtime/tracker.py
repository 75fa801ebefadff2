"""Positions as they were last told, and which of them is close to liquidation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from .views import Position

EMERGENCY_MARGIN_RATIO = Decimal("0.8")
"""Maintenance margin over margin balance from which a position should be closed."""

OnChange = Callable[[Position], object]


class Books(Protocol):
    """Who knows more of positions than an update says: the trading service."""

    async def get_positions(self) -> list[Position]: ...

    def is_running(self) -> bool: ...


class PositionTracker:
    """Keeps the newest view of each symbol's position.

    Args:
        service: whose books tell what an update leaves out: leverage, margin and its ratio.
        on_emergency: a plain or an asynchronous function, called with a position whose margin is
            nearly used up, once each time it crosses the line.
    """

    def __init__(self, service: Books | None = None, on_emergency: OnChange | None = None) -> None:
        self._service = service
        self._positions: dict[str, Position] = {}
        self._alarmed: set[str] = set()
        self._on_emergency = on_emergency

    async def update(self, position: Position) -> None:
        """Take a newer view in, and complete it from the books; a flat one is forgotten."""
        await self._complete(position)
        symbol = position.symbol
        if not position.quantity:
            self._positions.pop(symbol, None)
            self._alarmed.discard(symbol)
            return
        self._positions[symbol] = position
        if not self.is_in_danger(position):
            self._alarmed.discard(symbol)
        elif symbol not in self._alarmed:
            self._alarmed.add(symbol)
            if self._on_emergency is not None:
                answer = self._on_emergency(position)
                if inspect.isawaitable(answer):
                    await answer

    async def _complete(self, position: Position) -> None:
        if self._service is None or not self._service.is_running():
            return
        for known in await self._service.get_positions():
            if known.symbol == position.symbol:
                position.leverage = known.leverage
                position.margin, position.margin_ratio = known.margin, known.margin_ratio
                position.opened_at = known.opened_at

    def get(self, symbol: str) -> Position | None:
        """Return a symbol's position; None when flat or never heard of."""
        return self._positions.get(symbol)

    def positions(self) -> list[Position]:
        """Return the open positions, in the order in which they were first told."""
        return list(self._positions.values())

    @staticmethod
    def is_in_danger(position: Position) -> bool:
        """Tell whether a position should be closed before the venue does it."""
        return position.margin_ratio > EMERGENCY_MARGIN_RATIO
