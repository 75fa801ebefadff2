"""One position by average cost, and what it has earned and cost."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ..model import events as ev
from ..model.ids import is_settlement
from ..model.margin import book_fill
from ..model.values import ZERO


class PositionState(msgspec.Struct):
    """Signed quantity (short is negative), average entry price, and totals in the margin asset.

    Fees that were paid in another asset are in the account's books alone.
    """

    qty: Decimal = ZERO
    entry_price: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    opened_ts: int = 0
    updated_ts: int = 0
    settled_ts: int = 0  # when the venue's ledger, or its own order, last told of a settlement
    traded_ts: int = 0  # the venue's time of its latest execution

    def apply_fill(self, fill: ev.OrderFilled, margin_asset: str) -> None:
        """Book one execution. The profit is the venue's figure, which is what the wallet saw."""
        before = self.qty
        booked = book_fill(before, self.entry_price, fill.qty * fill.side.sign, fill.price)
        self.qty, self.entry_price = booked.qty, booked.entry_price
        self.realized_pnl += fill.realized_pnl
        if fill.fee_asset == margin_asset:
            self.fees += fill.fee
        self.updated_ts = fill.ts
        self.traded_ts = max(self.traded_ts, fill.venue_ts)
        if is_settlement(fill.cl_ord_id):
            self.settled_ts = max(self.settled_ts, fill.venue_ts)
        if before * self.qty <= ZERO:
            self.opened_ts = fill.ts if self.qty else 0

    def apply_settlement(self, fact: ev.SettlementPaid) -> None:
        """Book what the end of the contract brought; that the position is gone comes apart."""
        if fact.is_fee:
            self.fees -= fact.amount
        else:
            self.realized_pnl += fact.amount
        self.settled_ts = max(self.settled_ts, fact.venue_ts)

    def adopt(self, fact: ev.PositionAdopted) -> None:
        """Take over what the venue has."""
        self.qty, self.entry_price = fact.qty, fact.entry_price
        self.opened_ts = fact.ts if fact.qty else 0
        self.updated_ts = fact.ts
