"""The liquidation price of a hedged symbol: its long and its short position share one mark.

Source: Binance's FAQ "How to calculate liquidation price of USDⓈ-M Futures Contracts", the terms
of the two sides; with one side alone it is `model.margin.liquidation_price`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from ..model.instrument import Bracket
from ..model.margin import MAX_BRACKET_STEPS, bracket_of
from ..model.values import ZERO


class Leg(NamedTuple):
    """One side's position; `qty` is signed."""

    qty: Decimal
    entry_price: Decimal


class Cushion(NamedTuple):
    """What stands for the positions: the wallet, and what other symbols take and give."""

    wallet: Decimal
    other_maintenance: Decimal
    other_unrealized: Decimal


def liquidation_price(
    legs: Sequence[Leg], cushion: Cushion, brackets: Sequence[Bracket]
) -> Decimal | None:
    """Return the mark at which the margin balance meets the maintenance margin of all legs.

    None when no price above zero liquidates: as much long as short can't be, by the mark alone.
    """
    if not brackets:
        return None
    price = legs[0].entry_price
    for _ in range(MAX_BRACKET_STEPS):
        chosen = [bracket_of(brackets, abs(leg.qty) * max(price, ZERO)) for leg in legs]
        found = _at(legs, cushion, chosen)
        if found is None:
            return None
        price = found
        if chosen == [bracket_of(brackets, abs(leg.qty) * max(price, ZERO)) for leg in legs]:
            break
    return price if price > ZERO else None


def _at(legs: Sequence[Leg], cushion: Cushion, brackets: Sequence[Bracket]) -> Decimal | None:
    spare = cushion.wallet - cushion.other_maintenance + cushion.other_unrealized
    slope = ZERO
    for leg, bracket in zip(legs, brackets, strict=True):
        spare += bracket.cum - leg.qty * leg.entry_price
        slope += abs(leg.qty) * bracket.maint_margin_ratio - leg.qty
    return spare / slope if slope else None
