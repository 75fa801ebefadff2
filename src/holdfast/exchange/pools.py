"""Which wallets stand for which positions.

In single-asset mode each wallet stands for what settles in its asset. In multi-assets mode the
dollars are one: they count one for one, without a haircut, and what one of them lacks the others
make up for. Any other asset stands for its own contracts alone.
"""

from __future__ import annotations

from decimal import Decimal

from ..model.instrument import DOLLARS
from ..model.values import ZERO
from .books import Books
from .ledger import Account, AccountMargin, account_margin, cross_wallet


def pool_of(books: Books, account: Account, asset: str) -> tuple[str, ...]:
    """Return the assets that stand for an asset's cross positions, itself first."""
    if not account.is_multi_assets or asset not in DOLLARS:
        return (asset,)
    settled = (market.instrument.margin_asset for market in books.markets.values())
    found = dict.fromkeys((asset, *account.wallets, *settled))
    return tuple(each for each in found if each in DOLLARS)


def pool_margin(books: Books, account: Account, asset: str) -> AccountMargin:
    """Sum up all that settles in the assets of a pool."""
    total, *others = (
        account_margin(account, books.markets, each, books.default_leverage)
        for each in pool_of(books, account, asset)
    )
    for other in others:
        total = total + other
    return total


def make_up(books: Books, account: Account, asset: str, owed: Decimal, now: int) -> Decimal:
    """Let the other wallets of a pool pay what one owes; return what is left of it."""
    for other in pool_of(books, account, asset)[1:]:
        paid = min(owed, max(ZERO, cross_wallet(account, books.markets, other)))
        if paid > ZERO:
            books.move_wallet(account, other, -paid, "auto_exchange", now)
            books.move_wallet(account, asset, paid, "auto_exchange", now)
            owed -= paid
    return owed
