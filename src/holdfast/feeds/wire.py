"""The stream messages that a capture may hold, as Binance sends them: numbers are texts.

`transacted` (T) is when the books changed and `sent` (E) when the message left, both in
milliseconds, and 0 where the message does not say.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from .rows import LIMIT

Price = Annotated[float, Meta(gt=0, lt=LIMIT)]
Qty = Annotated[float, Meta(ge=0, lt=LIMIT)]
Levels = tuple[tuple[Price, Qty], ...]


class BookTicker(Struct, tag_field="e", tag="bookTicker", gc=False):
    """The best bid and ask. The spot market's has no times."""

    symbol: str = field(name="s")
    bid: Price = field(name="b")
    bid_qty: Qty = field(name="B")
    ask: Price = field(name="a")
    ask_qty: Qty = field(name="A")
    transacted: int = field(name="T", default=0)
    sent: int = field(name="E", default=0)


MARKET_ORIGIN = "MARKET"


class TapeTrade(Struct, tag_field="e", tag="trade", gc=False):
    """One trade. Of another `origin` than MARKET it is a settlement that met no order book."""

    symbol: str = field(name="s")
    trade_id: int = field(name="t")
    price: Qty = field(name="p")  # a settlement's may be 0
    qty: Qty = field(name="q")
    is_buyer_maker: bool = field(name="m")
    transacted: int = field(name="T", default=0)
    sent: int = field(name="E", default=0)
    origin: str = field(name="X", default=MARKET_ORIGIN)


class AggTrade(Struct, tag_field="e", tag="aggTrade", gc=False):
    """The trades of one order at one price, as one."""

    symbol: str = field(name="s")
    trade_id: int = field(name="a")
    price: Price = field(name="p")
    qty: Qty = field(name="q")
    is_buyer_maker: bool = field(name="m")
    transacted: int = field(name="T", default=0)
    sent: int = field(name="E", default=0)


class DepthUpdate(Struct, tag_field="e", tag="depthUpdate"):
    """Changed levels. The spot market's has no `previous_id`: it follows by `first_id`."""

    symbol: str = field(name="s")
    first_id: int = field(name="U")
    final_id: int = field(name="u")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    previous_id: int | None = field(name="pu", default=None)
    transacted: int = field(name="T", default=0)
    sent: int = field(name="E", default=0)


class MarkUpdate(Struct, tag_field="e", tag="markPriceUpdate"):
    """The mark price; its T is the time of the next funding, and texts are empty without one."""

    symbol: str = field(name="s")
    mark_price: Price = field(name="p")
    next_funding: int = field(name="T", default=0)
    index_price: str = field(name="i", default="")
    funding_rate: str = field(name="r", default="")
    sent: int = field(name="E", default=0)

    @property
    def transacted(self) -> int:
        return self.sent


class KlineBody(Struct):
    """A bar; its `end` is the last millisecond that belongs to it."""

    start: int = field(name="t")
    end: int = field(name="T")
    interval: str = field(name="i")
    open: Price = field(name="o")
    high: Price = field(name="h")
    low: Price = field(name="l")
    close: Price = field(name="c")
    volume: Qty = field(name="v")
    is_closed: bool = field(name="x")
    trade_count: int = field(name="n", default=0)


class Kline(Struct, tag_field="e", tag="kline"):
    """A bar, sent again with each change until it is closed."""

    symbol: str = field(name="s")
    body: KlineBody = field(name="k")
    sent: int = field(name="E", default=0)

    @property
    def transacted(self) -> int:
        """Return when the bar ended; 0 while it has not."""
        return self.body.end + 1 if self.body.is_closed else 0


WireEvent = BookTicker | TapeTrade | AggTrade | DepthUpdate | MarkUpdate | Kline
KNOWN = frozenset({"bookTicker", "trade", "aggTrade", "depthUpdate", "markPriceUpdate", "kline"})


class Envelope(Struct):
    """A message of a combined stream."""

    stream: str
    data: WireEvent


class DepthAnswer(Struct):
    """The answer to a request for a depth snapshot; it does not name its symbol."""

    last_update_id: int = field(name="lastUpdateId")
    bids: Levels
    asks: Levels
    transacted: int = field(name="T", default=0)
    sent: int = field(name="E", default=0)


envelope_decoder = msgspec.json.Decoder(Envelope, strict=False)
event_decoder: msgspec.json.Decoder[WireEvent] = msgspec.json.Decoder(WireEvent, strict=False)
depth_decoder = msgspec.json.Decoder(DepthAnswer, strict=False)
