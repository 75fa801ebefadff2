"""Where one core of the simulated exchange is used up: market messages and orders over the wire.

Twenty symbols, a client that listens to all of their trades and touches, and one that places and
cancels 200 orders a second; the market is raised step by step. The figure that a busy machine does
not spoil is the processor time of the exchange: what each order and each message costs, and how
many messages would fill a core beside the orders. The floor beside it are as many pings as there
are orders: what HTTP alone costs.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import os
import statistics
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import aiohttp
import msgspec

from holdfast.model.market import MarketData, MarkPrice, Quote, Trade
from holdfast.model.values import Symbol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SYMBOLS = [
    Symbol(f"{name}USDT")
    for name in (
        *("BTC", "ETH", "SOL", "BNB", "XRP", "DOGE", "ADA", "AVAX", "LINK", "DOT"),
        *("LTC", "BCH", "TRX", "NEAR", "UNI", "ATOM", "ETC", "FIL", "APT", "ARB"),
    )
]
MARKET_PER_S = (0, 1_000, 2_500, 5_000, 10_000, 20_000)
ORDERS_PER_S = 200
WORKERS = 20
BATCHES_PER_S = 20
LEVEL_S = 5.0
FULL = 0.95
"""Of a core: beyond it the exchange does not keep up."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Level(NamedTuple):
    """One step of the load."""

    market_per_s: float
    orders_per_s: float
    core: float
    p50_ms: float
    p99_ms: float


class Target(NamedTuple):
    """The exchange under load."""

    session: aiohttp.ClientSession
    rest: str
    streams: str
    pid: int


def run() -> dict[str, object]:
    """Print the table and return its figures."""
    idle, floor, levels = asyncio.run(_measure())
    head = f"{'exchange, 20 symbols':<30}{'requests/s':>11}{'of a core':>11}"
    print(f"{head}{'p50 ms':>9}{'p99 ms':>9}")
    for name, level in [("floor: pings", floor), *((_name(each), each) for each in levels)]:
        print(
            f"{name:<30}{level.orders_per_s:>11.0f}{level.core:>11.2f}"
            f"{level.p50_ms:>9.2f}{level.p99_ms:>9.2f}"
        )
    costs = {
        "idle_core": idle,
        "us_per_ping": _us(floor.core - idle, floor.orders_per_s),
        "us_per_order": _us(levels[0].core - idle, levels[0].orders_per_s),
    }
    busiest = levels[-1]
    left = busiest.core - idle - busiest.orders_per_s * costs["us_per_order"] / 1e6
    costs["us_per_market_message"] = _us(left, busiest.market_per_s)
    spare = FULL - idle - ORDERS_PER_S * costs["us_per_order"] / 1e6
    costs["market_per_s_at_full_core"] = 1e6 * spare / costs["us_per_market_message"]
    for name, value in costs.items():
        print(f"{name:<30}{value:>11,.2f}")
    return {"floor": floor._asdict(), "levels": [each._asdict() for each in levels], **costs}


def _name(level: Level) -> str:
    return f"{level.market_per_s:,.0f} market messages/s"


def _us(core: float, per_s: float) -> float:
    """Return what each of so many a second costs, of a share of a core."""
    return 1e6 * max(core, 0.0) / per_s


async def _measure() -> tuple[float, Level, list[Level]]:
    async with _target() as target:
        await _show(target, next(_batches(len(SYMBOLS) * 2)))
        idle = _cpu_s(target.pid)
        await asyncio.sleep(LEVEL_S)
        idle = (_cpu_s(target.pid) - idle) / LEVEL_S
        floor = await _level(target, 0, _ping)
        levels: list[Level] = []
        async with _listener(target):
            for market_per_s in MARKET_PER_S:
                levels.append(await _level(target, market_per_s, _order))
                if levels[-1].core >= FULL:
                    break
    return idle, floor, levels


@asynccontextmanager
async def _target() -> AsyncIterator[Target]:
    command = [sys.executable, "-m", "holdfast", "exchange", "--feed", "none", "--unlimited"]
    command += ["--symbols", ",".join(SYMBOLS), "--balance", "100000000"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        urls = msgspec.json.decode(await process.stdout.readline())
        async with aiohttp.ClientSession() as session:
            yield Target(session, urls["rest"], urls["streams"], process.pid)
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _listener(target: Target) -> AsyncIterator[None]:
    """Hear every trade and touch, and throw them away."""
    names = [f"{s.lower()}@{kind}" for s in SYMBOLS for kind in ("aggTrade", "bookTicker")]
    url = f"{target.streams}/stream?streams={'/'.join(names)}"
    async with target.session.ws_connect(url) as socket:

        async def hear() -> None:
            async for _ in socket:
                pass

        task = asyncio.create_task(hear())
        try:
            yield
        finally:
            task.cancel()


async def _level(target: Target, market_per_s: int, ask: _Ask) -> Level:
    took: list[float] = []
    cpu, began = _cpu_s(target.pid), time.perf_counter()
    end = began + LEVEL_S
    workers = [_work(target, ask, took, end, number) for number in range(WORKERS)]
    moving = asyncio.create_task(_move(target, market_per_s, end))
    await asyncio.gather(*workers)
    shown = await moving
    elapsed = time.perf_counter() - began
    core = (_cpu_s(target.pid) - cpu) / elapsed
    p50 = statistics.median(took)
    p99 = statistics.quantiles(took, n=100)[98]
    return Level(shown / elapsed, len(took) / elapsed, core, p50 * 1e3, p99 * 1e3)


async def _move(target: Target, per_s: int, end: float) -> int:
    """Show the market at a pace, as far as the exchange takes it."""
    shown = 0
    if not per_s:
        return shown
    due = time.perf_counter()
    for batch in _batches(per_s // BATCHES_PER_S):
        await _show(target, batch)
        shown += len(batch)
        due += 1 / BATCHES_PER_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if time.perf_counter() >= end:
            break
    return shown


async def _show(target: Target, batch: list[MarketData]) -> None:
    body = msgspec.json.encode(batch)
    async with target.session.post(f"{target.rest}/admin/market", data=body) as answer:
        assert answer.status == 200, await answer.text()


def _batches(size: int) -> Iterator[list[MarketData]]:
    messages = _messages()
    while True:
        yield list(itertools.islice(messages, size))


def _messages() -> Iterator[MarketData]:
    """Make quotes, trades and now and then a mark, symbol by symbol, around 100."""
    for number in itertools.count():
        price = 100.0 + number % 17 / 100
        for symbol in SYMBOLS:
            yield Quote(
                symbol=symbol, ts=0, bid=price, bid_qty=500.0, ask=price + 0.01, ask_qty=500.0
            )
        for symbol in SYMBOLS:
            yield Trade(symbol=symbol, ts=0, price=price, qty=1.0, is_buyer_maker=number % 2 > 0)
        if number % 10 == 0:
            yield from (MarkPrice(symbol=symbol, ts=0, mark_price=price) for symbol in SYMBOLS)


# Requests


async def _work(target: Target, ask: _Ask, took: list[float], end: float, number: int) -> None:
    """Ask at a pace until the end; each worker has a symbol of its own."""
    due = time.perf_counter()
    while (began := time.perf_counter()) < end:
        took.extend(await ask(target, SYMBOLS[number % len(SYMBOLS)]))
        due = max(due + 2 * WORKERS / ORDERS_PER_S, began)  # a placing and a cancel each
        await asyncio.sleep(max(0.0, due - time.perf_counter()))


async def _ping(target: Target, _symbol: Symbol) -> list[float]:
    return [await _timed(target, "GET", "/fapi/v1/ping", "") for _ in range(2)]


async def _order(target: Target, symbol: Symbol) -> list[float]:
    name = f"b{time.perf_counter_ns()}"
    order = {"symbol": symbol, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    order |= {"quantity": "2", "price": "97", "newClientOrderId": name}
    placing = await _timed(target, "POST", "/fapi/v1/order", _signed(order))
    cancel = {"symbol": symbol, "origClientOrderId": name}
    return [placing, await _timed(target, "DELETE", "/fapi/v1/order", _signed(cancel))]


def _signed(params: dict[str, str]) -> str:
    payload = urlencode({**params, "timestamp": time.time_ns() // 10**6, "recvWindow": 60_000})
    return f"?{payload}&signature={hmac.new(b'test', payload.encode(), hashlib.sha256).hexdigest()}"


async def _timed(target: Target, verb: str, path: str, query: str) -> float:
    began = time.perf_counter()
    headers = {"X-MBX-APIKEY": "test"}
    async with target.session.request(verb, target.rest + path + query, headers=headers) as found:
        text = await found.text()
        assert found.status == 200, text
    return time.perf_counter() - began


def _cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    _Ask = Callable[[Target, Symbol], Awaitable[list[float]]]
