"""What the exchange had to tell of the market: its trades by their numbers, and its touch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..exchange import OrderUpdate, Output
from ..exchange_server.levels import offered_to
from ..exchange_server.tape import Tape
from ..exchange_server.venue import Venue
from ..model.market import MarketData, MarkPrice, Quote, Trade
from ..model.values import NS_PER_MS, Side, Symbol

Best = tuple[float, float]
"""A price and the quantity there; 0 where that side of the book is empty."""


class Shown:
    """Notes it at the venue's core, before it is made into frames."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._lives: list[dict[Symbol, dict[int, Trade]]] = [defaultdict(dict)]  # of the exchange
        self._touches: dict[Symbol, dict[int, list[tuple[Best, Best]]]] = defaultdict(dict)
        venue.market_sinks.append(self._on_market)
        venue.sinks.append(self._on_outputs)

    def restarted(self) -> None:
        """Hear that the exchange is another process: it counts its trades from one again."""
        self._lives.append(defaultdict(dict))

    def life_of(self, trade: Trade) -> int | None:
        """Return in which of the exchange's lives a trade was just that; None: in none."""
        lives = range(len(self._lives) - 1, -1, -1)
        symbol, number = trade.symbol, trade.trade_id
        return next((life for life in lives if self.trade(symbol, number, life) == trade), None)

    def trade(self, symbol: Symbol, number: int, life: int = -1) -> Trade | None:
        """Return a trade as the public is told of it; None where there was none."""
        found = self._lives[life][symbol].get(number)
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

    def candle(self, symbol: Symbol, open_ts: int, end_ts: int) -> Sequence[float]:
        """Return open, high, low, close, volume and count of a time; nothing where none traded."""
        found = [
            trade
            for life, told in enumerate(self._lives)
            for number, raw in told[symbol].items()
            if open_ts <= raw.ts < end_ts and (trade := self.trade(symbol, number, life))
        ]
        if not found:
            return ()
        prices, volume = [trade.price for trade in found], 0.0
        for trade in found:  # one by one, as bars are made: `sum` is more exact in later Pythons
            volume += trade.qty
        return prices[0], max(prices), min(prices), prices[-1], volume, len(found)

    def has_touched(self, quote: Quote) -> bool:
        """Tell whether the best bid and ask were these at that millisecond."""
        digits = self._venue.tapes[quote.symbol].digits
        said = [(quote.bid, quote.bid_qty), (quote.ask, quote.ask_qty)]
        return any(
            said == [(float(digits.px(px)), float(digits.amount(qty))) for px, qty in touch]
            for touch in self._touches[quote.symbol].get(quote.ts // NS_PER_MS, ())
        )

    def _on_market(self, message: MarketData) -> None:
        tape = self._venue.tapes[message.symbol]
        if type(message) is Trade:
            number, told = tape.aggregates.number, self._lives[-1][message.symbol]
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
        now_ms = self._venue.now() // NS_PER_MS
        touch = self._best(tape, Side.SELL), self._best(tape, Side.BUY)
        self._touches[tape.symbol].setdefault(now_ms, []).append(touch)

    def _best(self, tape: Tape, taker: Side) -> Best:
        found = self._venue.exchange.touch(tape.symbol, taker)
        if found is not None:
            return found
        levels = offered_to(self._venue.exchange, tape, taker, 1)
        return (float(levels[0][0]), float(levels[0][1])) if levels else (0.0, 0.0)
