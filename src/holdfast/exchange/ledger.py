"""An account's wallet and positions, and the margin that follows from them.

A position is cross, and the account's whole cross wallet stands for it, or isolated, and then its
own `isolated_wallet` stands for it alone. That is a part of the account's wallet: opening takes
the initial margin out of the cross wallet, closing gives the closed share back; fees and profits
are the cross wallet's, funding the isolated one's. A hedged account has a long and a short
position of a symbol.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..model.instrument import Instrument, as_money
from ..model.margin import (
    book_fill,
    initial_margin,
    liquidation_price,
    maintenance_margin,
    unrealized_pnl,
)
from ..model.values import ZERO, AccountId, ClOrdId, Side, Symbol
from . import legs
from .market import Market
from .orders import PositionSide, VenueOrder

DEFAULT_LEVERAGE = 20

PositionKey = tuple[Symbol, PositionSide]

ONE_WAY = (PositionSide.BOTH,)
HEDGED = (PositionSide.LONG, PositionSide.SHORT)


class Position(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One position; `qty` is signed, `entry_fees` were paid for what is still open."""

    account: AccountId
    symbol: Symbol
    side: PositionSide = PositionSide.BOTH
    qty: Decimal = ZERO
    entry_price: Decimal = ZERO
    entry_fees: Decimal = ZERO
    realized: Decimal = ZERO
    isolated_wallet: Decimal = ZERO

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

    def isolate(self, before: Decimal, price: Decimal, leverage: int) -> None:
        """Move margin in or out of the isolated wallet after a fill from `before`."""
        if before * self.qty < ZERO or not before:
            self.isolated_wallet = as_money(initial_margin(self.qty * price, leverage))
        elif abs(self.qty) < abs(before):
            self.isolated_wallet = as_money(self.isolated_wallet * self.qty / before)
        else:
            self.isolated_wallet += as_money(initial_margin((self.qty - before) * price, leverage))

    @property
    def break_even_price(self) -> Decimal:
        """Return the price at which closing without a fee would have cost nothing."""
        return self.entry_price + self.entry_fees / self.qty if self.qty else ZERO


class Rough(NamedTuple):
    """What stands for the cross positions of one margin asset, in float, for quick looks."""

    isolated: float  # of the wallet
    held: list[tuple[Market, float, float]]  # quantity and entry price of each cross position


class Account:
    """One customer of the exchange."""

    __slots__ = (
        "account_id",
        "burns_fees",
        "closed",
        "is_hedged",
        "is_multi_assets",
        "isolated",
        "leverages",
        "orders",
        "positions",
        "replaced",
        "rough",
        "wallets",
    )

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self.is_hedged = False
        self.is_multi_assets = False
        self.burns_fees = False  # they are paid in BNB, for less, while there is enough of it
        self.wallets: dict[str, Decimal] = {}
        self.leverages: dict[Symbol, int] = {}
        self.isolated: dict[Symbol, None] = {}  # symbols whose margin is
        self.positions: dict[PositionKey, Position] = {}  # flat ones stay for their history
        self.orders: dict[ClOrdId, VenueOrder] = {}  # the open ones
        self.closed: dict[ClOrdId, VenueOrder] = {}  # oldest first
        self.replaced: dict[int, VenueOrder] = {}  # by their numbers; see `close`
        self.rough: dict[str, Rough] = {}  # by margin asset; empty when something has changed

    @property
    def sides(self) -> tuple[PositionSide, ...]:
        """Return which positions of a symbol there can be."""
        return HEDGED if self.is_hedged else ONE_WAY

    def position(self, symbol: Symbol, side: PositionSide = PositionSide.BOTH) -> Position:
        """Return a position to change, a flat one where there has been none."""
        found = self.positions[symbol, side] = self.seen(symbol, side)
        return found

    def seen(self, symbol: Symbol, side: PositionSide) -> Position:
        """Return a position to look at, a flat one where there has been none."""
        found = self.positions.get((symbol, side))
        return found or Position(account=self.account_id, symbol=symbol, side=side)

    def close(self, order: VenueOrder) -> None:
        """Keep an order that has ended; one that had its id before is asked for by number."""
        before = self.closed.pop(order.cl_ord_id, None)
        if before is not None:
            self.replaced[before.uid] = before
        self.closed[order.cl_ord_id] = order

    def qty(self, symbol: Symbol, side: PositionSide = PositionSide.BOTH) -> Decimal:
        found = self.positions.get((symbol, side))
        return found.qty if found is not None else ZERO

    def held(self) -> list[Position]:
        """Return the open positions."""
        return [each for each in self.positions.values() if each.qty]


class SymbolMargin(msgspec.Struct, frozen=True, kw_only=True):
    """What one position and its orders tie up. Amounts in the margin asset."""

    position: Position
    leverage: int
    is_isolated: bool
    mark: Decimal
    notional: Decimal  # signed
    unrealized: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal
    bid_notional: Decimal  # open buys, reduce-only ones excepted
    ask_notional: Decimal

    @property
    def isolated_margin(self) -> Decimal:
        """Return the margin balance of an isolated position; 0 of a cross one."""
        return self.position.isolated_wallet + self.unrealized if self.is_isolated else ZERO

    @property
    def is_bankrupt(self) -> bool:
        """Tell whether an isolated position no longer covers its maintenance margin."""
        return self.is_isolated and ZERO < self.maintenance >= self.isolated_margin


class AccountMargin(msgspec.Struct, frozen=True, kw_only=True):
    """The sums over all symbols of one margin asset; `cross_*` leave isolated positions out."""

    wallet: Decimal
    cross_wallet: Decimal
    unrealized: Decimal
    cross_unrealized: Decimal
    position_margin: Decimal
    cross_position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal
    cross_maintenance: Decimal

    def __add__(self, other: AccountMargin) -> AccountMargin:
        """Take two assets as one."""
        both = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return AccountMargin(
            **{f: a + b for f, (a, b) in zip(self.__struct_fields__, both, strict=True)}
        )

    @property
    def balance(self) -> Decimal:
        return self.wallet + self.unrealized

    @property
    def cross_balance(self) -> Decimal:
        return self.cross_wallet + self.cross_unrealized

    @property
    def headroom(self) -> Decimal:
        """Return what new orders may tie up; negative when positions have eaten into it."""
        return self.cross_balance - self.cross_position_margin - self.order_margin

    @property
    def available(self) -> Decimal:
        return max(ZERO, self.headroom)

    @property
    def is_bankrupt(self) -> bool:
        """Tell whether the maintenance margin of the cross positions is no longer covered."""
        return ZERO < self.cross_maintenance >= self.cross_balance


def tied_up(notional: Decimal, bids: Decimal, asks: Decimal, leverage: int) -> Decimal:
    """Return the initial margin of a position and its orders: the worse side counts."""
    return initial_margin(max(abs(notional + bids), abs(notional - asks)), leverage)


def leverage_of(account: Account, market: Market, default: int) -> int:
    """Return a symbol's leverage: what was chosen, and no more than the contract allows."""
    chosen = account.leverages.get(market.instrument.symbol, default)
    return chosen if market.max_leverage is None else min(chosen, market.max_leverage)


def symbol_margin(
    account: Account,
    market: Market,
    default_leverage: int,
    side: PositionSide = PositionSide.BOTH,
) -> SymbolMargin:
    """Work out one position. Where no mark was ever told the entry price stands in for it."""
    symbol = market.instrument.symbol
    position = account.seen(symbol, side)
    leverage = leverage_of(account, market, default_leverage)
    mark = market.display.worth() or position.entry_price
    notional = position.qty * mark
    bids, asks = _open_notional(market, account.account_id, side)
    held = initial_margin(notional, leverage)
    return SymbolMargin(
        position=position,
        leverage=leverage,
        is_isolated=symbol in account.isolated,
        mark=mark,
        notional=notional,
        unrealized=unrealized_pnl(position.qty, position.entry_price, mark),
        position_margin=held,
        order_margin=max(ZERO, tied_up(notional, bids, asks, leverage) - held),
        maintenance=maintenance_margin(market.instrument.brackets, abs(notional)),
        bid_notional=bids,
        ask_notional=asks,
    )


def _open_notional(
    market: Market, account: AccountId, position_side: PositionSide
) -> tuple[Decimal, Decimal]:
    sums = {Side.BUY: ZERO, Side.SELL: ZERO}
    for order in (*market.buys, *market.sells):
        is_own = order.account == account and order.position_side is position_side
        if is_own and not order.asked.reduce_only:
            assert order.price is not None
            sums[order.side] += order.leaves_qty * order.price
    return sums[Side.BUY], sums[Side.SELL]


def account_margin(
    account: Account, markets: dict[Symbol, Market], asset: str, default_leverage: int
) -> AccountMargin:
    """Sum up every symbol that settles in `asset`."""
    rows = list(_rows(account, markets, asset, default_leverage))
    cross = [row for row in rows if not row.is_isolated]
    return AccountMargin(
        wallet=account.wallets.get(asset, ZERO),
        cross_wallet=cross_wallet(account, markets, asset),
        unrealized=sum((row.unrealized for row in rows), ZERO),
        cross_unrealized=sum((row.unrealized for row in cross), ZERO),
        position_margin=sum((row.position_margin for row in rows), ZERO),
        cross_position_margin=sum((row.position_margin for row in cross), ZERO),
        order_margin=sum((row.order_margin for row in rows), ZERO),
        maintenance=sum((row.maintenance for row in rows), ZERO),
        cross_maintenance=sum((row.maintenance for row in cross), ZERO),
    )


def _rows(
    account: Account, markets: dict[Symbol, Market], asset: str, default_leverage: int
) -> Iterator[SymbolMargin]:
    for market in markets.values():
        if market.instrument.margin_asset == asset and market.concerns(account.account_id):
            for side in account.sides:
                yield symbol_margin(account, market, default_leverage, side)


def cross_wallet(account: Account, markets: dict[Symbol, Market], asset: str) -> Decimal:
    """Return what of a wallet is not isolated."""
    found = account.wallets.get(asset, ZERO)
    if not account.isolated:
        return found
    return found - sum(
        (
            each.isolated_wallet
            for each in account.positions.values()
            if markets[each.symbol].instrument.margin_asset == asset
        ),
        ZERO,
    )


def liquidation_at(
    rows: Sequence[SymbolMargin], row: SymbolMargin, total: AccountMargin, instrument: Instrument
) -> Decimal | None:
    """Return the mark at which a position is liquidated, all other symbols as they are.

    Args:
        rows: all of the account's positions in the symbol, `row` among them.
    """
    position = row.position
    if row.is_isolated:
        wallet = position.isolated_wallet
        return liquidation_price(position.qty, position.entry_price, wallet, instrument.brackets)
    cushion = legs.Cushion(
        wallet=total.cross_wallet,
        other_maintenance=total.cross_maintenance - sum((r.maintenance for r in rows), ZERO),
        other_unrealized=total.cross_unrealized - sum((r.unrealized for r in rows), ZERO),
    )
    held = [legs.Leg(r.position.qty, r.position.entry_price) for r in rows if r.position.qty]
    if len(held) > 1 and position.qty:
        return legs.liquidation_price(held, cushion, instrument.brackets)
    return liquidation_price(
        position.qty,
        position.entry_price,
        cushion.wallet,
        instrument.brackets,
        other_maintenance=cushion.other_maintenance,
        other_unrealized=cushion.other_unrealized,
    )
