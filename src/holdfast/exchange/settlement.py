"""The end of a contract: it is halted, settled, and taken off the list.

Binance documents a settlement's client order id (`settlement_autoclose-`) and a kind of income
(DELIVERED_SETTELMENT, in its spelling), and not which of its lists show which: both ways are here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ..model.messages import SettlementPayment
from ..model.values import ZERO, ClOrdId, NewOrder, OrderStatus
from . import liquidation
from . import refusals as no
from .books import Books
from .ledger import Account, Position, leverage_of
from .market import Market
from .orders import Expiry, PositionSide
from .refusals import Refusal

SETTLEMENT_PREFIX = "settlement_autoclose-"


class Terms(NamedTuple):
    """How a contract is settled: at which price and fee, and told as what.

    `is_trade` closes each position by an order of the exchange's own, which is listed with its
    execution; else the position is gone, and the income list has one row.
    """

    price: Decimal
    fee_rate: Decimal = ZERO
    is_trade: bool = True


def refusal_of(order: NewOrder, side: PositionSide, market: Market) -> Refusal | None:
    """Return why a contract's status keeps an order out; None where it does not."""
    instrument = market.instrument
    if instrument.is_trading:
        return None
    text = f"{instrument.symbol} is {instrument.status}"
    if not (order.reduce_only or side.is_closed_by(order.side)):
        return Refusal(no.NOT_OPENING, text)
    return None if instrument.can_be_closed else Refusal(no.SYMBOL_CLOSED, text)


def settle(books: Books, market: Market, terms: Terms, now: int) -> None:
    """End every order of a contract and close every position in it at one price."""
    symbol = market.instrument.symbol
    for account in books.accounts.values():
        for order in tuple(account.orders.values()):
            if order.symbol == symbol:
                books.end(order, OrderStatus.EXPIRED, now, expiry=Expiry.DELISTED)
    for account_id, side in tuple(market.holders):
        account = books.accounts[account_id]
        position = account.position(symbol, side)
        if terms.is_trade:
            name = ClOrdId(f"{SETTLEMENT_PREFIX}{books.next_id('autoclose')}")
            how = liquidation.Closing(
                name, abs(position.qty), terms.fee_rate, "settlement", terms.price
            )
            liquidation.close(books, position, how, now)
        else:
            _pay_out(books, account, position, terms.price, now)
        liquidation.cover(books, account, market.instrument.margin_asset, now)


def _pay_out(books: Books, account: Account, position: Position, price: Decimal, now: int) -> None:
    """Let a position be gone, and book what it has earned as income."""
    market, before = books.markets[position.symbol], position.qty
    asset = market.instrument.margin_asset
    realized = position.book(-before, price, ZERO)
    if position.symbol in account.isolated:
        position.isolate(before, price, leverage_of(account, market, books.default_leverage))
    books.pay(account, asset, realized)
    books.mark_position(position)
    books.say(books.position_update(position, now, reason="ADJUSTMENT", change=realized))
    of_side = "" if position.side is PositionSide.BOTH else f"{position.side.value}-"
    payment = SettlementPayment(
        account=account.account_id,
        symbol=position.symbol,
        amount=realized,
        settlement_id=f"settlement-{position.symbol}-{of_side}{books.next_id('change_id')}",
        venue_ts=now,
        asset=asset,
    )
    books.record_income(payment)
