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

    Where it ended while nobody was there, no market tells one any more: what is held is worth the
    last mark of the life before then, or what it was opened at, or it would stay open for ever.
    None where nothing is held and no mark is there.
    """
    mark = exchange.mark_price(symbol)
    if mark is not None:
        return mark
    if all(each.symbol != symbol for each in exchange.held(account)):
        return None
    return exchange.symbol_margin(account, symbol).mark
