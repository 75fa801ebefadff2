"""One symbol's synthetic trades, quotes, mark prices and funding, a block of time at a time.

A block depends on nothing but its number, so that a feed can begin anywhere. Each block opens
with a quote, and each trade is at the bid or the ask that was quoted last.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from ..model.instrument import Instrument, split_symbol
from ..model.market import Funding, MarketData, MarkPrice, Quote, Trade
from ..model.values import NS_PER_S, Symbol
from .noise import Floats, Ints, bell, key_of, uniform
from .pace import ts_of
from .settings import FeedSettings
from .walk import GRID_NS, HOUR_NS, Market, PriceWalk, Wave

BLOCK_NS = 30 * NS_PER_S
BLOCK_MESSAGES_MAX = 100_000
RATE_MAX = 1000.0
"""Messages per second and symbol; with it no block has more than `BLOCK_MESSAGES_MAX`."""

MARK_NS = 3 * NS_PER_S
FUNDING_NS = 8 * 3600 * NS_PER_S
TRADE_SHARE = 0.4
SILENCE_CHANCE = 0.03
"""How many blocks have a silence of 2 to 8 seconds, in which no symbol is heard of."""


class Traits(NamedTuple):
    """What a symbol's market is like. `volatility` is a multiple of that of BTCUSDT."""

    anchor: float
    tick: Decimal
    lot: Decimal
    volatility: float

    def instrument(self, symbol: Symbol) -> Instrument:
        base, quote = split_symbol(symbol)
        return Instrument(
            symbol=symbol,
            base_asset=base,
            quote_asset=quote,
            margin_asset=quote,
            tick=self.tick,
            lot=self.lot,
            min_qty=self.lot,
        )


KNOWN_TRAITS = {
    "BTCUSDT": Traits(60_000.0, Decimal("0.1"), Decimal("0.001"), 1.0),
    "ETHUSDT": Traits(2_600.0, Decimal("0.01"), Decimal("0.001"), 1.2),
    "SOLUSDT": Traits(150.0, Decimal("0.01"), Decimal("0.01"), 1.6),
    "BNBUSDT": Traits(550.0, Decimal("0.01"), Decimal("0.01"), 0.9),
    "XRPUSDT": Traits(0.55, Decimal("0.0001"), Decimal("0.1"), 1.5),
}
_OTHER_TRAITS = (
    Traits(0.02, Decimal("0.000001"), Decimal(1), 1.6),
    Traits(0.5, Decimal("0.0001"), Decimal("0.1"), 1.5),
    Traits(7.0, Decimal("0.001"), Decimal("0.1"), 1.4),
    Traits(90.0, Decimal("0.01"), Decimal("0.01"), 1.3),
    Traits(400.0, Decimal("0.01"), Decimal("0.001"), 1.1),
)


def traits_of(symbol: Symbol) -> Traits:
    """Return a symbol's traits; those of an unknown one are drawn by its name."""
    if symbol in KNOWN_TRAITS:
        return KNOWN_TRAITS[symbol]
    return _OTHER_TRAITS[int(key_of("traits", symbol)[0]) % len(_OTHER_TRAITS)]


class _Columns(NamedTuple):
    """A block's quotes and trades. `last_quote` is the place of the quote in force."""

    ts: Ints
    bid: Floats
    ask: Floats
    is_quote: Ints
    last_quote: Ints
    place: Ints  # within the block, before the silence was cut out


class Tape:
    """The messages of one symbol."""

    def __init__(self, market: Market, symbol: Symbol, settings: FeedSettings) -> None:
        traits, seed = traits_of(symbol), settings.seed
        self._market = market
        self._walk = PriceWalk(
            Wave(seed, f"symbol {symbol}"),
            anchor=traits.anchor,
            volatility=traits.volatility,
            correlation=settings.correlation,
        )
        self._symbol = symbol
        self._rate = settings.rate
        self._step, self._scale = _fraction(traits.tick)
        self._lot_step, self._lot_scale = _fraction(traits.lot)
        self._lots = 150.0 / traits.anchor / float(traits.lot)  # some 150 USDT
        self._silence_key = key_of(seed, "silence")
        names = ("time", "kind", "side", "size", "size 2", "spread", "funding", "basis")
        self._keys = {name: key_of(seed, symbol, name) for name in names}

    def block(self, number: int) -> list[MarketData]:
        """Return all messages of a block, oldest first."""
        prices, liveliness = self._stretch(number)
        columns = self._columns(number, prices, liveliness)
        sizes = self._sizes("size", columns, number)
        messages: list[MarketData] = list(self._slow(number, prices))
        messages.extend(self._quotes(columns, sizes, self._sizes("size 2", columns, number)))
        messages.extend(self._trades(columns, sizes, number))
        messages.sort(key=ts_of)
        return messages

    def trades(self, number: int) -> list[Trade]:
        """Return the trades of a block alone, oldest first."""
        columns = self._columns(number, *self._stretch(number))
        return list(self._trades(columns, self._sizes("size", columns, number), number))

    def _stretch(self, number: int) -> tuple[Floats, float]:
        """Return the prices at a block's grid, both ends included, and how lively it is."""
        hour, offset = divmod(number * BLOCK_NS, HOUR_NS)
        shared = self._market.hour(hour)
        first = offset // GRID_NS
        prices = self._walk.hour(hour, shared)[first : first + BLOCK_NS // GRID_NS + 1]
        return prices, float(shared.liveliness[first])

    def _columns(self, number: int, prices: Floats, liveliness: float) -> _Columns:
        places = np.arange(max(1, int(self._rate * liveliness * BLOCK_NS / NS_PER_S)))
        draws = places + number * BLOCK_MESSAGES_MAX
        offsets = np.sort((uniform(self._keys["time"], draws) * BLOCK_NS).astype(np.int64))
        offsets[0] = 0
        cells = offsets // GRID_NS
        part = (offsets - cells * GRID_NS).astype(np.float64) / GRID_NS
        middle = prices[cells] + (prices[cells + 1] - prices[cells]) * part
        spread = 1 + (uniform(self._keys["spread"], draws) * liveliness > 0.9).astype(np.int64)
        bid = np.floor(middle * self._scale / self._step).astype(np.int64) - (spread - 1)
        is_quote = (uniform(self._keys["kind"], draws) >= TRADE_SHARE).astype(np.int64)
        is_quote[0] = 1
        columns = _Columns(
            ts=offsets + number * BLOCK_NS,
            bid=bid * self._step / self._scale,
            ask=(bid + spread) * self._step / self._scale,
            is_quote=is_quote,
            last_quote=np.maximum.accumulate(places * is_quote),
            place=places,
        )
        return self._silenced(columns, number)

    def _silenced(self, columns: _Columns, number: int) -> _Columns:
        """Cut a silence out. Prices go on behind it: trades before the next quote go too."""
        window = self._silence(number)
        if window is None:
            return columns
        inside = (columns.ts >= window[0]) & (columns.ts < window[1])
        kept = ~(inside | inside[columns.last_quote])
        renumbered = np.cumsum(kept) - 1
        return _Columns(
            ts=columns.ts[kept],
            bid=columns.bid[kept],
            ask=columns.ask[kept],
            is_quote=columns.is_quote[kept],
            last_quote=renumbered[columns.last_quote[kept]],
            place=columns.place[kept],
        )

    def _silence(self, number: int) -> tuple[int, int] | None:
        chance, place, length = uniform(self._silence_key, np.arange(3) + 3 * number).tolist()
        if chance >= SILENCE_CHANCE:
            return None
        begin = number * BLOCK_NS + NS_PER_S + int(place * 20 * NS_PER_S)
        return begin, begin + 2 * NS_PER_S + int(length * 6 * NS_PER_S)

    def _sizes(self, name: str, columns: _Columns, number: int) -> Floats:
        """Return a quantity a message, on the lot, mostly small and now and then large."""
        draws = columns.place + number * BLOCK_MESSAGES_MAX
        lots = self._lots / (uniform(self._keys[name], draws) + 0.02)
        whole = np.maximum(1, lots.astype(np.int64))
        sizes: Floats = whole * self._lot_step / self._lot_scale
        return sizes

    def _quotes(self, columns: _Columns, bid_qtys: Floats, ask_qtys: Floats) -> Iterator[Quote]:
        chosen = columns.is_quote == 1
        rows = (columns.ts, columns.bid, bid_qtys, columns.ask, ask_qtys)
        for ts, bid, bid_qty, ask, ask_qty in zip(
            *(row[chosen].tolist() for row in rows), strict=True
        ):
            yield Quote(
                symbol=self._symbol, ts=ts, bid=bid, bid_qty=bid_qty, ask=ask, ask_qty=ask_qty
            )

    def _trades(self, columns: _Columns, sizes: Floats, number: int) -> Iterator[Trade]:
        draws = columns.place + number * BLOCK_MESSAGES_MAX
        sells = uniform(self._keys["side"], draws) < 0.5
        prices = np.where(sells, columns.bid[columns.last_quote], columns.ask[columns.last_quote])
        chosen = columns.is_quote == 0
        rows = (columns.ts, prices, sizes, draws, sells)
        for ts, price, qty, trade_id, sell in zip(
            *(row[chosen].tolist() for row in rows), strict=True
        ):
            yield Trade(
                symbol=self._symbol,
                ts=ts,
                price=price,
                qty=qty,
                trade_id=trade_id,
                is_buyer_maker=sell,
            )

    def _slow(self, number: int, prices: Floats) -> Iterator[MarketData]:
        """Yield a block's funding, if it is due at its start, and its mark prices."""
        start = number * BLOCK_NS
        if start % FUNDING_NS == 0:
            yield Funding(symbol=self._symbol, ts=start, rate=self._funding_rate(start))
        silence = self._silence(number) or (0, 0)
        times = np.arange(start, start + BLOCK_NS, MARK_NS)  # a part of the grid
        next_funding = (start // FUNDING_NS + 1) * FUNDING_NS
        forecast = self._funding_rate(next_funding)
        fine = self._scale * 100.0
        marks = np.floor(prices[: -1 : MARK_NS // GRID_NS] * fine) / fine
        index = np.floor(marks * (1.0 - 0.0002 * bell(self._keys["basis"], times)) * fine) / fine
        for ts, price, other in zip(times.tolist(), marks.tolist(), index.tolist(), strict=True):
            if silence[0] <= ts < silence[1]:
                continue
            yield MarkPrice(
                symbol=self._symbol,
                ts=ts,
                mark_price=price,
                index_price=other,
                funding_rate=forecast,
                next_funding_ts=next_funding,
            )

    def _funding_rate(self, due_ts: int) -> float:
        """Return the rate due at a time: some 0.01 %, now and then negative."""
        draw = float(bell(self._keys["funding"], np.array([due_ts // FUNDING_NS]))[0])
        return int(10_000 + 8_000 * draw) / 1e8


def _fraction(step: Decimal) -> tuple[int, float]:
    """Return a tick or a lot as a numerator and a power of ten, whose quotient rounds right."""
    _, digits, exponent = step.as_tuple()
    assert isinstance(exponent, int), f"a step must be finite, was {step}"
    assert exponent <= 0, f"a step must be written without an exponent, was {step}"
    return int("".join(map(str, digits))), float(10**-exponent)
