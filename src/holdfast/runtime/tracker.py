"""Positions as they were last told, and which of them is close to liquidation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from ..model.errors import InputError
from .views import Position

EMERGENCY_MARGIN_RATIO = Decimal("0.8")
"""Maintenance margin over margin balance from which a position should be closed."""

_Place = tuple[str, str]
"""An account, "" where none was named, and a symbol."""

OnChange = Callable[[Position], object]


class Books(Protocol):
    """Who knows more of positions than an update says: the trading service."""

    async def get_positions(self) -> list[Position]: ...

    def is_running(self) -> bool: ...


class PositionTracker:
    """Keeps the newest view of each position: of a symbol on an account.

    An update that names no account is of the only one that holds its symbol; where several do,
    nobody knows whose it is, and it is not completed.

    Args:
        service: whose books tell what an update leaves out: leverage, margin and its ratio.
        on_emergency: a plain or an asynchronous function, called with a position whose margin is
            nearly used up, once each time it crosses the line.
    """

    def __init__(self, service: Books | None = None, on_emergency: OnChange | None = None) -> None:
        self._service = service
        self._positions: dict[_Place, Position] = {}
        self._alarmed: set[_Place] = set()
        self._on_emergency = on_emergency

    async def update(self, position: Position) -> None:
        """Take a newer view in, and complete it from the books; a flat one is forgotten."""
        await self._complete(position)
        place = self._place_of(position)
        if not position.quantity:
            self._positions.pop(place, None)
            self._alarmed.discard(place)
            return
        self._positions[place] = position
        if not self.is_in_danger(position):
            self._alarmed.discard(place)
        elif place not in self._alarmed:
            self._alarmed.add(place)
            if self._on_emergency is not None:
                answer = self._on_emergency(position)
                if inspect.isawaitable(answer):
                    await answer

    async def _complete(self, position: Position) -> None:
        if self._service is None or not self._service.is_running():
            return
        found = [p for p in await self._service.get_positions() if p.symbol == position.symbol]
        if position.names_account:
            found = [p for p in found if p.account == position.account]
        if len(found) == 1:
            [known] = found
            position.leverage = known.leverage
            position.margin, position.margin_ratio = known.margin, known.margin_ratio
            position.opened_at = known.opened_at
            position.account, position.names_account = known.account, True

    def _place_of(self, position: Position) -> _Place:
        """Return where a position is kept; one kept without an account is forgotten for it."""
        symbol = position.symbol
        if position.names_account:
            self._positions.pop(("", symbol), None)
            self._alarmed.discard(("", symbol))
            return position.account, symbol
        places = [place for place in self._positions if place[1] == symbol]
        return places[0] if len(places) == 1 else ("", symbol)

    def get(self, symbol: str, account: str = "") -> Position | None:
        """Return a position; None when flat or never heard of.

        Raises:
            InputError: several accounts hold the symbol, and none was said.
        """
        if account:
            return self._positions.get((account, symbol))
        places = [place for place in self._positions if place[1] == symbol]
        if len(places) > 1:
            names = ", ".join(name or "one that no update named" for name, _ in places)
            raise InputError(f"{symbol} is held on {names}: say which account is meant")
        return self._positions[places[0]] if places else None

    def positions(self) -> list[Position]:
        """Return the open positions, in the order in which they were first told."""
        return list(self._positions.values())

    @staticmethod
    def is_in_danger(position: Position) -> bool:
        """Tell whether a position should be closed before the venue does it."""
        return position.margin_ratio > EMERGENCY_MARGIN_RATIO
