"""What the exchange had to tell of the market: its trades by their numbers, and its touch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..exchange import OrderUpdate, Output
from ..exchange_server.tape import Tape
from ..exchange_server.venue import Venue
from ..model.market import MarketData, MarkPrice, Quote, Trade
from ..model.values import NS_PER_MS, Side, Symbol

Touch = tuple[int, float, float, float, float]
"""Milliseconds; bid, its quantity, ask, its quantity; 0 where a side is empty."""
Best = tuple[float, float] | None
"""Price and quantity; None where it takes a look at the levels."""


class Shown:
    """Notes it at the venue's core, before it is made into frames."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._trades: dict[Symbol, dict[int, Trade]] = defaultdict(dict)
        self._touches: dict[Symbol, set[Touch]] = defaultdict(set)
        self._before: dict[Symbol, tuple[Best, Best]] = {}
        venue.market_sinks.append(self._on_market)
        venue.sinks.append(self._on_outputs)

    def trade(self, symbol: Symbol, number: int) -> Trade | None:
        """Return a trade as the public is told of it; None where there was none."""
        found = self._trades[symbol].get(number)
        if found is None:
            return None
        digits = self._venue.tapes[symbol].digits
        return Trade(
            symbol,
            found.ts - found.ts % NS_PER_MS,
            float(digits.px(found.price)),
            float(digits.amount(found.qty)),
            number,
            found.is_buyer_maker,
        )

    def has_touched(self, quote: Quote) -> bool:
        """Tell whether the best bid and ask were these at that millisecond."""
        said = (quote.bid, quote.bid_qty, quote.ask, quote.ask_qty)
        return (quote.ts // NS_PER_MS, *said) in self._touches[quote.symbol]

    def _on_market(self, message: MarketData) -> None:
        tape = self._venue.tapes[message.symbol]
        if type(message) is Trade:
            number, told = tape.aggregates.number, self._trades[message.symbol]
            before = told.get(number)
            if before is None:
                told[number] = message
            else:  # trades that are told as one
                qty = before.qty + message.qty
                told[number] = Trade(
                    before.symbol, before.ts, before.price, qty, number, before.is_buyer_maker
                )
        elif type(message) is not MarkPrice:
            self._note_touch(tape)

    def _on_outputs(self, outputs: Sequence[Output], _: int) -> None:
        for symbol in {each.order.symbol for each in outputs if isinstance(each, OrderUpdate)}:
            self._note_touch(self._venue.tapes[symbol])

    def _note_touch(self, tape: Tape) -> None:
        touch = self._venue.exchange.touch
        both = touch(tape.symbol, Side.SELL), touch(tape.symbol, Side.BUY)
        if both == self._before.get(tape.symbol) and None not in both:
            return  # nobody is told what has not changed
        self._before[tape.symbol] = both
        bid, ask = self._written(tape, Side.SELL, both[0]), self._written(tape, Side.BUY, both[1])
        self._touches[tape.symbol].add((self._venue.now() // NS_PER_MS, *bid, *ask))

    def _written(self, tape: Tape, taker: Side, best: Best) -> tuple[float, float]:
        if best is not None:
            return float(tape.digits.px(best[0])), float(tape.digits.amount(best[1]))
        look = self._venue.asks if taker is Side.BUY else self._venue.bids
        levels = look(tape.symbol, 1)
        return (float(levels[0][0]), float(levels[0][1])) if levels else (0.0, 0.0)
