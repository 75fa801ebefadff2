"""Trades in the place of a bar, where a feed has nothing finer: the public sees a tape."""

from __future__ import annotations

from collections.abc import Iterator

from ..exchange.bars import corners
from ..model.market import Bar, Trade
from .tape import Tape


def trades_of_bar(bar: Bar, tape: Tape) -> Iterator[Trade]:
    """Yield and write into the tape four trades: open, the two extremes, close.

    Each has a fourth of the volume; the taker bought where the price has risen. Their time is
    the bar's end, when it became known, less the little that keeps them inside the bar.
    """
    before = bar.open
    for price in corners(bar):
        trade = Trade(
            symbol=bar.symbol,
            ts=bar.ts - 1,
            price=price,
            qty=bar.volume / 4,
            trade_id=tape.draw_trade_id(),
            is_buyer_maker=price < before,
        )
        before = price
        tape.on_trade(trade)
        yield trade
