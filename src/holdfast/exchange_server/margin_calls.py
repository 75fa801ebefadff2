"""Warn an account whose margin is nearly used up, once each time it comes to that."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ..exchange import Exchange, SymbolMargin
from ..model.values import ZERO, AccountId, Symbol, plain
from . import frames_user as wire
from .frames import encode, ms
from .user_events import UserEvent

WARN_AT = Decimal("0.8")
"""The maintenance margin as a part of the margin balance; at 1 comes the liquidation."""


class MarginCalls:
    """Remembers who was warned."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._warned: set[tuple[AccountId, str]] = set()

    def due(self, account: AccountId, now: int) -> Iterator[UserEvent]:
        """Yield the warnings that have come due since the last look at this account."""
        isolated = [row for row in self._rows(account) if row.is_isolated]
        for row in isolated:
            place = f"{row.position.symbol}/{row.position.side.value}"
            if self._is_new(account, place, row.maintenance, row.isolated_margin):
                asset = self._assets()[row.position.symbol]
                yield self._call(account, asset, [row], now)
        for asset in self._exchange.balances(account):
            pool = self._exchange.pool(account, asset)
            if asset != min(pool):
                continue  # told of with the pool's first
            margin = self._exchange.pool_margin(account, asset)
            if self._is_new(account, asset, margin.cross_maintenance, margin.cross_balance):
                cross = [
                    row
                    for row in self._rows(account)
                    if not row.is_isolated and self._assets()[row.position.symbol] in pool
                ]
                yield self._call(account, asset, cross, now)

    def _is_new(
        self, account: AccountId, what: str, maintenance: Decimal, balance: Decimal
    ) -> bool:
        """Tell whether a warning is due that was not given yet."""
        key = (account, what)
        if not ZERO < maintenance >= WARN_AT * balance:
            self._warned.discard(key)
            return False
        is_new = key not in self._warned
        self._warned.add(key)
        return is_new

    def _rows(self, account: AccountId) -> list[SymbolMargin]:
        margin = self._exchange.symbol_margin
        return [margin(account, p.symbol, p.side) for p in self._exchange.held(account)]

    def _assets(self) -> dict[Symbol, str]:
        return {each.symbol: each.margin_asset for each in self._exchange.instruments()}

    def _call(
        self, account: AccountId, asset: str, rows: list[SymbolMargin], now: int
    ) -> UserEvent:
        wallet = self._exchange.margin(account, asset).cross_wallet
        called = [
            wire.CalledPosition(
                symbol=row.position.symbol,
                position_side=row.position.side.value,
                qty=plain(row.position.qty),
                margin_type="ISOLATED" if row.is_isolated else "CROSSED",
                isolated_wallet=plain(row.position.isolated_wallet),
                mark=plain(row.mark),
                unrealized=plain(row.unrealized),
                maintenance=plain(row.maintenance),
            )
            for row in rows
        ]
        frame = wire.MarginCall(sent=ms(now), cross_wallet=plain(wallet), positions=called)
        return UserEvent(account, "MARGIN_CALL", encode(frame))
