"""What a strategy is shown of the world around it, and of its own orders."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from ..model.market import Bar
from ..model.values import ZERO, ClOrdId, OrderStatus, Side, StrategyId, Symbol


class OrderUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """How one of the strategy's orders stands now. `avg_px` is None before a fill was heard.

    `price` is the present limit, None of an order at the market. `is_canceling` tells that it is
    being taken back, `is_amending` that an amendment was asked for and not answered yet.
    """

    cl_ord_id: ClOrdId
    symbol: Symbol
    side: Side
    status: OrderStatus
    qty: Decimal
    cum_qty: Decimal = ZERO
    avg_px: Decimal | None = None
    reason: str = ""
    price: Decimal | None = None
    is_canceling: bool = False
    is_amending: bool = False


class Context(Protocol):
    """The strategy's window. All answers are as of the message that is being handled."""

    @property
    def strategy_id(self) -> StrategyId: ...

    @property
    def symbols(self) -> Sequence[Symbol]: ...

    @property
    def timeframes(self) -> Sequence[str]:
        """Return what bars come in; the feed's default where the strategy named none."""

    @property
    def is_warming_up(self) -> bool:
        """Tell whether the bars are history: signals are swallowed meanwhile."""

    def now(self) -> int:
        """Return nanoseconds UTC: the market's time, never the wall clock's."""

    def position(self, symbol: Symbol) -> Decimal:
        """Return the quantity held, short negative."""

    def equity(self) -> Decimal: ...

    def orders(self, symbol: Symbol | None = None) -> list[OrderUpdate]:
        """Return the strategy's own open entries, oldest first; None: of all its symbols."""

    def parts(self, symbol: Symbol | None = None) -> list[OrderUpdate]:
        """Return the strategy's own entries that go on in parts, each as a whole, oldest first.

        `cl_ord_id` is the whole's number, which `cancel` takes: nothing more of it is sent then.
        """

    def history(self, symbol: Symbol, timeframe: str, count: int) -> list[Bar]:
        """Return up to `count` of the last closed bars, oldest first, this one included."""

    def log(self, text: str) -> None: ...
