"""The public events as they stand on the wire: fields in the order in which Binance sends them.

Prices and quantities are texts, times milliseconds: `E` when the event left, `T` when it
happened, except where a comment says otherwise.
"""

from __future__ import annotations

from msgspec import Struct, field

from .frames import USD_M

Levels = list[tuple[str, str]]
"""Price and absolute quantity; a quantity of zero takes the level away."""


class TradeFrame(Struct, tag_field="e", tag="trade"):
    """One trade."""

    sent: int = field(name="E")
    transacted: int = field(name="T")
    symbol: str = field(name="s")
    trade_id: int = field(name="t")
    price: str = field(name="p")
    qty: str = field(name="q")
    origin: str = field(name="X", default="MARKET")
    is_buyer_maker: bool = field(name="m", default=False)
    kind: int = field(name="st", default=USD_M)


class AggTradeFrame(Struct, tag_field="e", tag="aggTrade"):
    """The trades at one price, of one side, within 100 ms."""

    sent: int = field(name="E")
    symbol: str = field(name="s")
    agg_id: int = field(name="a")
    price: str = field(name="p")
    qty: str = field(name="q")
    normal_qty: str = field(name="nq")  # without retail price improvement
    first_id: int = field(name="f")
    last_id: int = field(name="l")
    transacted: int = field(name="T")
    is_buyer_maker: bool = field(name="m")
    kind: int = field(name="st", default=USD_M)


class MarkPriceFrame(Struct, tag_field="e", tag="markPriceUpdate"):
    """The mark price; here `T` is the time of the next funding."""

    sent: int = field(name="E")
    symbol: str = field(name="s")
    mark: str = field(name="p")
    average: str = field(name="ap")  # moving, of the mark
    index: str = field(name="i")
    settle: str = field(name="P")  # estimated
    rate: str = field(name="r")
    next_funding: int = field(name="T")
    kind: int = field(name="st", default=USD_M)


class KlineBody(Struct):
    """A bar as it stands; `last_ms` is the last millisecond that belongs to it."""

    start: int = field(name="t")
    last_ms: int = field(name="T")
    symbol: str = field(name="s")
    interval: str = field(name="i")
    first_id: int = field(name="f")
    last_id: int = field(name="L")
    open: str = field(name="o")
    close: str = field(name="c")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    count: int = field(name="n")
    is_closed: bool = field(name="x")
    quote_volume: str = field(name="q")
    taker_volume: str = field(name="V")
    taker_quote_volume: str = field(name="Q")
    unused: str = field(name="B", default="0")


class ContinuousKlineBody(Struct):
    """The same without its symbol: it belongs to the pair."""

    start: int = field(name="t")
    last_ms: int = field(name="T")
    interval: str = field(name="i")
    first_id: int = field(name="f")
    last_id: int = field(name="L")
    open: str = field(name="o")
    close: str = field(name="c")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    count: int = field(name="n")
    is_closed: bool = field(name="x")
    quote_volume: str = field(name="q")
    taker_volume: str = field(name="V")
    taker_quote_volume: str = field(name="Q")
    unused: str = field(name="B", default="0")

    @classmethod
    def of(cls, bar: KlineBody) -> ContinuousKlineBody:
        return cls(**{name: getattr(bar, name) for name in cls.__struct_fields__})


class KlineFrame(Struct, tag_field="e", tag="kline"):
    """A symbol's bar, sent again with each change until it is closed."""

    sent: int = field(name="E")
    symbol: str = field(name="s")
    body: KlineBody = field(name="k")


class ContinuousKlineFrame(Struct, tag_field="e", tag="continuous_kline"):
    """The bar of a pair's perpetual contract."""

    sent: int = field(name="E")
    pair: str = field(name="ps")
    contract: str = field(name="ct")
    body: ContinuousKlineBody = field(name="k")


class MiniTickerFrame(Struct, tag_field="e", tag="24hrMiniTicker"):
    """The last 24 hours in short."""

    sent: int = field(name="E")
    symbol: str = field(name="s")
    pair: str = field(name="ps")
    close: str = field(name="c")
    open: str = field(name="o")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    quote_volume: str = field(name="q")
    kind: int = field(name="st", default=USD_M)


class TickerFrame(Struct, tag_field="e", tag="24hrTicker"):
    """The last 24 hours; `O` and `C` are their begin and end, `F` and `L` trade ids."""

    sent: int = field(name="E")
    symbol: str = field(name="s")
    pair: str = field(name="ps")
    change: str = field(name="p")
    change_percent: str = field(name="P")
    average: str = field(name="w")
    close: str = field(name="c")
    last_qty: str = field(name="Q")
    open: str = field(name="o")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    quote_volume: str = field(name="q")
    opened: int = field(name="O")
    closed: int = field(name="C")
    first_id: int = field(name="F")
    last_id: int = field(name="L")
    count: int = field(name="n")
    kind: int = field(name="st", default=USD_M)


class BookTickerFrame(Struct, tag_field="e", tag="bookTicker"):
    """The best bid and ask as of one update of the book."""

    update_id: int = field(name="u")
    sent: int = field(name="E")
    transacted: int = field(name="T")
    symbol: str = field(name="s")
    pair: str = field(name="ps")
    bid: str = field(name="b")
    bid_qty: str = field(name="B")
    ask: str = field(name="a")
    ask_qty: str = field(name="A")
    kind: int = field(name="st", default=USD_M)


class DepthFrame(Struct, tag_field="e", tag="depthUpdate"):
    """Changed levels since `pu`; with `@depth<levels>` the whole top of the book."""

    sent: int = field(name="E")
    transacted: int = field(name="T")
    symbol: str = field(name="s")
    pair: str = field(name="ps")
    first_id: int = field(name="U")
    final_id: int = field(name="u")
    previous_id: int = field(name="pu")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    kind: int = field(name="st", default=USD_M)


class ForcedOrder(Struct):
    """An order by which the exchange closed somebody's position."""

    symbol: str = field(name="s")
    side: str = field(name="S")
    order_type: str = field(name="o")
    time_in_force: str = field(name="f")
    qty: str = field(name="q")
    price: str = field(name="p")
    average: str = field(name="ap")
    status: str = field(name="X")
    last_qty: str = field(name="l")
    cum_qty: str = field(name="z")
    transacted: int = field(name="T")


class ForceOrderFrame(Struct, tag_field="e", tag="forceOrder"):
    """The largest liquidation of a symbol within a second."""

    sent: int = field(name="E")
    order: ForcedOrder = field(name="o")
    pair: str = field(name="ps")
    kind: int = field(name="st", default=USD_M)
