"""What happens when a position or an account no longer covers its maintenance margin.

A liquidated position is taken over at its mark by an order `autoclose-N`, for the liquidation
fee. The cross wallet loses no more than it has, an isolated position no more than is isolated:
insurance covers the rest. Deleveraging (`adl_autoclose`) closes a position that is in order,
because the liquidation of another one needs a counterparty; here it only comes on order.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from ..model.margin import maintenance_margin
from ..model.values import (
    NS_PER_S,
    ZERO,
    ClOrdId,
    NewOrder,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
    TimeInForce,
)
from .books import Books, Fill
from .ledger import (
    Account,
    Position,
    Rough,
    cross_wallet,
    liquidation_at,
    symbol_margin,
)
from .market import Market
from .orders import Expiry, PositionSide, VenueOrder
from .pools import make_up, pool_margin, pool_of

LIQUIDATION_PREFIX = "autoclose-"
ADL_PREFIX = "adl_autoclose"


PATIENCE_NS = 60 * NS_PER_S
"""How long what is held is waited for behind a restart, once the market has begun to speak."""


class Closing(NamedTuple):
    """How the exchange itself closes a position."""

    cl_ord_id: ClOrdId
    qty: Decimal
    fee_rate: Decimal
    reason: str
    price: Decimal | None = None  # where it is not the mark


_CLOSE = 1.05
"""Balance over maintenance below which the exact sums are worked out."""


def level(books: Books, market: Market, account: Account, side: PositionSide) -> Decimal | None:
    """Return the mark at which a position is liquidated, all other symbols as they are."""
    asset, default = market.instrument.margin_asset, books.default_leverage
    rows = [symbol_margin(account, market, default, each) for each in account.sides]
    row = symbol_margin(account, market, default, side)
    total = pool_margin(books, account, asset)
    return liquidation_at(rows, row, total, market.instrument)


def watch(books: Books, market: Market, now: int) -> None:
    """Look at every position that is held here, roughly first, then exactly."""
    asset, symbol = market.instrument.margin_asset, market.instrument.symbol
    for holder in tuple(market.holders):
        if holder not in market.holders:
            continue  # gone with the account's other one
        account = books.accounts[holder[0]]
        if symbol in account.isolated:
            _watch_isolated(books, market, account.position(symbol, holder[1]), now)
            continue
        may_be = may_be_bankrupt(books, account, asset, now)
        if may_be and pool_margin(books, account, asset).is_bankrupt:
            liquidate(books, account, asset, now)


def _watch_isolated(books: Books, market: Market, position: Position, now: int) -> None:
    qty, mark = float(position.qty), market.display.mark_float()
    balance = float(position.isolated_wallet) + qty * (mark - float(position.entry_price))
    if not market.is_heard:
        return
    if mark > 0.0 and balance > rough_maintenance(market, abs(qty) * mark) * _CLOSE:
        return
    account = books.accounts[position.account]
    row = symbol_margin(account, market, books.default_leverage, position.side)
    if row.is_bankrupt:
        liquidate_isolated(books, account, position, now)


def may_be_bankrupt(books: Books, account: Account, asset: str, now: int) -> bool:
    """Tell, roughly and on the safe side, whether the exact sums must be worked out.

    Behind a restart nobody is judged by the marks of some of the symbols: what the others have
    made up for meanwhile is not known before each was heard of. What is halted tells nothing, and
    what is silent may stay so: they are worth what they were.
    """
    is_patient = now <= (books.heard_since or now) + PATIENCE_NS
    balance = maintenance = 0.0
    for each in pool_of(books, account, asset):
        rough = cross_positions(books, account, each)
        balance += float(account.wallets.get(each, ZERO)) - rough.isolated
        for market, qty, entry in rough.held:
            mark = market.display.worth_float() or entry
            if is_patient and not market.is_heard and market.instrument.can_be_closed:
                return False
            balance += qty * (mark - entry)
            maintenance += rough_maintenance(market, abs(qty) * mark)
    return maintenance > 0.0 and balance < maintenance * _CLOSE


def cross_positions(books: Books, account: Account, asset: str) -> Rough:
    """Return an account's cross positions, which are remembered until one changes."""
    known = account.rough.get(asset)
    if known is not None:
        return known
    isolated, held = 0.0, []
    for position in account.held():
        market = books.markets[position.symbol]
        if market.instrument.margin_asset != asset:
            continue
        if position.symbol in account.isolated:
            isolated += float(position.isolated_wallet)
        else:
            held.append((market, float(position.qty), float(position.entry_price)))
    rough = account.rough[asset] = Rough(isolated, held)
    return rough


def rough_maintenance(market: Market, notional: float) -> float:
    """Return a position's maintenance margin in float."""
    first = market.first_bracket
    if first is None:
        return 0.0
    cap, ratio = first
    if notional <= cap:
        return notional * ratio
    return float(maintenance_margin(market.instrument.brackets, Decimal(notional)))


def liquidate(books: Books, account: Account, asset: str, now: int) -> None:
    """End every order, close every cross position at its mark, let insurance cover what lacks.

    All that the same wallets stand for: see `pools`.
    """
    assets = pool_of(books, account, asset)

    def is_meant(symbol: Symbol) -> bool:
        return books.markets[symbol].instrument.margin_asset in assets

    _end_orders(books, account, lambda each: is_meant(each.symbol), now)
    for position in account.held():
        if is_meant(position.symbol) and position.symbol not in account.isolated:
            _take_over(books, position, now)
    for each in assets:
        left = cross_wallet(account, books.markets, each)
        if left < ZERO and (owed := make_up(books, account, each, -left, now)):
            books.move_wallet(account, each, owed, "insurance", now)


def cover(books: Books, account: Account, asset: str, now: int) -> None:
    """Let insurance make up for what an account owes that has nothing left to stand for it.

    A stop that was triggered past a gap may lose more than there is before liquidation comes.
    """
    owed = -account.wallets.get(asset, ZERO)
    if owed <= ZERO:
        return
    held = {books.markets[each.symbol].instrument.margin_asset for each in account.held()}
    if asset not in held:
        owed = make_up(books, account, asset, owed, now)
    if owed and held.isdisjoint(pool_of(books, account, asset)):
        books.move_wallet(account, asset, owed, "insurance", now)


def liquidate_isolated(books: Books, account: Account, position: Position, now: int) -> None:
    """End the position's orders and close it; what it lost beyond its wallet is not its owner's."""
    asset = books.markets[position.symbol].instrument.margin_asset
    _end_orders(books, account, _of(position), now)
    before = cross_wallet(account, books.markets, asset)
    _take_over(books, position, now)
    lost = before - cross_wallet(account, books.markets, asset)
    if lost > ZERO:
        books.move_wallet(account, asset, lost, "insurance", now)


def deleverage(books: Books, position: Position, qty: Decimal, now: int) -> None:
    """Close a part of a position at its mark, without a fee, and end the orders around it."""
    _end_orders(books, books.accounts[position.account], _of(position), now)
    qty = min(qty, abs(position.qty))
    close(books, position, Closing(ClOrdId(ADL_PREFIX), qty, ZERO, "deleveraging"), now)


def _of(position: Position) -> Callable[[VenueOrder], bool]:
    place = position.symbol, position.side
    return lambda order: (order.symbol, order.position_side) == place


def _end_orders(
    books: Books, account: Account, is_meant: Callable[[VenueOrder], bool], now: int
) -> None:
    for order in tuple(account.orders.values()):
        if is_meant(order):
            books.end(order, OrderStatus.EXPIRED, now, expiry=Expiry.LIQUIDATION)


def _take_over(books: Books, position: Position, now: int) -> None:
    cl_ord_id = ClOrdId(f"{LIQUIDATION_PREFIX}{books.next_id('autoclose')}")
    rate = books.markets[position.symbol].instrument.liquidation_fee
    close(books, position, Closing(cl_ord_id, abs(position.qty), rate, "liquidation"), now)


def close(books: Books, position: Position, how: Closing, now: int) -> None:
    """Close a position, or a part of it, by an order of the exchange's own."""
    market = books.markets[position.symbol]
    side = Side.SELL if position.qty > ZERO else Side.BUY
    # A mark that was never heard: the entry price counted as it.
    mark = market.display.worth() or position.entry_price
    price = how.price or market.instrument.round_price(mark, side.opposite)
    asked = NewOrder(
        cl_ord_id=how.cl_ord_id,
        symbol=position.symbol,
        side=side,
        qty=how.qty,
        order_type=OrderType.LIMIT,
        price=price,
        time_in_force=TimeInForce.IOC,
        reduce_only=position.side is not PositionSide.BOTH,
        account=position.account,
    )
    order = VenueOrder(
        asked=asked,
        order_type=OrderType.LIMIT,
        qty=asked.qty,
        price=price,
        order_id=books.next_id("order_id"),
        created_ts=now,
        updated_ts=now,
        position_side=position.side,
        reason=how.reason,
    )
    books.open_order(order)
    trade_id = books.next_id("trade_id")
    books.fill(order, Fill(order.qty, price, now, trade_id, forced_rate=how.fee_rate))
