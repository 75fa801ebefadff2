"""Guess a contract's tick and lot by the decimals that its numbers are written with."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from ..model.instrument import Instrument, split_symbol
from ..model.values import Symbol

DECIMALS_MAX = 10


class Decimals:
    """The most decimals seen in a symbol's prices and quantities, trailing zeros aside."""

    def __init__(self) -> None:
        self.price = 0
        self.qty = 0

    def see(self, prices: Iterable[str], qtys: Iterable[str]) -> None:
        """Look at some texts; what is no number is left to the reader to refuse."""
        self.price = max(self.price, *map(decimals_of, prices), 0)
        self.qty = max(self.qty, *map(decimals_of, qtys), 0)

    def add(self, other: Decimals) -> None:
        """Take in what was seen in another file."""
        self.price = max(self.price, other.price)
        self.qty = max(self.qty, other.qty)

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return the contract that these decimals speak of."""
        base, quote = split_symbol(symbol)
        lot = Decimal(1).scaleb(-self.qty)
        return Instrument(
            symbol=symbol,
            base_asset=base,
            quote_asset=quote,
            margin_asset=quote,
            tick=Decimal(1).scaleb(-self.price),
            lot=lot,
            min_qty=lot,
        )


def decimals_of(text: str) -> int:
    """Count the decimals of a number's text; 0 where it is none."""
    whole, _, fraction = text.strip().partition(".")
    if whole.isdigit() and (fraction.isdigit() or not fraction):
        return min(len(fraction.rstrip("0")), DECIMALS_MAX)
    try:  # an exponent, or no number
        exponent = Decimal(text).normalize().as_tuple().exponent
    except InvalidOperation:
        return 0
    return min(max(0, -exponent), DECIMALS_MAX) if isinstance(exponent, int) else 0
