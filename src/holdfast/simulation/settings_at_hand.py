"""Somebody at the exchange's page sets one account otherwise, in the midst and between two lives.

Symbols are isolated and made cross again, isolated margin is moved, leverage is changed, hedge and
multi-assets mode are switched on and off. Each is tried as a person would: most are refused while
orders or positions stand in the way, and now and then the person clears the way first.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from ..exchange import PositionSide, Refusal
from ..model.values import ClOrdId, NewOrder, OrderRole, Side, Symbol
from .adversaries import Adversary
from .operator import STRANGER

if TYPE_CHECKING:
    from .world import World

PAUSE_S = (0.2, 3.0)
LEVERAGES = (2, 5, 10, 20, 50)
MOVES = (-60, -10, 15, 80)
"""How much margin is put into an isolated position, or taken out."""

BOLD = 0.3
"""How often the person clears the way first: cancels what is open and closes what is held."""


class SettingsAtHand(Adversary):
    """One person, who knows the page of preferences well."""

    name = "settings_at_hand"
    share: ClassVar[float] = 0.03

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._numbers = 0
        self._account = world.accounts.victim

    async def run(self) -> None:
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            self.act()

    def between(self) -> None:
        for _ in range(self.lots.randrange(4)):
            self.act()

    def act(self) -> None:
        """Set one thing, where the exchange lets it."""
        acts = (
            *(self._margin_type, self._margin_type, self._move_margin, self._move_margin),
            *(self._leverage, self._asset_mode, self._position_mode, self._trade, self._trade),
        )
        act, symbol = self.lots.choice(acts), self.lots.choice(self.world.market.symbols)
        if not self.world.bourse.is_down:
            act(symbol)

    def _done(self, refusal: Refusal | None, what: str) -> None:
        if refusal is None:
            self.strike(what)

    def _margin_type(self, symbol: Symbol) -> None:
        venue = self.world.bourse.venue
        is_isolated = self.lots.random() < 0.7
        if self.lots.random() < BOLD:
            self._clear(symbol)
        refusal = venue.set_margin_type(self._account, symbol, is_isolated=is_isolated)
        self._done(refusal, "isolated" if is_isolated else "cross")

    def _move_margin(self, symbol: Symbol) -> None:
        amount = Decimal(self.lots.choice(MOVES))
        found = self.world.bourse.venue.move_margin(
            self._account, symbol, PositionSide.BOTH, amount
        )
        self._done(found, "margin is moved")

    def _leverage(self, symbol: Symbol) -> None:
        leverage = self.lots.choice(LEVERAGES)
        self._done(
            self.world.bourse.venue.set_leverage(self._account, symbol, leverage),
            "leverage",
        )

    def _asset_mode(self, _: Symbol) -> None:
        is_on = self.lots.random() < 0.3
        if self.lots.random() < BOLD:
            self._cancel_all()
        refusal = self.world.bourse.venue.set_asset_mode(self._account, is_multi_assets=is_on)
        self._done(refusal, "multi-assets mode" if is_on else "single-asset mode")

    def _position_mode(self, _: Symbol) -> None:
        is_on = self.lots.random() < 0.3
        refusal = self.world.bourse.venue.set_position_mode(self._account, is_hedged=is_on)
        self._done(refusal, "hedge mode" if is_on else "one-way mode")

    def _trade(self, symbol: Symbol) -> None:
        """Buy or sell a little by hand: so a position stands in the way of being set back."""
        price = Decimal(repr(self.world.market.prices[symbol]))
        self._submit(symbol, self.lots.choice((Side.BUY, Side.SELL)), Decimal(200) / price)

    # Clearing the way

    def _clear(self, symbol: Symbol) -> None:
        self._cancel(symbol)
        held = self.world.accounts.qty(symbol)
        if held:
            side = Side.SELL if held > 0 else Side.BUY
            self._submit(symbol, side, abs(held), reduce_only=True)

    def _cancel_all(self) -> None:
        for symbol in self.world.market.symbols:
            self._cancel(symbol)

    def _cancel(self, symbol: Symbol) -> None:
        for is_conditional in (False, True):
            self.world.bourse.venue.cancel_all(self._account, symbol, is_conditional=is_conditional)

    def _submit(
        self, symbol: Symbol, side: Side, qty: Decimal, *, reduce_only: bool = False
    ) -> None:
        self._numbers += 1
        order = NewOrder(
            cl_ord_id=ClOrdId(f"{STRANGER}p{self._numbers}"),
            account=self._account,
            symbol=symbol,
            side=side,
            qty=self.world.instrument(symbol).round_qty(qty),
            reduce_only=reduce_only,
            role=OrderRole.EXIT if reduce_only else OrderRole.ENTRY,
        )
        if order.qty > 0:
            self.world.bourse.venue.submit(order)
            self.strike("a trade")

    def calm_down(self) -> None:
        """Leave the modes that a start refuses, whatever stands in the way of it."""
        venue = self.world.bourse.venue
        venue.set_position_mode(self._account, is_hedged=False)
        account = venue.exchange._books.account(self._account)  # noqa: SLF001 - else stops had to go
        if venue.set_asset_mode(self._account, is_multi_assets=False) and account.is_multi_assets:
            account.is_multi_assets = False
            for tell in venue.asset_mode_sinks:
                tell(self._account, False, venue.now())
