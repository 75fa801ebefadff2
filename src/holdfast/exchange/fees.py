"""In which asset a fee is paid: the margin asset, or BNB where the account wants it so.

Paid in BNB a fee is a tenth less. It is paid there while there is enough; a fee that the exchange
takes for what it has itself closed is not.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from ..model.instrument import Instrument, as_money
from ..model.values import ZERO, Symbol

if TYPE_CHECKING:
    from .books import Books
    from .ledger import Account

BURNT, BURNT_IN = "BNB", Symbol("BNBUSDT")
PRICE = Decimal(600)
"""Of BNB, where its contract is not listed or has no price yet."""

SHARE = Decimal("0.9")


class Fee(NamedTuple):
    """What one execution costs; `own` is what of it is paid in the margin asset, all or nothing."""

    amount: Decimal
    asset: str
    own: Decimal


def fee_of(
    books: Books, account: Account, instrument: Instrument, worth: Decimal, *, is_forced: bool
) -> Fee:
    """Return what is paid, and in which asset, for a fee of so much of the margin asset."""
    plain = Fee(worth, instrument.margin_asset, worth)
    if is_forced or not account.burns_fees or worth <= ZERO:
        return plain
    amount = as_money(worth * SHARE / _price(books))
    is_enough = ZERO < amount <= account.wallets.get(BURNT, ZERO)
    return Fee(amount, BURNT, ZERO) if is_enough else plain


def _price(books: Books) -> Decimal:
    market = books.markets.get(BURNT_IN)
    return (market.display.mark_price() if market else None) or PRICE
