"""What falls due by itself: good-till dates and announced funding."""

from __future__ import annotations

from ..model.values import OrderStatus
from . import consequences, funding
from .books import NEVER, Books
from .orders import Expiry


def be_due(books: Books, now: int) -> None:
    """Let everything that is due by now happen."""
    for account in books.accounts.values():
        for order in tuple(account.orders.values()):
            if order.asked.expire_ts is not None and order.asked.expire_ts <= now:
                books.end(order, OrderStatus.EXPIRED, now, expiry=Expiry.TIME)
    for market in books.markets.values():
        if market.instrument.can_be_closed and funding.is_due(books, market, now):
            funding.pay(books, market, market.rate, market.next_funding_ts, now)
            consequences.on_balance(books, market, now)
    set_alarm(books, now)


def set_alarm(books: Books, now: int) -> None:
    """Note when something falls due next."""
    due = [
        order.asked.expire_ts
        for account in books.accounts.values()
        for order in account.orders.values()
        if order.asked.expire_ts is not None
    ]
    due += [m.next_funding_ts for m in books.markets.values() if m.next_funding_ts > now]
    books.alarm = min(due, default=NEVER)
