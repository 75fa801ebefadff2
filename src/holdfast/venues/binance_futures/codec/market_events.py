"""Market streams and market data over REST as the engine's market messages.

COIN-M contracts, which some streams mix in (`st` 2), are left out, and so are trades outside of
the book (insurance fund, deleveraging). Streams of partial depth look like those of changes and
mean whole books: they are not to be subscribed to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ....model.market import (
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    MarketData,
    MarkPrice,
    Quote,
    Trade,
)
from ....model.values import Symbol
from . import market_frames as frames
from .market_frames import (
    AggTradeFrame,
    BarFrame,
    DepthFrame,
    MarketFrame,
    MarkFrame,
    QuoteFrame,
    TradeFrame,
)
from .stream_frames import Frame, StreamReply
from .wire import BadFrame, Said, decode, ns, said

USD_M = 1
IN_BOOK = "MARKET"
TIMEFRAMES = {"1w": "7d"}
"""The venue's intervals that we call otherwise; a month ("1M") has no fixed length, so no bar."""

_KLINE_FIELDS = 9


class _Depth(msgspec.Struct, frozen=True):
    last_update_id: int = msgspec.field(name="lastUpdateId")
    bids: frames.Levels
    asks: frames.Levels
    time: int = msgspec.field(name="T", default=0)


class _PremiumIndex(msgspec.Struct, frozen=True, rename="camel"):
    symbol: Symbol
    mark_price: float
    time: int
    index_price: Said = ""
    last_funding_rate: Said = ""
    next_funding_time: int = 0


class _Funding(msgspec.Struct, frozen=True, rename="camel"):
    symbol: Symbol
    funding_rate: float
    funding_time: int
    mark_price: Said = ""
    rate_type: str = "FUNDING"


_FUNDINGS = msgspec.json.Decoder(tuple[_Funding, ...], strict=False)
_DEPTH = msgspec.json.Decoder(_Depth, strict=False)
_PREMIUM = msgspec.json.Decoder(_PremiumIndex, strict=False)
_KLINES = msgspec.json.Decoder(tuple[tuple[int | float | str, ...], ...])


def read_market(raw: Frame) -> Sequence[MarketData | StreamReply]:
    """Return what a frame shows, bare or wrapped, one event or a list; often nothing.

    Raises:
        BadFrame: it can't be read, or a price in it is none.
    """
    frame = frames.read(raw)
    if type(frame) in _READERS:
        message = _one(frame)  # type: ignore[arg-type]  # by its type it is one
        return () if message is None else (message,)
    if isinstance(frame, tuple):
        return [message for each in frame if (message := _one(each)) is not None]
    return (frame,) if isinstance(frame, StreamReply) else ()


def _one(frame: MarketFrame) -> MarketData | None:
    return _READERS[type(frame)](frame) if frame.market == USD_M else None


def _trade(frame: TradeFrame) -> Trade | None:
    return _agg_trade(frame) if frame.kind == IN_BOOK else None


def _agg_trade(frame: TradeFrame | AggTradeFrame) -> Trade | None:
    if not frame.qty:
        return None  # some are told of no quantity: nobody traded
    return Trade(
        symbol=frame.symbol,
        ts=ns(frame.time),
        price=_price(frame.price),
        qty=_amount(frame.qty),
        trade_id=frame.trade_id,
        is_buyer_maker=frame.is_buyer_maker,
    )


def _quote(frame: QuoteFrame) -> Quote:
    return Quote(
        symbol=frame.symbol,
        ts=ns(frame.time),
        bid=_amount(frame.bid),  # 0 where that side of the book is empty
        bid_qty=_amount(frame.bid_qty),
        ask=_amount(frame.ask),
        ask_qty=_amount(frame.ask_qty),
    )


def _depth(frame: DepthFrame) -> BookDelta:
    return BookDelta(
        symbol=frame.symbol,
        ts=ns(frame.time),
        first_id=frame.first_id,
        final_id=frame.final_id,
        previous_id=frame.previous_id,
        bids=_levels(frame.bids),
        asks=_levels(frame.asks),
    )


def _mark(frame: MarkFrame) -> MarkPrice:
    return _mark_price(
        frame.symbol, frame.time, frame.price, frame.index, frame.rate, frame.next_funding
    )


def _mark_price(  # noqa: PLR0913, PLR0917 - what a mark price consists of, from two places
    symbol: Symbol, time_ms: int, price: float, index: Said, rate: Said, next_funding_ms: int
) -> MarkPrice:
    return MarkPrice(
        symbol=symbol,
        ts=ns(time_ms),
        mark_price=_price(price),
        index_price=_index(index),
        funding_rate=_number(said(rate)) if said(rate) else None,
        next_funding_ts=ns(next_funding_ms) if next_funding_ms else None,
    )


def _index(told: Said) -> float | None:
    """Return an index price; what nobody else trades has none, told as empty or as zero."""
    price = _number(said(told) or 0)
    return _price(price) if price else None


def _closed_bar(frame: BarFrame) -> Bar | None:
    bar = frame.bar
    if not bar.is_closed or bar.interval.endswith("M"):
        return None
    return Bar(
        symbol=frame.symbol,
        timeframe=TIMEFRAMES.get(bar.interval, bar.interval),
        open_ts=ns(bar.open_ms),
        ts=ns(bar.last_ms + 1),
        open=_price(bar.open),
        high=_price(bar.high),
        low=_price(bar.low),
        close=_price(bar.close),
        volume=_amount(bar.volume),
        trade_count=bar.trade_count,
    )


_READERS: dict[type, Callable[[Any], MarketData | None]] = {
    TradeFrame: _trade,
    AggTradeFrame: _agg_trade,
    QuoteFrame: _quote,
    DepthFrame: _depth,
    MarkFrame: _mark,
    BarFrame: _closed_bar,
}


# Over REST


def book_snapshot(raw: bytes | msgspec.Raw, symbol: Symbol) -> BookSnapshot:
    """Read GET depth."""
    depth = decode(_DEPTH, raw, "the depth snapshot")
    return BookSnapshot(
        symbol=symbol,
        ts=ns(depth.time),
        bids=_levels(depth.bids),
        asks=_levels(depth.asks),
        last_update_id=depth.last_update_id,
    )


def bars(
    raw: bytes | msgspec.Raw, symbol: Symbol, timeframe: str, before_ts: int
) -> tuple[Bar, ...]:
    """Read GET klines, oldest first, without the bars that are not over at `before_ts`."""
    rows = decode(_KLINES, raw, "the list of bars")
    read = (_bar(row, symbol, timeframe) for row in rows)
    by_time = {bar.open_ts: bar for bar in read if bar.ts <= before_ts}
    return tuple(by_time[ts] for ts in sorted(by_time))


def _bar(row: tuple[int | float | str, ...], symbol: Symbol, timeframe: str) -> Bar:
    if len(row) < _KLINE_FIELDS:
        raise BadFrame(f"a bar must have at least {_KLINE_FIELDS} fields, had {len(row)}: {row}")
    opens, high, low, close, volume = (_number(each) for each in row[1:6])
    return Bar(
        symbol=symbol,
        timeframe=timeframe,
        open_ts=ns(_whole(row[0])),
        ts=ns(_whole(row[6]) + 1),
        open=_price(opens),
        high=_price(high),
        low=_price(low),
        close=_price(close),
        volume=_amount(volume),
        trade_count=_whole(row[8]),
    )


def fundings(raw: bytes | msgspec.Raw, symbol: Symbol) -> list[Funding]:
    """Read GET fundingRate, oldest first. Old ones have no mark price."""
    rows = decode(_FUNDINGS, raw, "the fundings")
    found = [
        Funding(
            symbol=symbol,
            ts=ns(row.funding_time),
            rate=_number(row.funding_rate),
            mark_price=_price(float(row.mark_price)) if row.mark_price else None,
        )
        for row in rows
        if row.symbol == symbol and row.rate_type == "FUNDING"
    ]
    return sorted(found, key=lambda each: each.ts)


def mark_price(raw: bytes | msgspec.Raw) -> MarkPrice:
    """Read GET premiumIndex of one symbol."""
    row = decode(_PREMIUM, raw, "the mark price")
    return _mark_price(
        row.symbol,
        row.time,
        row.mark_price,
        row.index_price,
        row.last_funding_rate,
        row.next_funding_time,
    )


# Numbers


def _number(text: float | str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadFrame(f"a number was {text!r}") from None


def _whole(number: float | str) -> int:
    try:
        return int(number)
    except (ValueError, OverflowError):
        raise BadFrame(f"a whole number was {number!r:.80}") from None


def _price(price: float) -> float:
    if 0.0 < price < math.inf:
        return price
    raise BadFrame(f"a price must be above 0 and finite, was {price}")


def _amount(amount: float) -> float:
    if 0.0 <= amount < math.inf:
        return amount
    raise BadFrame(f"an amount must be 0 or more and finite, was {amount}")


def _levels(levels: frames.Levels) -> frames.Levels:
    for price, qty in levels:
        _price(price)
        _amount(qty)
    return levels
