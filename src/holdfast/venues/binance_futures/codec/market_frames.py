"""The market streams' frames, letter by letter. Prices and quantities become float64 at once."""

from __future__ import annotations

import contextlib

import msgspec
from msgspec import field

from ....model.values import Symbol
from .stream_frames import Frame, StreamReply, is_wrapped, read_tagged, shown
from .wire import UNREADABLE, BadFrame, Said, without_empties

Levels = tuple[tuple[float, float], ...]


class TradeFrame(msgspec.Struct, frozen=True, gc=False, tag_field="e", tag="trade"):
    """One trade. `kind` is MARKET for what traded in the book."""

    symbol: Symbol = field(name="s")
    time: int = field(name="T")
    trade_id: int = field(name="t")
    price: float = field(name="p")
    qty: float = field(name="q")
    is_buyer_maker: bool = field(name="m")
    kind: str = field(name="X", default="MARKET")
    market: int = field(name="st", default=1)


class AggTradeFrame(msgspec.Struct, frozen=True, gc=False, tag_field="e", tag="aggTrade"):
    """Trades of one taker order at one price."""

    symbol: Symbol = field(name="s")
    time: int = field(name="T")
    trade_id: int = field(name="a")
    price: float = field(name="p")
    qty: float = field(name="q")
    is_buyer_maker: bool = field(name="m")
    market: int = field(name="st", default=1)


class QuoteFrame(msgspec.Struct, frozen=True, gc=False, tag_field="e", tag="bookTicker"):
    """The best bid and ask."""

    symbol: Symbol = field(name="s")
    time: int = field(name="T")
    bid: float = field(name="b")
    bid_qty: float = field(name="B")
    ask: float = field(name="a")
    ask_qty: float = field(name="A")
    market: int = field(name="st", default=1)


class DepthFrame(msgspec.Struct, frozen=True, tag_field="e", tag="depthUpdate"):
    """Changed levels."""

    symbol: Symbol = field(name="s")
    time: int = field(name="T")
    first_id: int = field(name="U")
    final_id: int = field(name="u")
    previous_id: int = field(name="pu")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    market: int = field(name="st", default=1)


class MarkFrame(msgspec.Struct, frozen=True, gc=False, tag_field="e", tag="markPriceUpdate"):
    """The mark price. Index and rate are text: empty for contracts without funding."""

    symbol: Symbol = field(name="s")
    time: int = field(name="E")
    price: float = field(name="p")
    index: Said = field(name="i", default="")
    rate: Said = field(name="r", default="")
    next_funding: int = field(name="T", default=0)
    market: int = field(name="st", default=1)


class BarFields(msgspec.Struct, frozen=True, gc=False):
    """A bar. `last_ms` is its last millisecond."""

    open_ms: int = field(name="t")
    last_ms: int = field(name="T")
    interval: str = field(name="i")
    open: float = field(name="o")
    high: float = field(name="h")
    low: float = field(name="l")
    close: float = field(name="c")
    volume: float = field(name="v")
    trade_count: int = field(name="n")
    is_closed: bool = field(name="x")


class BarFrame(msgspec.Struct, frozen=True, gc=False, tag_field="e", tag="kline"):
    """A bar, open or closed."""

    symbol: Symbol = field(name="s")
    bar: BarFields = field(name="k")
    market: int = field(name="st", default=1)


MarketFrame = TradeFrame | AggTradeFrame | QuoteFrame | DepthFrame | MarkFrame | BarFrame
Read = MarketFrame | tuple[MarketFrame, ...] | StreamReply | None


class _Wrapped(msgspec.Struct, frozen=True):
    data: MarketFrame | tuple[MarketFrame, ...]


_BARE = msgspec.json.Decoder(MarketFrame | tuple[MarketFrame, ...], strict=False)
_WRAPPED = msgspec.json.Decoder(_Wrapped, strict=False)
_TAGS = frozenset({"trade", "aggTrade", "bookTicker", "depthUpdate", "markPriceUpdate", "kline"})


def read(raw: Frame) -> Read:
    """Decode a frame; None for an event that is of no concern or not known.

    Raises:
        BadFrame: it is of a kind that we read, and can't be read.
    """
    try:
        return _WRAPPED.decode(raw).data if is_wrapped(raw) else _BARE.decode(raw)
    except UNREADABLE as error:
        with contextlib.suppress(*UNREADABLE):
            return _WRAPPED.decode(raw).data  # written with spaces, or the other way round
        try:
            return read_tagged(raw, _TAGS, error)
        except BadFrame:
            with contextlib.suppress(*UNREADABLE):
                return _either(without_empties(shown(raw)))
            raise


def _either(raw: bytes) -> MarketFrame | tuple[MarketFrame, ...]:
    with contextlib.suppress(*UNREADABLE):
        return _WRAPPED.decode(raw).data
    bare: MarketFrame | tuple[MarketFrame, ...] = _BARE.decode(raw)
    return bare
