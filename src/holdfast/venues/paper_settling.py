"""The end of a contract on paper."""

from __future__ import annotations

from decimal import Decimal

from ..exchange import Exchange
from ..model.instrument import UNLISTED
from ..model.values import AccountId, Symbol

GONE = frozenset({UNLISTED, "SETTLING", "DELIVERING", "DELIVERED", "CLOSE"})
"""What a contract's status is once the venue settles what is open in it."""


def settling_price(exchange: Exchange, account: AccountId, symbol: Symbol) -> Decimal | None:
    """Return the price at which a contract is settled: its mark.

    Where it ended while nobody was there, no market tells one any more: what is held is worth what
    it was opened at then, or it would stay open for ever. None where neither is there.
    """
    mark = exchange.mark_price(symbol)
    held = (each.entry_price for each in exchange.positions(account) if each.symbol == symbol)
    return next(held, None) if mark is None else mark
