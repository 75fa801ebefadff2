"""What it costs to replay trades through the whole engine, beside the strategy alone.

A million trades of one symbol, an EMA cross written as a `Strategy` that hears every trade and
turns its position now and then; stop and target rest at the exchange meanwhile. Figures are of
CPU time, the best of several runs in processes of their own:

- floor: the strategy's hook called with ready messages, and nothing else;
- replay: `replay` over a file of columns, decoding included, journal in memory;
- careful: the same without leaving anything out (fewer trades), which must give the same facts;
- nautilus: NautilusTrader's BacktestEngine on the same trades, where it is installed, and
  NautilusTrader 2 where NAUTILUS names a Python that has it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.memory import peak_mb
from holdfast.feeds import RecordingFeed
from holdfast.feeds.columns import RECORD
from holdfast.journal import MemoryJournal
from holdfast.model.config import TradingConfig
from holdfast.model.market import Trade
from holdfast.model.values import SignalType
from holdfast.runtime.replay import Replayed, replay
from holdfast.strategies import Strategy

TRADES = 1_000_000
CAREFUL_TRADES = 100_000
ROUNDS = 5
FAST, SLOW = 5_000, 20_000
START = 1_700_000_000_000_000_000


class EmaCross(Strategy):
    """Turns where the fast average of the tape crosses the slow one."""

    def __init__(self, fast: int = FAST, slow: int = SLOW) -> None:
        self.fast_weight, self.slow_weight = 2 / (fast + 1), 2 / (slow + 1)
        self.fast = self.slow = 0.0
        self.was_above = False

    def on_trade(self, trade: Trade) -> None:
        price = trade.price
        if not self.slow:
            self.fast = self.slow = price
        self.fast = fast = self.fast + self.fast_weight * (price - self.fast)
        self.slow = slow = self.slow + self.slow_weight * (price - self.slow)
        if (fast > slow) is not self.was_above:
            self.was_above = not self.was_above
            if self.ctx.position(trade.symbol):
                self.signal(SignalType.CLOSE, trade.symbol)
            side = SignalType.BUY if self.was_above else SignalType.SELL
            self.signal(side, trade.symbol, quantity="0.01")


def run() -> dict[str, object]:
    """Print the table and return its figures."""
    with tempfile.TemporaryDirectory(prefix="hfbench") as folder:
        path = Path(folder) / "BTCUSDT-trades.npy"
        make_tape(path, TRADES)
        found: dict[str, Any] = {"floor": {}, "replay": {}}
        for _ in range(ROUNDS):  # interleaved, so that a noisy spell hits both alike
            for name, best in found.items():
                one = _in_process(name, path)
                if not best or one["cpu_s"] < best["cpu_s"]:
                    found[name] = {**one}
        found["careful"] = _in_process("careful", path)
        if importlib.util.find_spec("nautilus_trader"):
            found["nautilus"] = _in_process("nautilus", path)
        if python := os.environ.get("NAUTILUS"):
            found["nautilus 2"] = _in_another(python, path)
    assert found["careful"]["is_same"], "leaving out changed a fact"
    floor = found["floor"]["rate"]
    print(f"{'1M trades, EMA cross':<24}{'trades/s':>12}{'of floor':>10}{'fills':>8}{'peak MB':>9}")
    for name, one in found.items():
        print(
            f"{name:<24}{one['rate']:>12,.0f}{one['rate'] / floor:>10.0%}"
            f"{one.get('fills', ''):>8}{one['peak_mb']:>9.0f}"
        )
    return found


def make_tape(path: Path, count: int, seed: int = 1) -> None:
    """Write trades of a random walk, a hundred a second."""
    chance = np.random.default_rng(seed)
    records = np.zeros(count, RECORD)
    records["ts"] = START + np.cumsum(chance.exponential(1e7, count)).astype(np.int64)
    records["price"] = np.round(60_000 + np.cumsum(chance.normal(0, 0.3, count)), 1)
    records["qty"] = np.round(chance.exponential(0.05, count) + 0.001, 3)
    records["trade_id"] = np.arange(count)
    records["is_buyer_maker"] = chance.random(count) < 0.5
    np.save(path, records)


def _in_process(name: str, path: Path) -> dict[str, Any]:
    """Measure in a process of its own: the memory of others is not this one's."""
    command = [sys.executable, "-m", "bench.replay", name, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _in_another(python: str, path: Path) -> dict[str, Any]:
    """Measure NautilusTrader 2 in the environment that has it."""
    script = str(Path(__file__).with_name("replay_nautilus2.py"))
    command = [python, script, str(path), str(FAST), str(SLOW)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _floor(path: Path) -> dict[str, Any]:
    trades: list[Any] = [each for chunk in RecordingFeed(path).read() for each in chunk]
    strategy = EmaCross()
    strategy.bind("bench", lambda _: None, _Flat())  # type: ignore[arg-type]
    hook = strategy.on_trade
    began = time.process_time()
    for trade in trades:
        hook(trade)
    return _figures(len(trades), time.process_time() - began)


class _Flat:
    is_warming_up = True

    def position(self, _: object) -> int:
        return 0


def _replay(path: Path) -> dict[str, Any]:
    done, _ = _replayed(RecordingFeed(path))
    assert done.books is not None
    assert not done.fault, done.fault
    assert not done.books.positions_diff, "the books differ"
    return _figures(TRADES, done.cpu_s) | {"fills": done.figures.fills}


def _careful(path: Path) -> dict[str, Any]:
    span = {"duration_s": CAREFUL_TRADES / 100}
    feed = RecordingFeed(path, **span)  # type: ignore[arg-type]
    count = sum(len(chunk) for chunk in feed.read())
    done, careful = _replayed(_Unrecorded(feed))
    _, quick = _replayed(RecordingFeed(path, **span))  # type: ignore[arg-type]
    figures = _figures(count, done.cpu_s) | {"fills": done.figures.fills}
    return figures | {"is_same": careful.facts == quick.facts, "facts": len(quick.facts)}


class _Unrecorded:
    """A recording that can only be read as a stream: nothing is left out then."""

    def __init__(self, feed: RecordingFeed) -> None:
        for name in ("name", "is_live", "pace", "default_timeframe", "start_ts"):
            setattr(self, name, getattr(feed, name))
        for method in ("instruments", "history", "messages"):
            setattr(self, method, getattr(feed, method))


def _replayed(feed: Any) -> tuple[Replayed, MemoryJournal]:
    config = TradingConfig(symbols=("BTCUSDT",), max_daily_loss_pct="1", log_trades=False)
    journal = MemoryJournal()
    work = replay(config, [EmaCross()], feed, journal=journal, session_id="bench")
    return asyncio.run(work), journal


def _nautilus(path: Path) -> dict[str, Any]:
    from bench.replay_nautilus import measure

    found: dict[str, Any] = measure(path, FAST, SLOW)
    return found


def _figures(count: int, cpu_s: float) -> dict[str, Any]:
    return {"cpu_s": cpu_s, "rate": count / cpu_s, "peak_mb": peak_mb()}


MEASURES = {"floor": _floor, "replay": _replay, "careful": _careful, "nautilus": _nautilus}

if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]](Path(sys.argv[2]))))
