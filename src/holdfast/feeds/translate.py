"""Turn one stream message of a capture into market data.

Each function takes the message, its symbol and its time; None means that there is nothing in it
for a feed to show, such as a bar that is not closed yet.

Raises (all of them): `ValueError` with what is impossible in the message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model.market import (
    Bar,
    BookDelta,
    BookSnapshot,
    MarketData,
    MarkPrice,
    Quote,
    Trade,
    timeframe_ns,
)
from ..model.values import NS_PER_MS, Symbol
from .wire import (
    MARKET_ORIGIN,
    AggTrade,
    BookTicker,
    DepthAnswer,
    DepthUpdate,
    Kline,
    MarkUpdate,
    TapeTrade,
)


def _quote(event: BookTicker, symbol: Symbol, ts: int) -> Quote:
    if event.bid >= event.ask:
        raise ValueError(f"the bid {event.bid!r} is not below the ask {event.ask!r}")
    return Quote(
        symbol=symbol,
        ts=ts,
        bid=event.bid,
        bid_qty=event.bid_qty,
        ask=event.ask,
        ask_qty=event.ask_qty,
    )


def is_in_book(event: TapeTrade | AggTrade) -> bool:
    """Tell whether anything was traded, and in the book; see `NO_QUANTITY` in `rows`."""
    return bool(event.qty) and (isinstance(event, AggTrade) or event.origin == MARKET_ORIGIN)


def _trade(event: TapeTrade | AggTrade, symbol: Symbol, ts: int) -> Trade | None:
    if not is_in_book(event):
        return None
    if not event.price:
        raise ValueError(f"a price must be above 0, was {event.price!r}")
    return Trade(
        symbol=symbol,
        ts=ts,
        price=event.price,
        qty=event.qty,
        trade_id=event.trade_id,
        is_buyer_maker=event.is_buyer_maker,
    )


def _delta(event: DepthUpdate, symbol: Symbol, ts: int) -> BookDelta:
    previous = event.previous_id
    return BookDelta(
        symbol=symbol,
        ts=ts,
        first_id=event.first_id,
        final_id=event.final_id,
        previous_id=event.first_id - 1 if previous is None else previous,
        bids=event.bids,
        asks=event.asks,
    )


def _mark(event: MarkUpdate, symbol: Symbol, ts: int) -> MarkPrice:
    return MarkPrice(
        symbol=symbol,
        ts=ts,
        mark_price=event.mark_price,
        index_price=_number(event.index_price),
        funding_rate=_number(event.funding_rate),
        next_funding_ts=event.next_funding * NS_PER_MS or None,
    )


def _bar(event: Kline, symbol: Symbol, ts: int) -> Bar | None:
    body = event.body
    if not body.is_closed or body.interval == "1M":  # a month has no fixed length
        return None
    timeframe = "7d" if body.interval == "1w" else body.interval
    if (body.end + 1 - body.start) * NS_PER_MS != timeframe_ns(timeframe):
        raise ValueError(f"a bar of {timeframe} can't last from {body.start} to {body.end}")
    if not body.low <= min(body.open, body.close) <= max(body.open, body.close) <= body.high:
        raise ValueError(f"open or close outside of low {body.low!r} to high {body.high!r}")
    return Bar(
        symbol=symbol,
        timeframe=timeframe,
        open_ts=body.start * NS_PER_MS,
        ts=ts,
        open=body.open,
        high=body.high,
        low=body.low,
        close=body.close,
        volume=body.volume,
        trade_count=body.trade_count,
    )


def snapshot(answer: DepthAnswer, symbol: Symbol, ts: int) -> BookSnapshot:
    """Translate a depth snapshot, which is no stream message and so in no table."""
    return BookSnapshot(
        symbol=symbol,
        ts=ts,
        bids=answer.bids,
        asks=answer.asks,
        last_update_id=answer.last_update_id,
    )


def _number(text: str) -> float | None:
    if not text:
        return None
    number = float(text)
    if not abs(number) < float("inf"):
        raise ValueError(f"expected a number, was {text!r}")
    return number


TRANSLATIONS: dict[type, Callable[[Any, Symbol, int], MarketData | None]] = {
    BookTicker: _quote,
    TapeTrade: _trade,
    AggTrade: _trade,
    DepthUpdate: _delta,
    MarkUpdate: _mark,
    Kline: _bar,
}
