"""The strategy of the wire bench: buy at one marked trade, close at the other."""

from __future__ import annotations

import os
from decimal import Decimal

from holdfast import SignalType, Strategy
from holdfast.model.market import Trade

BUY = float(os.environ["BENCH_BUY"])
CLOSE = float(os.environ["BENCH_CLOSE"])
QTY = Decimal(os.environ["BENCH_QTY"])


class Echo(Strategy):
    """Answer marked trades."""

    def on_trade(self, trade: Trade) -> None:
        if trade.qty == BUY:
            self.signal(SignalType.BUY, trade.symbol, quantity=QTY)
        elif trade.qty == CLOSE:
            self.signal(SignalType.CLOSE, trade.symbol)
