"""What stands for positions at the other venue, and what it closes of itself.

Cross positions share the wallet; an isolated one has a margin of its own, that is a part of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from . import rows
from .orders import Refused, exact

ZERO = Decimal(0)
MAINTENANCE = Decimal("0.004")


class Margin:
    """A part of the books, which have the rest."""

    is_hedged: bool

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def set_mode(self, symbol, is_isolated):
        if is_isolated == (symbol in self.isolated):
            raise Refused(-4046, "No need to change margin type.")
        if self.open_orders(symbol) or self.open_algos(symbol):
            raise Refused(-4047, "Margin type cannot be changed if there exists open orders.")
        if self.position(symbol).qty:
            raise Refused(-4048, "Margin type cannot be changed if there exists position.")
        (self.isolated.add if is_isolated else self.isolated.discard)(symbol)
        self.positions.pop(symbol, None)
        self.tell(rows.moved_event(self, symbol, self.now(), "MARGIN_TYPE_CHANGE"))

    def set_hedged(self, *, is_hedged):
        if is_hedged == self.is_hedged:
            raise Refused(-4059, "No need to change position side.")
        if self.open_orders() or self.open_algos():
            raise Refused(-4067, "Position side cannot be changed if there exists open orders.")
        if any(held.qty for held in self.positions.values()):
            raise Refused(-4068, "Position side cannot be changed if there exists position.")
        self.is_hedged = is_hedged

    def _keep_margin(self, symbol, held, was, price):
        """Put margin beside what opened, and give back what closed had."""
        held.is_isolated = symbol in self.isolated
        if not held.is_isolated:
            return
        is_flat_or_turned = was * held.qty <= 0
        kept = ZERO if is_flat_or_turned else held.margin * min(abs(held.qty / was), Decimal(1))
        added = abs(held.qty) - (ZERO if is_flat_or_turned else min(abs(was), abs(held.qty)))
        held.margin = exact(kept + added * price / self.leverages.get(symbol, 20))

    def cross_wallet(self, asset="USDT"):
        isolated = sum(held.margin for held in self.positions.values()) if asset == "USDT" else ZERO
        return self.wallets[asset] - isolated

    def move_margin(self, symbol, amount):
        """Put margin to an isolated position by hand, or take some away."""
        self.positions[symbol].margin += Decimal(amount)
        self.tell(rows.moved_event(self, symbol, self.now(), "MARGIN_TRANSFER"))

    def call_margin(self, symbol):
        """Warn of a liquidation."""
        held, mark = self.position(symbol), self.prices[symbol]
        self.tell(rows.call_event(self, symbol, held, mark))

    # What the venue closes of itself

    def taken_over(self, symbol, name, price):
        """Let the venue end all orders of a symbol and close its position (liquidate, settle)."""
        self.end_orders(symbol, "7" if name.startswith("settle") else "5")
        self.closed_by_venue(symbol, name, [(abs(self.position(symbol).qty), price)])

    def end_orders(self, symbol, why="5"):
        for order in self.open_orders(symbol):
            self._end(order, "EXPIRED", why)
        for algo in self.open_algos(symbol):
            self._tell_algo(algo, "EXPIRED")

    def closed_by_venue(self, symbol, name, parts):
        """Close some of a position by one order: parts are (quantity, price)."""
        parts = [(Decimal(qty), Decimal(price)) for qty, price in parts]
        side = "SELL" if self.position(symbol).qty > 0 else "BUY"
        given = {"symbol": symbol, "side": side, "quantity": sum(qty for qty, _ in parts)}
        order = self._make({**given, "price": parts[0][1]}, name, "LIMIT", "IOC")
        self.orders[order.symbol, order.order_id] = order
        if "taken_over_words" in self.habits:
            event = rows.order_event(order, "NEW", self.now())
            event["o"]["X"] = "NEW_ADL" if name.startswith("adl") else "NEW_INSURANCE"
            self.tell(event)
        with self._matching():
            for qty, price in parts:
                self._fill(order, qty, price, is_maker=False, what="CALCULATED")

    def insured(self, symbol, amount):
        """Pay what a liquidation costs, or a loss beyond the margin back."""
        self._pay(Decimal(amount), "INSURANCE_CLEAR", symbol)
        event = rows.moved_event(self, symbol, self.now(), "INSURANCE_CLEAR", Decimal(amount))
        self.tell(event)
