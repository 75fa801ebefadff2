"""A strategy's wish about an order of its own that is open already."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .signal import SignalGenerated
from .values import MAIN, AccountId, ClOrdId, StrategyId


class OrderWish(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What a strategy would like to become of one of its own open entries.

    It is to be taken back (`is_cancel`), or amended; None keeps the quantity or the price. Amounts
    are rounded as a signal's are: a buy's price down, a sell's up, the quantity down to the lot.
    """

    strategy_id: StrategyId
    cl_ord_id: ClOrdId
    is_cancel: bool = False
    qty: Decimal | None = None
    price: Decimal | None = None
    reason: str = ""
    ts: int = 0
    account: AccountId = MAIN


Wish = SignalGenerated | OrderWish
"""All that a strategy may ask for."""
