"""The levels of a symbol's book as texts, as questions are answered with them."""

from __future__ import annotations

from ..exchange import Exchange
from ..model.values import Side
from .tape import Tape

Level = tuple[str, str]
"""Price and quantity."""


def bids(exchange: Exchange, tape: Tape, levels_max: int) -> list[Level]:
    """Return the bids, best first."""
    return offered_to(exchange, tape, Side.SELL, levels_max)


def asks(exchange: Exchange, tape: Tape, levels_max: int) -> list[Level]:
    """Return the asks, best first."""
    return offered_to(exchange, tape, Side.BUY, levels_max)


def offered_to(exchange: Exchange, tape: Tape, taker: Side, levels_max: int) -> list[Level]:
    """Show what a taker can have, and no more: where any quantity can be had, the largest."""
    px, amount, most = tape.digits.px, tape.digits.amount, tape.instrument.max_market_qty
    offered = exchange.offered(tape.symbol, taker, levels_max)
    return [(px(price), amount(most if qty is None else qty)) for price, qty in offered]
