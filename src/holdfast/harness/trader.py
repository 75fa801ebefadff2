"""A strategy that keeps orders in flight all the time: entries, brackets and closes."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from ..model.market import Trade
from ..model.values import OrderType, Side, SignalType, TimeInForce
from ..strategies import Strategy

_WISHES = (*(SignalType.BUY, SignalType.SELL) * 3, SignalType.CLOSE)
_TIMES = (TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTX, TimeInForce.IOC)
_NEAR = ("0.0001", "0.0006", "0.002")
_STOPS = ("0.002", "0.006", "0.02")
_TARGETS = ("0.003", "0.01")


class Trader(Strategy):
    """Wishes at a share of the trades that it sees.

    Args:
        seed: what its choices are a function of, beside the trades.
        share: of the trades that lead to a wish.
        size: notional of a wish, in USDT.
    """

    def __init__(self, seed: str = "0", share: float = 0.2, size: int = 2_000) -> None:
        self._seed = seed
        self._share = share
        self._size = size

    def on_trade(self, trade: Trade) -> None:
        lots = Random(f"{self._seed}/{trade.symbol}/{trade.ts}")
        if lots.random() > self._share:
            return
        kind = lots.choice(_WISHES)
        side = Side.SELL if kind is SignalType.SELL else Side.BUY
        price = Decimal(repr(trade.price))
        is_limit = kind is not SignalType.CLOSE and lots.random() < 0.4
        near, stop, take = (Decimal(lots.choice(each)) for each in (_NEAR, _STOPS, _TARGETS))
        self.signal(
            kind,
            trade.symbol,
            quantity=(self._size * Decimal(repr(lots.uniform(0.1, 1.0))) / price).quantize(
                Decimal("0.001")
            ),
            order_type=OrderType.LIMIT if is_limit else OrderType.MARKET,
            price=price * (1 - side.sign * near) if is_limit else None,
            stop_loss=lots.choice((None, price * (1 - side.sign * stop), 0)),
            take_profit=lots.choice((None, price * (1 + side.sign * take), 0)),
            time_in_force=lots.choice(_TIMES) if is_limit else TimeInForce.GTC,
        )
