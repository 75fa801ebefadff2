"""Margin, profit and liquidation of a linear perpetual contract, as pure formulas.

Source: Binance's USD-M futures rules (maintenance margin by brackets, FAQ "How to calculate
liquidation price of USDⓈ-M Futures Contracts"), checked against real positions in the tests.
Every quantity is signed: long is positive, short negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from .instrument import Bracket, as_money
from .values import ZERO

MAX_BRACKET_STEPS = 32
"""How often the liquidation price may change its bracket before it is taken as it is."""


class Booked(NamedTuple):
    """What a fill makes of a position: the new quantity and entry price, and the profit."""

    qty: Decimal
    entry_price: Decimal
    realized: Decimal


def book_fill(qty: Decimal, entry_price: Decimal, signed: Decimal, price: Decimal) -> Booked:
    """Apply a fill to a position by average cost.

    Adding averages the entry price; reducing realizes profit and leaves the entry price; a
    fill past zero closes first and opens the rest at its own price.

    Args:
        qty: position before.
        entry_price: its average price; ignored while flat.
        signed: the fill's quantity, sells negative.
        price: the fill's price.
    """
    total = qty + signed
    if qty * signed >= ZERO:
        average = (entry_price * qty + price * signed) / total if total else ZERO
        return Booked(total, average if qty else price, ZERO)
    direction = 1 if qty > ZERO else -1
    closed = min(abs(signed), abs(qty))
    realized = as_money(closed * (price - entry_price) * direction)
    if total * direction > ZERO:
        return Booked(total, entry_price, realized)
    return Booked(total, price if total else ZERO, realized)


def unrealized_pnl(qty: Decimal, entry_price: Decimal, mark: Decimal) -> Decimal:
    """Return the profit that closing at `mark` would realize, fees aside."""
    return qty * (mark - entry_price)


def bracket_of(brackets: Sequence[Bracket], notional: Decimal) -> Bracket:
    """Return the bracket a notional falls into; the last one past the end of the table."""
    for bracket in brackets:
        if notional <= bracket.notional_cap:
            return bracket
    return brackets[-1]


def maintenance_margin(brackets: Sequence[Bracket], notional: Decimal) -> Decimal:
    """Return what a position of this (absolute) notional must keep to stay open."""
    if not brackets:
        return ZERO
    bracket = bracket_of(brackets, notional)
    return max(ZERO, notional * bracket.maint_margin_ratio - bracket.cum)


def initial_margin(notional: Decimal, leverage: int) -> Decimal:
    """Return what a position of this (absolute) notional ties up."""
    return abs(notional) / leverage


def max_notional_at(brackets: Sequence[Bracket], leverage: int) -> Decimal | None:
    """Return the largest position this leverage allows; None where no bracket allows it."""
    caps = [b.notional_cap for b in brackets if b.max_leverage >= leverage]
    return max(caps) if caps else None


def liquidation_price(  # noqa: PLR0913 - the formula has so many terms
    qty: Decimal,
    entry_price: Decimal,
    wallet: Decimal,
    brackets: Sequence[Bracket],
    *,
    other_maintenance: Decimal = ZERO,
    other_unrealized: Decimal = ZERO,
) -> Decimal | None:
    """Return the mark price at which the margin balance meets the maintenance margin.

    Args:
        wallet: the cross wallet balance, or the isolated wallet of this position.
        other_maintenance: maintenance margin of all other cross positions; zero when isolated.
        other_unrealized: unrealized profit of all other cross positions; zero when isolated.

    Returns:
        None when flat or when no price above zero liquidates.
    """
    if not qty or not brackets:
        return None
    size, side = abs(qty), (1 if qty > ZERO else -1)
    bracket = bracket_of(brackets, size * entry_price)
    price = ZERO
    for _ in range(MAX_BRACKET_STEPS):
        cushion = wallet - other_maintenance + other_unrealized + bracket.cum
        slope = size * bracket.maint_margin_ratio - side * size
        price = (cushion - side * size * entry_price) / slope
        at_price = bracket_of(brackets, size * max(price, ZERO))
        if at_price is bracket:
            break
        bracket = at_price
    return price if price > ZERO else None
