"""What the market shows. Prices are float64: they feed indicators, never the books."""

from __future__ import annotations

import msgspec

from .values import Symbol

Level = tuple[float, float]
"""Price and quantity; a quantity of zero takes the level away."""


class Trade(msgspec.Struct, frozen=True, tag=True, gc=False):
    """One trade on the tape. `ts` is the venue's time, nanoseconds UTC.

    Not keyword-only, so that `map` makes them out of columns at half the cost.
    """

    symbol: Symbol
    ts: int
    price: float
    qty: float
    trade_id: int = 0
    is_buyer_maker: bool = False


class Quote(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """The best bid and ask."""

    symbol: Symbol
    ts: int
    bid: float
    bid_qty: float
    ask: float
    ask_qty: float


class Bar(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """A closed bar. `ts` is its end (exclusive): what is known only then.

    `timeframe` is a number and a unit, as in "5s", "1m", "4h", "1d".
    """

    symbol: Symbol
    timeframe: str
    open_ts: int
    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trade_count: int = 0


class MarkPrice(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """The price that margin and liquidation go by.

    `index_price` is None where the source has none; `funding_rate` is the one forecast for
    `next_funding_ts`.
    """

    symbol: Symbol
    ts: int
    mark_price: float
    index_price: float | None = None
    funding_rate: float | None = None
    next_funding_ts: int | None = None


class Funding(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """A funding rate that is due at `ts`: longs pay shorts when it is positive.

    `mark_price` is the price it is charged at, where that is told with it.
    """

    symbol: Symbol
    ts: int
    rate: float
    mark_price: float | None = None


class BookSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A whole order book as of `last_update_id`, best levels first."""

    symbol: Symbol
    ts: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    last_update_id: int = 0


class BookDelta(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Changed levels; quantities are absolute.

    Follows the delta whose `final_id` is this one's `previous_id`; anything else is a gap.
    """

    symbol: Symbol
    ts: int
    first_id: int
    final_id: int
    previous_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


MarketData = Trade | Quote | Bar | MarkPrice | Funding | BookSnapshot | BookDelta

_UNITS_NS = {
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}


def timeframe_ns(timeframe: str) -> int:
    """Return the length of a timeframe such as "5s", "1m", "4h" or "1d".

    Raises:
        ValueError: it is not a whole number above zero followed by s, m, h or d.
    """
    number, unit = timeframe[:-1], timeframe[-1:]
    if unit not in _UNITS_NS or not number.isascii() or not number.isdigit() or int(number) == 0:
        raise ValueError(f"timeframe must be like 5s, 1m, 4h or 1d, was {timeframe!r}")
    return int(number) * _UNITS_NS[unit]
