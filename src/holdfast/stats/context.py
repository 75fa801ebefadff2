"""What a fill does not say itself: whose order it was, and what its contract settles in."""

from __future__ import annotations

import msgspec

from ..model.events import Event, InstrumentDefined, OrderAdopted, OrderSubmitted
from ..model.ids import parse_cl_ord_id
from ..model.instrument import split_symbol
from ..model.values import AccountId, ClOrdId, Key, StrategyId

FOREIGN = StrategyId("foreign")
"""The owner of fills that are no order of ours: liquidations, other programs."""

OWNERS_REMEMBERED = 10_000
"""Orders whose strategy is remembered in full; of older ones the id says it, shortened."""


class Context(msgspec.Struct):
    """Owners of orders and margin assets of contracts, as far as the facts have told."""

    _owners: dict[ClOrdId, StrategyId] = {}
    _margin_assets: dict[Key, str] = {}

    def apply(self, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case OrderSubmitted() | OrderAdopted():
                self._owners[fact.order.cl_ord_id] = fact.order.strategy_id
                if len(self._owners) > OWNERS_REMEMBERED:
                    del self._owners[next(iter(self._owners))]
            case InstrumentDefined():
                key = (fact.account, fact.instrument.symbol)
                self._margin_assets[key] = fact.instrument.margin_asset
            case _:
                pass

    def owner_of(self, cl_ord_id: ClOrdId) -> StrategyId:
        """Return the strategy of an order: as submitted, else as its id says, else `FOREIGN`."""
        if cl_ord_id in self._owners:
            return self._owners[cl_ord_id]
        owner = parse_cl_ord_id(cl_ord_id)
        return owner.strategy if owner else FOREIGN

    def margin_asset_of(self, key: Key) -> str:
        """Return the asset that profit is booked in; by its name for an undefined contract."""
        return self._margin_assets.get(key) or split_symbol(key[1])[1]

    def first_margin_asset(self, account: AccountId) -> str:
        """Return the asset of the first contract; what is shown of an account is in it."""
        for key, asset in self._margin_assets.items():
            if key[0] == account:
                return asset
        return "USDT"

    def shown_asset(self) -> str:
        """Return the asset of the very first contract: what is shown of all accounts is in it."""
        return next(iter(self._margin_assets.values()), "USDT")

    def is_margin_asset(self, asset: str) -> bool:
        """Tell whether some contract settles in the asset; any may while none is defined."""
        return not self._margin_assets or asset in self._margin_assets.values()
