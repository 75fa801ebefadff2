"""What all frames share: how numbers and times are written, and one encoder for them all."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..model.instrument import Instrument
from ..model.values import NS_PER_MS, plain

USD_M = 1
"""The `st` of USD-margined contracts; 2 would be coin-margined."""

encode = msgspec.json.Encoder().encode


def ms(ts: int) -> int:
    """Return nanoseconds as the milliseconds of the wire."""
    return ts // NS_PER_MS


class Digits(NamedTuple):
    """How many decimals a symbol's prices and quantities are written with."""

    price: int
    qty: int

    @classmethod
    def of(cls, instrument: Instrument) -> Digits:
        return cls(decimals(instrument.tick), decimals(instrument.lot))

    def px(self, price: float | Decimal) -> str:
        return f"{price:.{self.price}f}"

    def amount(self, qty: float | Decimal) -> str:
        """Write a quantity; exactly where it is of a finer lot than the present one."""
        text = f"{qty:.{self.qty}f}"
        if isinstance(qty, Decimal) and decimals(qty) > self.qty:
            return plain(qty)
        return text

    def value(self, notional: float | Decimal) -> str:
        """Write a price times a quantity, exactly for one trade."""
        return f"{notional:.{self.price + self.qty}f}"


def decimals(step: Decimal) -> int:
    """Return how many decimals a multiple of a tick or a lot can have."""
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int), f"a step must be finite, was {step}"
    return max(0, -exponent)
