"""Funding: at its time, longs pay shorts the rate times their notional at the mark."""

from __future__ import annotations

from ..model.instrument import as_money
from ..model.market import MarkPrice
from ..model.messages import FundingPayment
from ..model.values import NS_PER_S, ZERO, to_decimal
from .books import Books
from .market import Market

SAME_FUNDING_NS = 1800 * NS_PER_S
"""Two announcements nearer than this mean the same funding: recorded times jitter."""


def announce(market: Market, message: MarkPrice) -> None:
    """Remember the rate that is forecast for the next funding."""
    if message.next_funding_ts is not None and message.funding_rate is not None:
        market.rate = message.funding_rate
        market.next_funding_ts = message.next_funding_ts


def is_due(market: Market, now: int) -> bool:
    """Tell whether an announced funding has come and has not been paid."""
    return 0 < market.next_funding_ts <= now and _is_new(market, market.next_funding_ts)


def _is_new(market: Market, ts: int) -> bool:
    return ts >= market.funded_ts + SAME_FUNDING_NS


def pay(books: Books, market: Market, rate: float, due_ts: int, now: int) -> None:
    """Book one funding for every holder, once."""
    mark = market.display.mark_price()
    if not _is_new(market, due_ts) or mark is None:
        return
    market.funded_ts = due_ts
    books.mark_market(market.instrument.symbol)
    for account_id, qty in tuple(market.holders.items()):
        amount = as_money(-qty * mark * to_decimal(rate))
        if amount != ZERO:
            payment = FundingPayment(
                account=account_id,
                symbol=market.instrument.symbol,
                amount=amount,
                payment_id=f"funding-{market.instrument.symbol}-{due_ts}",
                venue_ts=now,
                asset=market.instrument.margin_asset,
            )
            _book(books, payment)


def _book(books: Books, payment: FundingPayment) -> None:
    account, asset, amount = books.accounts[payment.account], payment.asset, payment.amount
    books.pay(account, asset, amount)
    update = books.wallet_update(
        account, asset, payment.venue_ts, reason="FUNDING_FEE", change=amount
    )
    books.say(update)
    books.record_income(payment)
