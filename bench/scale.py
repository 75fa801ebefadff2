"""What a message costs when one session follows many symbols with many strategies.

A whole session (`LiveTradingService`, paper account, journal on disk, all rules) is shown the
frames of Binance's trade stream, read by the product's own codec, one trade a second of each
symbol, as fast as it takes them. Bars of a minute are built of the trades; every strategy hears the
bars of every symbol, crosses its averages and trades. A message is a trade; its cost is the
process's CPU time over all of them, bars, strategies, orders and journal included, the best of
`ROUNDS` processes. `POSITIONS` lifts the limit of ten positions.

The floor beside it reads the same frames and does nothing with them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import rich
from rich.table import Table

from bench.memory import now_mb, peak_mb
from holdfast.feeds import SyntheticFeed
from holdfast.feeds.settings import FeedSettings
from holdfast.model.config import TradingConfig
from holdfast.model.instrument import Instrument
from holdfast.model.market import Bar, MarketData, timeframe_ns
from holdfast.model.values import NS_PER_MS, NS_PER_S, Symbol
from holdfast.runtime.service import LiveTradingService
from holdfast.venues.binance_futures.codec import StreamReply, read_market

SYMBOLS = [int(each) for each in os.environ.get("SYMBOLS", "10 50 100 200 500").split()]
STRATEGIES = [int(each) for each in os.environ.get("STRATEGIES", "1 5 10 20").split()]
MESSAGES = int(os.environ.get("MESSAGES", "150000"))
ROUNDS = int(os.environ.get("ROUNDS", "2"))
GOAL_US = 25.0
"""For 500 symbols and 10 strategies."""

POSITIONS = int(os.environ.get("POSITIONS", "10"))
"""At most so many at a time, as by default; each has its stop and its target at the venue."""

BATCH = 64
START = 1_700_000_040 * NS_PER_S  # on a minute


def run() -> dict[str, object]:
    """Print the table and return its figures."""
    found: dict[str, dict[str, Any]] = {}
    for _ in range(ROUNDS):  # interleaved, so that a noisy spell hits none alone
        for symbols in SYMBOLS:
            for strategies in STRATEGIES:
                name, one = f"{symbols} x {strategies}", _in_process(symbols, strategies)
                if name not in found or one["us"] < found[name]["us"]:
                    found[name] = one
    _print(found)
    return {"scale": found, "messages": MESSAGES, "rounds": ROUNDS, "goal_us": GOAL_US}


def _in_process(symbols: int, strategies: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.scale", str(symbols), str(strategies)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _print(found: dict[str, dict[str, Any]]) -> None:
    table = Table("symbols x strategies", title="one session, bars of a minute built from trades")
    headings = ("CPU us a message", "floor us", "messages/s a core", "bars heard", "fills")
    for heading in (*headings, "denied", "session MB"):
        table.add_column(heading, justify="right")
    for name, one in found.items():
        cells = [f"{one['us']:.1f}", f"{one['floor_us']:.1f}", f"{1e6 / one['us']:,.0f}"]
        counts = [f"{one[key]:,}" for key in ("bars", "fills", "denied")]
        table.add_row(name, *cells, *counts, f"{one['mb']:.0f}")
    rich.print(table)


# One cell, in a process of its own


class FramesFeed:
    """The trade streams of some symbols as frames that are there already."""

    name = "frames"
    is_live = False
    default_timeframe = "1m"
    pace = 0.0
    start_ts = START

    def __init__(self, symbols: Sequence[Symbol], messages: int, seed: int = 1) -> None:
        self._symbols = symbols
        settings = FeedSettings(symbols=tuple(symbols), start_ts=START)
        self._contracts = list(SyntheticFeed(settings).instruments())
        self._chance = np.random.default_rng(seed)
        self._firsts = {each.symbol: _first_price(each) for each in self._contracts}
        self.frames = list(self._frames(messages))
        self.cpu_s = 0.0

    def _frames(self, messages: int) -> Iterator[bytes]:
        """Yield one trade of each symbol a second, in an order of chance."""
        chance, at, number = self._chance, START // NS_PER_MS, 0
        prices = np.array([self._firsts[symbol] for symbol in self._symbols])
        ticks = [max(0, -int(each.tick.as_tuple().exponent)) for each in self._contracts]
        while number < messages:
            prices *= 1 + chance.normal(0, 2e-4, len(prices))
            times = at + np.sort(chance.integers(0, 1_000, len(prices)))
            for ts, place in zip(times, chance.permutation(len(prices)), strict=True):
                symbol, price = self._symbols[place], f"{prices[place]:.{ticks[place]}f}"
                number += 1
                yield _frame(symbol, int(ts), number, price)
            at += 1_000

    def instruments(self) -> Sequence[Instrument]:
        return self._contracts

    def history(self, symbol: Symbol, timeframe: str, before_ts: int, count: int) -> list[Bar]:
        """Return a walk that ends where the stream begins."""
        length = timeframe_ns(timeframe)
        last_ts = before_ts - before_ts % length
        steps = self._chance.normal(0, 1e-3, count)[::-1].cumsum()[::-1]
        closes = (self._firsts[symbol] * (1 + steps)).tolist()
        return [
            _bar(symbol, timeframe, last_ts - (count - 1 - i) * length, length, close)
            for i, close in enumerate(closes)
        ]

    async def messages(self, after_ts: int = 0) -> AsyncIterator[Sequence[MarketData]]:
        del after_ts
        frames = self.frames
        await asyncio.sleep(0.05)  # what a start leaves to do is none of the messages' cost
        began = time.process_time()
        for start in range(0, len(frames), BATCH):
            yield [each for frame in frames[start : start + BATCH] for each in _read(frame)]
            await asyncio.sleep(0)  # a stream lets other tasks have their turn
        self.cpu_s = time.process_time() - began


def _frame(symbol: Symbol, ts: int, number: int, price: str) -> bytes:
    trade = {
        "e": "aggTrade",
        "E": ts + 3,
        "s": symbol,
        "a": number,
        "p": price,
        "q": "1.250",
        "f": number,
        "l": number,
        "T": ts,
        "m": bool(number % 2),
    }
    return msgspec.json.encode({"stream": f"{symbol.lower()}@aggTrade", "data": trade})


def _read(frame: bytes) -> list[MarketData]:
    return [each for each in read_market(frame) if not isinstance(each, StreamReply)]


def _bar(symbol: Symbol, timeframe: str, ts: int, length: int, price: float) -> Bar:
    return Bar(
        symbol=symbol,
        timeframe=timeframe,
        open_ts=ts - length,
        ts=ts,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=1.0,
        trade_count=1,
    )


def _first_price(contract: Instrument) -> float:
    return max(float(contract.tick) * 20_000, 1.0)


def _measured(symbols: int, strategies: int) -> dict[str, Any]:
    """Run one session over all frames and return its figures."""
    feed = FramesFeed([Symbol(f"S{i:03}USDT") for i in range(symbols)], MESSAGES)
    began = time.process_time()
    for frame in feed.frames:
        _read(frame)
    floor_s, before_mb = time.process_time() - began, now_mb()
    with tempfile.TemporaryDirectory(prefix="hfbench") as folder:
        service = asyncio.run(_session(feed, strategies, Path(folder)))
    stats = asyncio.run(service.get_session_stats())
    assert not service.fault, service.fault
    return {
        "us": 1e6 * feed.cpu_s / len(feed.frames),
        "floor_us": 1e6 * floor_s / len(feed.frames),
        "bars": len(feed.frames) // 60 * strategies,
        "fills": stats.fills,
        "denied": stats.denied,
        "mb": peak_mb() - before_mb,
    }


async def _session(feed: FramesFeed, strategies: int, folder: Path) -> LiveTradingService:
    config = TradingConfig(
        dry_run=True,
        data_dir=folder,
        speed=0.0,
        log_trades=False,
        max_positions=POSITIONS,
        position_size_pct=str(1 / POSITIONS),
        max_daily_loss_pct="1",
    )
    service = LiveTradingService(config=config)
    names = [f"sma_cross:fast={5 + i},slow={20 + 2 * i},timeframe=1m" for i in range(strategies)]
    await service.start_session(strategies=names, feed=feed)
    await service.wait()
    return service


if __name__ == "__main__":
    print(json.dumps(_measured(int(sys.argv[1]), int(sys.argv[2]))))
