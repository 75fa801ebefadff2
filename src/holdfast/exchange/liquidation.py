"""What happens when an account no longer covers its maintenance margin."""

from __future__ import annotations

from decimal import Decimal

from ..model.margin import maintenance_margin
from ..model.values import (
    ZERO,
    AccountId,
    ClOrdId,
    NewOrder,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from .books import Books, Fill
from .ledger import Account, account_margin
from .market import Market
from .orders import Expiry, VenueOrder

_CLOSE = 1.05
"""Balance over maintenance below which the exact sums are worked out."""


def watch(books: Books, market: Market, now: int) -> None:
    """Look at every account that holds a position here, roughly first, then exactly."""
    for account_id in tuple(market.holders):
        account = books.accounts[account_id]
        asset = market.instrument.margin_asset
        if _may_be_bankrupt(books, account, asset):
            margin = account_margin(account, books.markets, asset, books.default_leverage)
            if margin.is_bankrupt:
                liquidate(books, account, asset, now)


def _may_be_bankrupt(books: Books, account: Account, asset: str) -> bool:
    balance = float(account.wallets.get(asset, ZERO))
    maintenance = 0.0
    for symbol, position in account.positions.items():
        market = books.markets[symbol]
        if not position.qty or market.instrument.margin_asset != asset:
            continue
        qty = float(position.qty)
        mark = market.display.mark_float()
        if not mark > 0.0:
            continue
        balance += qty * (mark - float(position.entry_price))
        maintenance += _rough_maintenance(market, abs(qty) * mark)
    return maintenance > 0.0 and balance < maintenance * _CLOSE


def _rough_maintenance(market: Market, notional: float) -> float:
    first = market.first_bracket
    if first is None:
        return 0.0
    cap, ratio = first
    if notional <= cap:
        return notional * ratio
    return float(maintenance_margin(market.instrument.brackets, Decimal(notional)))


def liquidate(books: Books, account: Account, asset: str, now: int) -> None:
    """End every order, close every position at its mark, and let insurance cover what lacks."""
    for order in tuple(account.orders.values()):
        if books.markets[order.symbol].instrument.margin_asset == asset:
            books.end(order, OrderStatus.EXPIRED, now, expiry=Expiry.LIQUIDATION)
    for symbol, position in tuple(account.positions.items()):
        market = books.markets[symbol]
        if position.qty and market.instrument.margin_asset == asset:
            _close(books, account.account_id, market, position.qty, now)
    wallet = account.wallets[asset]
    if wallet < ZERO:
        books.move_wallet(account, asset, -wallet, "insurance", now)


def _close(books: Books, account: AccountId, market: Market, qty: Decimal, now: int) -> None:
    side = Side.SELL if qty > ZERO else Side.BUY
    mark = market.display.mark_price()
    if mark is None:  # never heard: its entry price counted as the mark
        mark = books.accounts[account].positions[market.instrument.symbol].entry_price
    price = market.instrument.round_price(mark, side.opposite)
    asked = NewOrder(
        cl_ord_id=ClOrdId(f"autoclose-{books.next_id('autoclose')}"),
        symbol=market.instrument.symbol,
        side=side,
        qty=abs(qty),
        order_type=OrderType.LIMIT,
        price=price,
        time_in_force=TimeInForce.IOC,
        account=account,
    )
    order = VenueOrder(
        asked=asked,
        order_type=OrderType.LIMIT,
        qty=asked.qty,
        price=price,
        order_id=books.next_id("order_id"),
        created_ts=now,
        updated_ts=now,
        reason="liquidation",
    )
    books.open_order(order)
    trade_id = books.next_id("trade_id")
    books.fill(order, Fill(order.qty, price, now, trade_id, is_liquidation=True))
