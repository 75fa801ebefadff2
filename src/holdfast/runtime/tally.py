"""What strategies hold, counted from the fills that the bus tells of, where nobody keeps books."""

from __future__ import annotations

from decimal import Decimal

from ..engine.order import Order
from ..model.events import OrderFilled
from ..model.ids import parse_cl_ord_id
from ..model.values import ZERO, ClOrdId, StrategyId, Symbol
from ..strategies.context import OrderUpdate
from .attached import id_on_wire


class FillTally:
    """The `View` of a runner on its own. It knows no orders, and no equity: that is 0."""

    def __init__(self) -> None:
        self._held: dict[tuple[StrategyId, Symbol], Decimal] = {}

    def count(self, fill: OrderFilled) -> None:
        """Book a fill on the strategy that its client order id names."""
        owner = parse_cl_ord_id(fill.cl_ord_id)
        if owner is not None:
            key = (owner.strategy, fill.symbol)
            self._held[key] = self._held.get(key, ZERO) + fill.qty * fill.side.sign

    def position(self, strategy_id: StrategyId, symbol: Symbol) -> Decimal:
        return self._held.get((id_on_wire(strategy_id), symbol), ZERO)

    def equity(self) -> Decimal:
        return ZERO

    def orders(self, strategy_id: StrategyId, symbol: Symbol | None) -> list[Order]:
        return []

    def parts(self, strategy_id: StrategyId, symbol: Symbol | None) -> list[OrderUpdate]:
        return []

    def order(self, cl_ord_id: ClOrdId) -> Order | None:
        return None
