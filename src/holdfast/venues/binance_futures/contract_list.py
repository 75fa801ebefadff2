"""The venue's list of contracts, read now and then: what changed is told, what stopped too.

Rule 1: that a contract has stopped trading is believed when two looks agree (see `joining`).
Rule 2: one that did not trade at the start is listed as trading once it is set up for it, and till
        then as one that can be closed: what is open there is looked after.
Rule 3: contracts that were traded before are followed too: something may be open there still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from ...model.instrument import NOT_SET_UP, UNLISTED, Instrument
from ...model.values import Symbol
from . import joining
from .asking import Asker
from .settings import BinanceSettings

EVERY_S = 120.0
OFF_EVERY_S = 30.0
"""How often the list is read, and how often while a contract does not trade."""

Listed = tuple[Instrument, int]
"""A contract and its leverage."""


class ContractList:
    """What is known of the contracts that are traded, and of those that were.

    Args:
        tell: is given each contract that was read anew, with its leverage.
        settings: what a contract is set to that did not trade at the start; None leaves it.
    """

    def __init__(
        self,
        asker: Asker,
        tell: Callable[[Instrument, int], None],
        settings: BinanceSettings | None = None,
    ) -> None:
        self._asker = asker
        self._tell = tell
        self._settings = settings
        self._has_traded: set[Symbol] = set()
        self._known: dict[Symbol, Listed] = {}
        self._told_at: dict[Symbol, int] = {}
        self._left: dict[Symbol, Listed] = {}  # not traded any more, their leverage not looked at

    def begin(self, found: joining.Joined) -> None:
        """Take what a start has read."""
        self._known = {made.symbol: (made, leverage) for made, leverage in found.traded}
        self._left = {made.symbol: (made, 0) for made in found.left}

    @property
    def symbols(self) -> frozenset[Symbol]:
        """Return the symbols that are traded."""
        return frozenset(self._known)

    @property
    def unlisted(self) -> frozenset[Symbol]:
        """Return the symbols that the venue does not list any more."""
        all_of_them = (*self._known.values(), *self._left.values())
        return frozenset(made.symbol for made, _ in all_of_them if made.status == UNLISTED)

    def leverage(self, symbol: Symbol) -> int | None:
        """Return a contract's leverage; None where it is not traded."""
        known = self._known.get(symbol)
        return None if known is None else known[1]

    def tell_all(self) -> None:
        """Tell all of them."""
        for made, leverage in (*self._known.values(), *self._left.values()):
            self._tell(made, leverage)

    def told_at(self, symbol: Symbol) -> int:
        """Return when the stream last told of a symbol's leverage; 0 where it has not."""
        return self._told_at.get(symbol, 0)

    def hear_leverage(self, symbol: Symbol, leverage: int) -> None:
        """Hear of a symbol's new leverage from the stream."""
        self._told_at[symbol] = self._asker.clock.now()
        self.set_leverage(symbol, leverage)

    def set_leverage(self, symbol: Symbol, leverage: int) -> None:
        """Take a symbol's leverage as it was read, or told."""
        if symbol in self._known:
            self._list(self._known[symbol][0], leverage)

    async def keep(self) -> None:
        """Read the list now and then, for ever; soon again while a contract does not trade."""
        now = asyncio.get_running_loop().time
        read = now()
        while True:
            await asyncio.sleep(OFF_EVERY_S)
            is_whole = all(made.is_trading for made, _ in self._known.values())
            if not is_whole or now() - read >= EVERY_S:
                read = now()
                await self.refresh()

    async def refresh(self) -> None:
        """Read the list anew, unless that is being done."""
        budget = self._asker.budget
        if not budget.begin("contracts", self._asker.clock.now()):
            return
        try:
            self._has_traded |= {s for s, (made, _) in self._known.items() if made.is_trading}
            for made, _ in await joining.filters(self._asker, self._left | self._known):
                await self._take(made)
        finally:
            budget.end("contracts")

    async def _take(self, made: Instrument) -> None:
        """List a contract as it was read; one that is to trade first, once it is set as wanted."""
        symbol, settings = made.symbol, self._settings
        is_new = made.is_trading and symbol in self._known and symbol not in self._has_traded
        if settings is None or not is_new:
            self._list(made)
            return
        leverage = await joining.set_up_late(self._asker, settings, symbol)
        if leverage is None:
            made = msgspec.structs.replace(made, status=NOT_SET_UP)
        self._list(made, leverage)

    def _list(self, made: Instrument, leverage: int | None = None) -> None:
        """List a contract as it is now; without a leverage it keeps the one that it has."""
        kept = self._known if made.symbol in self._known else self._left
        if leverage is None:
            leverage = kept[made.symbol][1]
        kept[made.symbol] = (made, leverage)
        self._tell(made, leverage)
