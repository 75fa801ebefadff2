"""The same trades and the same averages through NautilusTrader's BacktestEngine (Python >= 3.12).

Market orders alone, without the stop and the target that Holdfast keeps at the exchange meanwhile.
"""

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np


def measure(path: Path, fast: int, slow: int) -> dict[str, Any]:
    """Return the engine's rate over its `run`, and the process's peak memory."""
    import pandas as pd  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from nautilus_trader.backtest.engine import (  # type: ignore[import-not-found, unused-ignore]
        BacktestEngine,
        BacktestEngineConfig,
    )
    from nautilus_trader.config import (  # type: ignore[import-not-found, unused-ignore]
        LoggingConfig,
    )
    from nautilus_trader.model.currencies import (  # type: ignore[import-not-found, unused-ignore]
        USDT,
    )
    from nautilus_trader.model.enums import (  # type: ignore[import-not-found, unused-ignore]
        AccountType,
        OmsType,
    )
    from nautilus_trader.model.identifiers import (  # type: ignore[import-not-found, unused-ignore]
        Venue,
    )
    from nautilus_trader.model.objects import (  # type: ignore[import-not-found, unused-ignore]
        Money,
    )
    from nautilus_trader.persistence.wranglers import (  # type: ignore[import-not-found, unused-ignore]
        TradeTickDataWrangler,
    )
    from nautilus_trader.test_kit.providers import (  # type: ignore[import-not-found, unused-ignore]
        TestInstrumentProvider,
    )

    records = np.load(path)
    instrument = TestInstrumentProvider.btcusdt_perp_binance()
    frame = pd.DataFrame(
        {
            "price": records["price"],
            "quantity": records["qty"],
            "buyer_maker": records["is_buyer_maker"],
            "trade_id": records["trade_id"].astype(str),
        },
        index=pd.to_datetime(records["ts"], utc=True),
    )
    ticks = TradeTickDataWrangler(instrument).process(frame)
    engine = BacktestEngine(config=BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=Venue("BINANCE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=None,
        starting_balances=[Money(10_000, USDT)],
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
    fills = len(engine.trader.generate_order_fills_report())
    rate = len(records) / cpu_s
    return {"cpu_s": cpu_s, "wall_s": wall_s, "rate": rate, "peak_mb": peak, "fills": fills}


def _strategy(instrument: Any, fast: int, slow: int) -> Any:
    from nautilus_trader.model.enums import (  # type: ignore[import-not-found, unused-ignore]
        OrderSide,
    )
    from nautilus_trader.trading.strategy import (  # type: ignore[import-not-found, unused-ignore]
        Strategy,
    )

    class EmaCross(Strategy):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.fast_weight, self.slow_weight = 2 / (fast + 1), 2 / (slow + 1)
            self.fast = self.slow = 0.0
            self.was_above = False

        def on_start(self) -> None:
            self.subscribe_trade_ticks(instrument.id)

        def on_trade_tick(self, tick: Any) -> None:
            price = float(tick.price)
            if not self.slow:
                self.fast = self.slow = price
            self.fast = above = self.fast + self.fast_weight * (price - self.fast)
            self.slow = below = self.slow + self.slow_weight * (price - self.slow)
            if (above > below) is not self.was_above:
                self.was_above = not self.was_above
                self.close_all_positions(instrument.id)
                side = OrderSide.BUY if self.was_above else OrderSide.SELL
                qty = instrument.make_qty(Decimal("0.01"))
                self.submit_order(self.order_factory.market(instrument.id, side, qty))

    return EmaCross()


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
