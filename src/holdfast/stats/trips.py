"""Round trips: from flat to flat again, as the fills tell it.

A fill past zero ends one trip and begins the next: its fee is shared by quantity, its realized
profit belongs to the trip that it ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ..model.events import Event, OrderFilled, PositionAdopted, SettlementPaid
from ..model.instrument import as_money
from ..model.values import ZERO, AccountId, Key, Side, StrategyId, Symbol
from .context import FOREIGN, Context


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """One trip that has ended. `side` is the entry's; prices are averages over the fills.

    An exit price of zero: nothing of it left by a fill. `gross_pnl` is what was booked to the
    wallet before fees, `fees` are those paid in the margin asset. Funding is in neither.
    """

    account: AccountId
    symbol: Symbol
    side: Side
    strategy_id: StrategyId  # of the order that opened it
    entry_ts: int
    exit_ts: int
    qty: Decimal  # everything that was entered
    entry_price: Decimal
    exit_price: Decimal
    gross_pnl: Decimal
    fees: Decimal

    @property
    def net_pnl(self) -> Decimal:
        """Return the profit with fees taken off."""
        return self.gross_pnl - self.fees


class OpenTrip(msgspec.Struct):
    """A trip under way; it changes with every fill."""

    key: Key
    side: Side
    strategy_id: StrategyId
    entry_ts: int
    entered: Decimal = ZERO
    left: Decimal = ZERO
    entry_quote: Decimal = ZERO
    exit_quote: Decimal = ZERO
    gross_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    unpriced: Decimal = ZERO  # of what left: it went without a fill

    @property
    def qty(self) -> Decimal:
        """Return what is still open."""
        return self.entered - self.left

    def enter(self, qty: Decimal, price: Decimal) -> None:
        """Add to the position."""
        self.entered += qty
        self.entry_quote += qty * price

    def leave(self, qty: Decimal, price: Decimal) -> None:
        """Take from the position."""
        self.left += qty
        self.exit_quote += qty * price

    def lose(self, qty: Decimal) -> None:
        """Take from the position what left it without a fill."""
        self.left += qty
        self.unpriced += qty

    def book(self, profit: Decimal, fee: Decimal) -> None:
        """Count what the wallet saw."""
        self.gross_pnl += profit
        self.fees += fee

    def end(self, ts: int) -> RoundTrip:
        """Sum the trip up."""
        return RoundTrip(
            account=self.key[0],
            symbol=self.key[1],
            side=self.side,
            strategy_id=self.strategy_id,
            entry_ts=self.entry_ts,
            exit_ts=ts,
            qty=self.entered,
            entry_price=self.entry_quote / self.entered if self.entered else ZERO,
            exit_price=self.exit_quote / sold if (sold := self.left - self.unpriced) else ZERO,
            gross_pnl=self.gross_pnl,
            fees=self.fees,
        )


class RoundTrips:
    """Fold facts into round trips, one at a time under each (account, symbol).

    Args:
        context: one that already hears every fact from somebody else; None keeps its own.
        trips: those under way, to go on from.
    """

    def __init__(
        self, context: Context | None = None, trips: dict[Key, OpenTrip] | None = None
    ) -> None:
        self.open: dict[Key, OpenTrip] = trips or {}
        self._context = context or Context()
        self._feeds_context = context is None

    def apply(self, fact: Event) -> RoundTrip | None:
        """Take one fact in; return the trip that it ended."""
        if self._feeds_context:
            self._context.apply(fact)
        match fact:
            case OrderFilled():
                return self._fill(fact)
            case PositionAdopted():
                return self._adopt(fact)
            case SettlementPaid():
                self._settle(fact)
                return None
            case _:
                return None

    def _fill(self, fill: OrderFilled) -> RoundTrip | None:
        key = (fill.account, fill.symbol)
        margin_asset = self._context.margin_asset_of(key)
        fee = fill.fee if fill.fee_asset == margin_asset else ZERO
        profit = fill.realized_pnl
        trip, opened, ended = self.open.get(key), fill.qty, None
        if trip is not None and trip.side is not fill.side:
            closed = min(fill.qty, trip.qty)
            opened -= closed
            share = as_money(fee * closed / fill.qty) if opened else fee
            trip.leave(closed, fill.price)
            trip.book(profit, share)
            profit, fee = ZERO, fee - share
            if not trip.qty:
                ended = self.open.pop(key).end(fill.ts)
        if opened:
            owner = self._context.owner_of(fill.cl_ord_id)
            trip = self.open.setdefault(key, OpenTrip(key, fill.side, owner, fill.ts))
            trip.enter(opened, fill.price)
            trip.book(profit, fee)
        return ended

    def _settle(self, fact: SettlementPaid) -> None:
        """Count what the end of the contract brought; that the position is gone comes behind it."""
        key = (fact.account, fact.symbol)
        trip = self.open.get(key)
        if trip is None or fact.asset != self._context.margin_asset_of(key):
            return
        if fact.is_fee:
            trip.book(ZERO, -fact.amount)
        else:
            trip.book(fact.amount, ZERO)

    def _adopt(self, fact: PositionAdopted) -> RoundTrip | None:
        """Follow a position that was set without a fill."""
        key = (fact.account, fact.symbol)
        side = Side.BUY if fact.qty > ZERO else Side.SELL
        trip, ended = self.open.get(key), None
        if trip is not None and (not fact.qty or trip.side is not side):
            ended = self.open.pop(key).end(fact.ts)
        if fact.qty:
            trip = self.open.setdefault(key, OpenTrip(key, side, FOREIGN, fact.ts))
            change = abs(fact.qty) - trip.qty
            if change > ZERO:
                trip.enter(change, fact.entry_price)
            else:
                trip.lose(-change)
        return ended


def round_trips(facts: Iterable[Event]) -> list[RoundTrip]:
    """Return all trips that ended, in the order in which they did."""
    fold = RoundTrips()
    ended = [fold.apply(fact) for fact in facts]
    return [trip for trip in ended if trip is not None]
