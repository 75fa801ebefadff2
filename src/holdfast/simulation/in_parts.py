"""A strategy whose entries go out in parts."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import ClassVar
from zlib import crc32

from ..model.market import Trade
from ..model.values import OrderType, SignalType
from ..strategies import OrderUpdate, Strategy
from .adversaries import Adversary
from .churner import UINT32_MAX, Churner

SIZES = (900, 2_500, 6_000)
"""Notional of a wish, in USDT."""


class Slicer(Churner):
    """Wishes for entries in parts, closes now and then, and takes parts back."""

    def on_trade(self, trade: Trade) -> None:
        drawn = crc32(f"{self._seed}/{trade.symbol}/{trade.ts}".encode())
        if drawn > self._share * UINT32_MAX:
            return
        lots = Random(drawn)
        if lots.random() < 0.1:
            self.signal(SignalType.CLOSE, trade.symbol)
            return
        kind = lots.choice((SignalType.BUY, SignalType.SELL))
        sign, price = 1 if kind is SignalType.BUY else -1, Decimal(repr(trade.price))
        near = price * (1 - sign * Decimal(lots.choice(("-0.001", "0.0001", "0.0006"))))
        qty = (Decimal(lots.choice(SIZES)) / price).quantize(Decimal("0.001"))
        is_limit = lots.random() < 0.6
        stop = price * (1 - sign * Decimal(lots.choice(("0.004", "0.02"))))
        self.signal(
            kind,
            trade.symbol,
            quantity=qty,
            order_type=OrderType.LIMIT if is_limit else OrderType.MARKET,
            price=near if is_limit else None,
            stop_loss=lots.choice((None, stop)),
            algo=self._algo(lots, qty, is_limit=is_limit),
        )

    @staticmethod
    def _algo(lots: Random, qty: Decimal, *, is_limit: bool) -> str:
        count = lots.randint(2, 5)
        if is_limit and lots.random() < 0.5:
            return f"iceberg:show={qty / count:.3f}"
        return f"twap:over={count * lots.choice((1, 2, 4))}s,slices={count}"

    def on_order(self, update: OrderUpdate) -> None:
        drawn = crc32(f"{self._seed}/{update.cl_ord_id}/{update.status}".encode())
        if drawn < 0.03 * UINT32_MAX:
            self.cancel(update.cl_ord_id)


class InParts(Adversary):
    """Has such a strategy beside the others."""

    name = "in_parts"
    share: ClassVar[float] = 0.06

    def strategies(self) -> tuple[Strategy, ...]:
        self.strike("a life")
        return (Slicer(f"{self.world.seed}/{self.lots.random()}", 0.06),)
