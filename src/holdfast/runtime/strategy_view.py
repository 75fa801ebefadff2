"""The books as strategies may see them."""

from __future__ import annotations

from decimal import Decimal

from ..engine.engine import Engine
from ..engine.holdings import holding
from ..engine.order import Order
from ..engine.parts import going_on
from ..model.values import MAIN, AccountId, ClOrdId, OrderRole, StrategyId, Symbol
from ..strategies.context import OrderUpdate
from .attached import Behind
from .order_updates import whole


class StrategyView:
    """What a strategy may see of the books."""

    def __init__(self, engine: Engine, account: AccountId = MAIN) -> None:
        self._engine = engine
        self._account = account
        self.behind: Behind | None = None

    def position(self, strategy_id: StrategyId, symbol: Symbol) -> Decimal:
        """Return what the strategy holds, signed."""
        return holding(self._engine.state, (self._account, symbol), strategy_id)

    def equity(self) -> Decimal:
        """Return the account's wallets and open profit, dollars of all kinds one for one."""
        if self.behind is not None:
            self.behind.catch_up()
        return self._engine.core.exposure.shown_equity(self._account)

    def orders(self, strategy_id: StrategyId, symbol: Symbol | None) -> list[Order]:
        """Return a strategy's open entries, oldest first; None: of all symbols."""
        state = self._engine.state
        if symbol is None:
            found = sorted(state.all_open_orders(), key=lambda order: order.created_ts)
        else:
            found = state.open_orders_of((self._account, symbol))
        return [order for order in found if self._is_entry_of(strategy_id, order)]

    def parts(self, strategy_id: StrategyId, symbol: Symbol | None) -> list[OrderUpdate]:
        """Return what of a strategy's goes on in parts, oldest first; None: of all symbols."""
        key = None if symbol is None else (self._account, symbol)
        state = self._engine.state
        return [
            whole(state, parent)
            for parent in going_on(state, key)
            if parent.strategy_id == strategy_id and parent.key[0] == self._account
        ]

    def _is_entry_of(self, strategy_id: StrategyId, order: Order) -> bool:
        request = order.request
        is_its_own = request.strategy_id == strategy_id and request.account == self._account
        return is_its_own and request.role is OrderRole.ENTRY and order.is_ours

    def order(self, cl_ord_id: ClOrdId) -> Order | None:
        """Return an order, None when it is not remembered."""
        return self._engine.state.orders.get(cl_ord_id)
