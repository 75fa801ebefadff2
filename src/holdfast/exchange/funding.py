"""Funding: at its time, longs pay shorts the rate times their notional at the mark."""

from __future__ import annotations

from decimal import Decimal

from ..model.instrument import as_money
from ..model.market import Funding, MarkPrice
from ..model.messages import FundingPayment
from ..model.values import NS_PER_MS, NS_PER_S, ZERO, to_decimal
from . import liquidation
from .books import Books
from .coverage import LATE_NS, SAME_FUNDING_NS, Holder
from .liquidity import PRICE_MAX
from .market import Market, Settled
from .orders import PositionSide

HALF_INTERVAL_NS = 1_800 * NS_PER_S
"""Of the shortest that there is, at the market's own pace."""


def is_possible(rate: float) -> bool:
    """Tell whether a rate can be one; what is not a number can't."""
    return -1.0 < rate < 1.0


def announce(books: Books, market: Market, message: MarkPrice) -> None:
    """Remember the rate that is forecast for the next funding."""
    rate = message.funding_rate
    if message.next_funding_ts is not None and rate is not None and is_possible(rate):
        if books.leaves_late_funding:
            market.coverage.hear(message.ts, market.next_funding_ts, market.holders)
        market.rate = rate
        market.next_funding_ts = message.next_funding_ts


def is_due(books: Books, market: Market, now: int) -> bool:
    """Tell whether an announced funding has come and has not been paid."""
    return market.next_funding_ts <= now and is_unpaid(books, market)


def is_unpaid(books: Books, market: Market) -> bool:
    """Tell whether a funding is announced (else its time is 0) that has not been paid."""
    return _is_new(books, market, market.next_funding_ts)


def _is_new(books: Books, market: Market, ts: int) -> bool:
    return ts >= market.funded_ts + books.same_funding_ns


def same_funding_ns(speed: float) -> int:
    """Return within which time two announcements mean one funding, at the market's pace.

    It is half of the shortest interval at most. 0 is a market without a pace of its own.
    """
    return min(SAME_FUNDING_NS, round(HALF_INTERVAL_NS / speed)) if speed > 0.0 else NS_PER_MS


def pay(books: Books, market: Market, rate: float, due_ts: int, now: int) -> None:
    """Book one funding for every holder, once; a late one may be left to the venue's history."""
    mark = market.display.worth()
    if not _is_new(books, market, due_ts) or mark is None:
        return
    if not books.leaves_late_funding:
        market.coverage.unknown = ()  # nobody asks for what is unknown
    elif now > due_ts + LATE_NS:
        market.coverage.lose(now, market.holders)
        return
    market.funded_ts = due_ts
    market.coverage.charge(due_ts)
    market.fundings.append(Settled(due_ts, rate, mark))
    books.mark_market(market.instrument.symbol)
    pay_out_of_turn(books, market, rate, due_ts, now)


def pay_missed(books: Books, market: Market, missed: Funding, now: int) -> None:
    """Book a funding of the past at its own mark, once; who held then pays it now."""
    told, coverage = missed.mark_price, market.coverage
    is_usable = told is not None and 0.0 < told < PRICE_MAX and is_possible(missed.rate)
    if told is not None and is_usable and coverage.is_missing(missed.ts):
        market.funded_ts = max(market.funded_ts, missed.ts)
        coverage.charged = (*coverage.charged, missed.ts)
        books.mark_market(market.instrument.symbol)
        ts, mark = max(missed.ts, now), to_decimal(told)
        held = coverage.held_at(missed.ts)
        _pay(books, market, missed.rate, mark, missed.ts, ts, held)
        for account_id, _ in held or market.holders:  # nothing may be left that stands for it
            liquidation.cover(books, books.accounts[account_id], market.instrument.margin_asset, ts)


def pay_out_of_turn(books: Books, market: Market, rate: float, due_ts: int, now: int) -> None:
    """Book a funding whether or not its time has come; the next one comes all the same."""
    mark = market.display.worth()
    if mark is not None:
        _pay(books, market, rate, mark, due_ts, now)


def _pay(  # noqa: PLR0913, PLR0917 - what a funding consists of
    books: Books,
    market: Market,
    rate: float,
    mark: Decimal,
    due_ts: int,
    now: int,
    held: dict[Holder, Decimal] | None = None,
) -> None:
    symbol, held = market.instrument.symbol, market.holders if held is None else held
    for (account_id, side), qty in tuple(held.items()):
        amount = as_money(-qty * mark * to_decimal(rate))
        if amount == ZERO:
            continue
        of_side = "" if side is PositionSide.BOTH else f"-{side.value}"
        payment = FundingPayment(
            account=account_id,
            symbol=symbol,
            amount=amount,
            payment_id=f"funding-{symbol}{of_side}-{due_ts}",
            venue_ts=now,
            asset=market.instrument.margin_asset,
        )
        _book(books, payment, side)


def _book(books: Books, payment: FundingPayment, side: PositionSide) -> None:
    """Let the isolated wallet bear it, where there is one; else the cross wallet does."""
    account, asset, amount = books.accounts[payment.account], payment.asset, payment.amount
    ts = payment.venue_ts
    books.pay(account, asset, amount)
    if payment.symbol in account.isolated and account.qty(payment.symbol, side):
        position = account.position(payment.symbol, side)
        position.isolated_wallet += amount
        books.mark_position(position)
        update = books.position_update(position, ts, reason="FUNDING_FEE", change=amount)
    else:
        update = books.wallet_update(account, asset, ts, reason="FUNDING_FEE", change=amount)
    books.say(update)
    books.record_income(payment)
