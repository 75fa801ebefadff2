"""What the market shows, on its way into what the public can ask for."""

from __future__ import annotations

import msgspec

from ..model.market import Funding, MarketData, MarkPrice, Quote, Trade
from .price_candles import PriceCandles
from .tape import Tape


def note(tape: Tape, prices: PriceCandles, message: MarketData) -> MarketData:
    """Write a message into the tape; a trade gets the id that the public sees."""
    if isinstance(message, Trade):
        if message.trade_id < tape.draw_trade_id():
            message = msgspec.structs.replace(message, trade_id=tape.draw_trade_id())
        tape.on_trade(message)
        return message
    if isinstance(message, MarkPrice):
        tape.mark = message
        prices.on_mark(message)
        return message
    if isinstance(message, Funding):
        return message
    if isinstance(message, Quote):
        tape.quote = message
    tape.touch()
    return message
