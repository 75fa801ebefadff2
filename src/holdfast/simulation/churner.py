"""A strategy that trades far too much: every kind of wish, at moments drawn from the seed."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from zlib import crc32

from ..model.events import OrderFilled
from ..model.market import Bar, Quote, Trade
from ..model.values import OrderType, Side, SignalType, TimeInForce
from ..strategies import Context, OrderUpdate, Strategy

_WISHES = (
    *(SignalType.BUY, SignalType.SELL) * 3,
    SignalType.CLOSE,
)
_TIMES = (TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTX, TimeInForce.IOC)
UINT32_MAX = 2**32 - 1
SIZES = (200, 900, 2_500)
"""Notional of a wish, in USDT."""

TIMEFRAME = "5s"
"""Of the bars that a `Listener` hears."""


class Churner(Strategy):
    """Wishes at about every seventh trade.

    Args:
        seed: what its choices are a function of, beside the trades it sees.
    """

    def __init__(self, seed: str = "0", share: float = 0.15) -> None:
        self._seed = seed
        self._share = share

    def on_start(self, ctx: Context) -> None:
        """Hear it: what follows is judged."""

    def on_fill(self, fill: OrderFilled) -> None:
        """Hear it."""

    def on_order(self, update: OrderUpdate) -> None:
        """Hear it."""

    def on_stop(self) -> None:
        """Hear it."""

    def on_trade(self, trade: Trade) -> None:
        drawn = crc32(f"{self._seed}/{trade.symbol}/{trade.ts}".encode())
        if drawn > self._share * UINT32_MAX:
            return
        lots = Random(drawn)
        kind = lots.choice(_WISHES)
        side = Side.SELL if kind is SignalType.SELL else Side.BUY
        price = Decimal(repr(trade.price))
        is_limit = kind is not SignalType.CLOSE and lots.random() < 0.35
        near = price * (1 - side.sign * Decimal(lots.choice(("0.0001", "0.0006", "0.002"))))
        stop = price * (1 - side.sign * Decimal(lots.choice(("0.002", "0.006", "0.02"))))
        take = price * (1 + side.sign * Decimal(lots.choice(("0.003", "0.01"))))
        self.signal(
            kind,
            trade.symbol,
            quantity=self._qty(lots, price),
            order_type=OrderType.LIMIT if is_limit else OrderType.MARKET,
            price=near if is_limit else None,
            stop_loss=lots.choice((None, stop, stop, 0)),
            take_profit=lots.choice((None, take, 0)),
            time_in_force=lots.choice(_TIMES) if is_limit else TimeInForce.GTC,
        )

    def _qty(self, lots: Random, price: Decimal) -> Decimal | None:
        size = lots.choice((None, *SIZES))
        return None if size is None else (Decimal(size) / price).quantize(Decimal("0.001"))


class Listener(Churner):
    """A churner to which quotes and bars are shown too, so that they can be judged."""

    timeframes = (TIMEFRAME,)

    def on_quote(self, quote: Quote) -> None:
        """Hear it."""

    def on_bar(self, bar: Bar) -> None:
        """Hear it."""
