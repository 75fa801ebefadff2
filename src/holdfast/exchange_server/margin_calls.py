"""Warn an account whose margin is nearly used up, once each time it comes to that."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ..exchange import Exchange
from ..model.values import ZERO, AccountId, plain
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
        for asset in self._exchange.balances(account):
            margin = self._exchange.margin(account, asset)
            is_close = margin.maintenance > ZERO and (
                margin.maintenance >= WARN_AT * margin.balance
            )
            key = (account, asset)
            if not is_close:
                self._warned.discard(key)
            elif key not in self._warned:
                self._warned.add(key)
                yield self._call(account, asset, margin.wallet, now)

    def _call(self, account: AccountId, asset: str, wallet: Decimal, now: int) -> UserEvent:
        assets = {each.symbol: each.margin_asset for each in self._exchange.instruments()}
        rows = []
        for held in self._exchange.positions(account):
            if assets[held.symbol] == asset:
                row = self._exchange.symbol_margin(account, held.symbol)
                rows.append(
                    wire.CalledPosition(
                        symbol=held.symbol,
                        qty=plain(held.qty),
                        mark=plain(row.mark),
                        unrealized=plain(row.unrealized),
                        maintenance=plain(row.maintenance),
                    )
                )
        frame = wire.MarginCall(sent=ms(now), cross_wallet=plain(wallet), positions=rows)
        return UserEvent(account, "MARGIN_CALL", encode(frame))
