"""The same trades and the same averages through NautilusTrader 2 (Rust core), in its own Python.

    NAUTILUS=/path/to/its/venv/bin/python python -m bench replay

Runs as a script in an environment that has NautilusTrader 2 and nothing of Holdfast. Market orders
alone, without the stop and the target that Holdfast keeps at the exchange meanwhile.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

MAKER, TAKER = Decimal("0.0002"), Decimal("0.0005")

RECORD = struct.Struct("<qddq?")
"""As `holdfast.feeds.columns.RECORD`: time, price, quantity, number, whether the buyer rested."""


def records(path: Path) -> Iterator[tuple[int, float, float, int, bool]]:
    """Yield the records of a file in NumPy's format, which end it."""
    body = path.read_bytes()
    length = int.from_bytes(body[8:10], "little")
    yield from RECORD.iter_unpack(body[10 + length :])


def measure(path: Path, fast: int, slow: int) -> dict[str, Any]:
    """Return the engine's rate over its `run`, and the process's peak memory."""
    from nautilus_trader import (  # type: ignore[import-not-found, unused-ignore]
        backtest,
        execution,
        model,
    )
    from nautilus_trader.testkit import (  # type: ignore[import-not-found, unused-ignore]
        providers,
    )

    instrument = providers.TestInstrumentProvider.btcusdt_perp_binance()
    sides = (model.AggressorSide.BUY, model.AggressorSide.SELL)
    ticks = [
        model.TradeTick(
            instrument.id,
            model.Price(price, 1),
            model.Quantity(qty, 3),
            sides[is_buyer_maker],
            model.TradeId(str(number)),
            ts,
            ts,
        )
        for ts, price, qty, number, is_buyer_maker in records(path)
    ]
    engine = backtest.BacktestEngine(backtest.BacktestEngineConfig(bypass_logging=True))
    engine.add_venue(
        venue=model.Venue("BINANCE"),
        oms_type=model.OmsType.NETTING,
        account_type=model.AccountType.MARGIN,
        starting_balances=[model.Money(10_000, model.Currency.from_str("USDT"))],
        fee_model=execution.MakerTakerFeeModel(MAKER, TAKER),
    )
    engine.add_instrument(instrument)
    engine.add_data(ticks)
    strategy = _strategy(instrument, fast, slow)
    engine.add_strategy(strategy)
    began, cpu_began = time.perf_counter(), time.process_time()
    engine.run()
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    rate, fills = len(ticks) / cpu_s, strategy.fills
    return {"cpu_s": cpu_s, "wall_s": wall_s, "rate": rate, "peak_mb": peak, "fills": fills}


def _strategy(instrument: Any, fast: int, slow: int) -> Any:
    from nautilus_trader import (  # type: ignore[import-not-found, unused-ignore]
        model,
        trading,
    )

    class EmaCross(trading.Strategy):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.fast_weight, self.slow_weight = 2 / (fast + 1), 2 / (slow + 1)
            self.fast = self.slow = 0.0
            self.was_above = False
            self.heard = self.fills = 0

        def on_start(self) -> None:
            self.subscribe_trades(instrument.id)

        def on_order_filled(self, event: Any) -> None:
            del event
            self.fills += 1

        def on_trade(self, trade: Any) -> None:
            price = trade.price.as_double()
            if not self.slow:
                self.fast = self.slow = price
            self.fast = above = self.fast + self.fast_weight * (price - self.fast)
            self.slow = below = self.slow + self.slow_weight * (price - self.slow)
            if (above > below) is not self.was_above:
                self.was_above = not self.was_above
                self.close_all_positions(instrument.id)
                side = model.OrderSide.BUY if self.was_above else model.OrderSide.SELL
                qty = model.Quantity(0.01, 3)
                self.submit_order(self.order_factory.market(instrument.id, side, qty))

    return EmaCross()


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
