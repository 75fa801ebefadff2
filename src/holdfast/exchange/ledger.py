"""An account's wallet and positions, and the margin that follows from them (cross, one-way)."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ..model.instrument import Instrument
from ..model.margin import (
    book_fill,
    initial_margin,
    liquidation_price,
    maintenance_margin,
    unrealized_pnl,
)
from ..model.values import ZERO, AccountId, ClOrdId, Side, Symbol
from .market import Market
from .orders import VenueOrder

DEFAULT_LEVERAGE = 20


class Position(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One symbol's position; `qty` is signed, `entry_fees` were paid for what is still open."""

    account: AccountId
    symbol: Symbol
    qty: Decimal = ZERO
    entry_price: Decimal = ZERO
    entry_fees: Decimal = ZERO
    realized: Decimal = ZERO

    def book(self, signed: Decimal, price: Decimal, fee: Decimal) -> Decimal:
        """Apply a fill and return the profit that it realized, before the fee."""
        before = self.qty
        self.qty, self.entry_price, realized = book_fill(before, self.entry_price, signed, price)
        if before * signed >= ZERO:
            self.entry_fees += fee
        elif before * self.qty > ZERO:
            self.entry_fees *= self.qty / before
        else:
            self.entry_fees = fee * self.qty / signed  # a flip opens with its own part of the fee
        self.realized += realized
        return realized

    @property
    def break_even_price(self) -> Decimal:
        """Return the price at which closing without a fee would have cost nothing."""
        return self.entry_price + self.entry_fees / self.qty if self.qty else ZERO


class Account:
    """One customer of the exchange."""

    __slots__ = ("account_id", "closed", "leverages", "orders", "positions", "wallets")

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self.wallets: dict[str, Decimal] = {}
        self.leverages: dict[Symbol, int] = {}
        self.positions: dict[Symbol, Position] = {}  # flat ones stay for their history
        self.orders: dict[ClOrdId, VenueOrder] = {}  # the open ones
        self.closed: dict[ClOrdId, VenueOrder] = {}  # oldest first

    def position(self, symbol: Symbol) -> Position:
        """Return the position of a symbol, a flat one where there has been none."""
        found = self.positions.get(symbol)
        if found is None:
            found = self.positions[symbol] = Position(account=self.account_id, symbol=symbol)
        return found

    def qty(self, symbol: Symbol) -> Decimal:
        found = self.positions.get(symbol)
        return found.qty if found is not None else ZERO


class SymbolMargin(msgspec.Struct, frozen=True, kw_only=True):
    """What one symbol ties up. Amounts in the margin asset."""

    position: Position
    leverage: int
    mark: Decimal
    notional: Decimal  # signed
    unrealized: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal
    bid_notional: Decimal  # open buys, reduce-only ones excepted
    ask_notional: Decimal


class AccountMargin(msgspec.Struct, frozen=True, kw_only=True):
    """The sums over all symbols of one margin asset."""

    wallet: Decimal
    unrealized: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal

    @property
    def balance(self) -> Decimal:
        return self.wallet + self.unrealized

    @property
    def headroom(self) -> Decimal:
        """Return what new orders may tie up; negative when positions have eaten into it."""
        return self.balance - self.position_margin - self.order_margin

    @property
    def available(self) -> Decimal:
        return max(ZERO, self.headroom)

    @property
    def is_bankrupt(self) -> bool:
        """Tell whether the maintenance margin is no longer covered."""
        return self.maintenance > ZERO and self.balance <= self.maintenance


def tied_up(notional: Decimal, bids: Decimal, asks: Decimal, leverage: int) -> Decimal:
    """Return the initial margin of a position and its orders: the worse side counts."""
    return initial_margin(max(abs(notional + bids), abs(notional - asks)), leverage)


def symbol_margin(account: Account, market: Market, default_leverage: int) -> SymbolMargin:
    """Work out one symbol. Without any price the entry price stands in for the mark."""
    symbol = market.instrument.symbol
    position = account.positions.get(symbol) or Position(account=account.account_id, symbol=symbol)
    leverage = account.leverages.get(symbol, default_leverage)
    mark = market.display.mark_price() or position.entry_price
    notional = position.qty * mark
    bids, asks = _open_notional(market, account.account_id)
    held = initial_margin(notional, leverage)
    return SymbolMargin(
        position=position,
        leverage=leverage,
        mark=mark,
        notional=notional,
        unrealized=unrealized_pnl(position.qty, position.entry_price, mark),
        position_margin=held,
        order_margin=max(ZERO, tied_up(notional, bids, asks, leverage) - held),
        maintenance=maintenance_margin(market.instrument.brackets, abs(notional)),
        bid_notional=bids,
        ask_notional=asks,
    )


def _open_notional(market: Market, account: AccountId) -> tuple[Decimal, Decimal]:
    sums = {Side.BUY: ZERO, Side.SELL: ZERO}
    for order in (*market.buys, *market.sells):
        if order.account == account and not order.asked.reduce_only:
            assert order.price is not None
            sums[order.side] += order.leaves_qty * order.price
    return sums[Side.BUY], sums[Side.SELL]


def account_margin(
    account: Account, markets: dict[Symbol, Market], asset: str, default_leverage: int
) -> AccountMargin:
    """Sum up every symbol that settles in `asset`."""
    rows = [
        symbol_margin(account, market, default_leverage)
        for market in markets.values()
        if market.instrument.margin_asset == asset and market.concerns(account.account_id)
    ]
    return AccountMargin(
        wallet=account.wallets.get(asset, ZERO),
        unrealized=sum((row.unrealized for row in rows), ZERO),
        position_margin=sum((row.position_margin for row in rows), ZERO),
        order_margin=sum((row.order_margin for row in rows), ZERO),
        maintenance=sum((row.maintenance for row in rows), ZERO),
    )


def liquidation_at(
    row: SymbolMargin, total: AccountMargin, instrument: Instrument
) -> Decimal | None:
    """Return the mark at which this position takes the account down, all others as they are."""
    return liquidation_price(
        row.position.qty,
        row.position.entry_price,
        total.wallet,
        instrument.brackets,
        other_maintenance=total.maintenance - row.maintenance,
        other_unrealized=total.unrealized - row.unrealized,
    )
