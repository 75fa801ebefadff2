"""The live road: frames decoded, and a market frame in until its order frame is out.

The second figure is of a whole session (feed, strategy, engine, journal, signing, socket) against
`holdfast exchange` in a process of its own. A relay between the two, in a third process, takes
the times: when it passed a quote on, and when the order that it led to came by. Beside it stands
the floor: the same relay, and a client that answers a quote with a frame of an order's size.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop

from holdfast import BinanceFuturesBroker, LiveTradingService, Strategy, TradingConfig
from holdfast.feeds import FeedSettings
from holdfast.feeds.binance_futures import BinanceFuturesFeed
from holdfast.model.market import Quote
from holdfast.model.values import Symbol
from holdfast.venues.binance_futures.codec import OrderNames, UserStream, read_market
from holdfast.venues.binance_futures.net import NetWire
from holdfast.venues.binance_futures.wire import Ears

BTC = Symbol("BTCUSDT")
DECODED = 100_000
ORDERS = 30
QUOTES_AN_ORDER = 5
PATIENCE_S = 180.0
ORDER_BYTES_MIN = 200
"""Frames to the WebSocket API that are shorter are pongs."""

FRAMES = {
    "bookTicker": (
        b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":7,"E":1790000000000,'
        b'"T":1790000000000,"s":"BTCUSDT","ps":"BTCUSDT","b":"61234.50","B":"3.217",'
        b'"a":"61234.60","A":"0.841","st":1}}'
    ),
    "aggTrade": (
        b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1790000000000,"s":"BTCUSDT",'
        b'"a":5,"p":"61234.50","q":"0.014","nq":"0.014","f":5,"l":6,"T":1790000000000,"m":false,'
        b'"st":1}}'
    ),
}
FILL = (
    b'{"e":"ORDER_TRADE_UPDATE","T":1790000000000,"E":1790000000000,"o":{"s":"BTCUSDT",'
    b'"c":"hf.1.2.3.E.sma_cross","S":"BUY","o":"MARKET","f":"GTC","q":"0.03","p":"0","ap":"61234.5",'
    b'"sp":"0","x":"TRADE","X":"FILLED","i":7001,"l":"0.03","z":"0.03","L":"61234.5",'
    b'"n":"0.36740700","N":"USDT","T":1790000000000,"t":9001,"b":"0","a":"0","m":false,"R":false,'
    b'"wt":"CONTRACT_PRICE","ot":"MARKET","ps":"BOTH","cp":false,"rp":"0","pP":false,"si":0,"ss":0,'
    b'"V":"EXPIRE_MAKER","pm":"NONE","gtd":0,"er":"0"}}'
)


def run() -> dict[str, object]:
    """Print the table and return its figures."""
    decoded = {f"decode {name}": _decode(read_market, raw) for name, raw in FRAMES.items()}
    decoded["decode a fill"] = _decode(UserStream(OrderNames()).read, FILL)
    for name, us in decoded.items():
        print(f"{name:<34}{us:>9.2f} us {1e6 / us:>12,.0f} a second")
    with _exchange() as port:
        floor = _measured(port, _answer_quotes)
        session = _measured(port, _trade)
    for name, times in (("floor: frame in, frame out", floor), ("quote in, order out", session)):
        print(f"{name:<34}{times['p50']:>9.0f} us p50 {times['p99']:>9.0f} us p99")
    return {"decode_us": decoded, "floor_us": floor, "quote_to_order_us": session}


def _decode(read: object, raw: bytes) -> float:
    assert callable(read)
    for _ in range(1000):
        read(raw)
    began = time.perf_counter()
    for _ in range(DECODED):
        read(raw)
    return (time.perf_counter() - began) / DECODED * 1e6


@contextlib.contextmanager
def _exchange() -> Iterator[int]:
    command = [sys.executable, "-m", "holdfast", "exchange", "--unlimited", "--symbols", BTC]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        urls = json.loads(process.stdout.readline())
        url = urls.get("rest") or urls["urls"]["rest"]
        try:
            yield int(url.rsplit(":", 1)[1])
        finally:
            process.terminate()


def _measured(port: int, work: object) -> dict[str, float]:
    """Do the work through a relay of its own and return what it saw, microseconds."""
    assert callable(work)
    command = [sys.executable, "-m", "bench.wire", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as relay:
        assert relay.stdout is not None
        here = f"127.0.0.1:{relay.stdout.readline().strip()}"
        uvloop.run(asyncio.wait_for(work(here), PATIENCE_S))
        told, _ = relay.communicate("", timeout=30)
    times = sorted(json.loads(told))
    assert len(times) >= ORDERS // 2, f"only {len(times)} orders came by"
    return {
        "p50": times[len(times) // 2],
        "p99": times[int(len(times) * 0.99)],
        "count": float(len(times)),
    }


async def _answer_quotes(here: str) -> None:
    """Answer quotes with frames of an order's size, without a thought."""
    wire, sent, enough = NetWire(), 0, asyncio.Event()
    orders = await wire.open_socket(
        f"ws://{here}/ws-fapi/v1", Ears(lambda _: None, lambda: None, lambda _: None)
    )
    order = b'{"id":1,"method":"order.test","params":{"x":"' + b"x" * 300 + b'"}}'

    def answer(_: bytes) -> None:
        nonlocal sent
        sent += 1
        if sent % QUOTES_AN_ORDER == 0:
            orders.send(order)
        if sent >= ORDERS * QUOTES_AN_ORDER:
            enough.set()

    ears = Ears(answer, lambda: None, lambda _: None)
    quotes = await wire.open_socket(f"ws://{here}/public/stream?streams=btcusdt@bookTicker", ears)
    await enough.wait()
    quotes.close()
    orders.close()
    await wire.close()


class EachQuote(Strategy):
    """Trade on every few quotes, there and back."""

    def __init__(self, enough: asyncio.Event) -> None:
        super().__init__()
        self._seen = self._sent = 0
        self._enough = enough

    def on_quote(self, quote: Quote) -> None:
        self._seen += 1
        if self._seen % QUOTES_AN_ORDER or self._enough.is_set():
            return
        self._sent += 1
        self.signal(
            "BUY" if self._sent % 2 else "SELL",
            quote.symbol,
            f"0.{2 + self._sent // 2 % 7:03}",  # two alike in a row would be refused
            stop_loss=0,
            take_profit=0,
        )
        if self._sent >= ORDERS:
            self._enough.set()


async def _trade(here: str) -> None:
    with tempfile.TemporaryDirectory(prefix="hfbench") as folder:
        enough = asyncio.Event()
        config = TradingConfig(dry_run=False, data_dir=Path(folder), leverage=10, log_trades=False)
        service = LiveTradingService(config=config)
        url = f"http://{here}"
        service.set_broker(BinanceFuturesBroker("test", "test", rest_url=url))
        feed = BinanceFuturesFeed(FeedSettings(symbols=(BTC,)), rest_url=url)
        await service.start_session("bench", [EachQuote(enough)], [BTC], feed=feed)
        await enough.wait()
        await asyncio.sleep(0.5)
        await service.stop("the benchmark is over")


# The relay


class _End(asyncio.Protocol):
    """One side of a relayed connection."""

    def __init__(self, relay: _Relay, other: _End | None = None) -> None:
        self.relay = relay
        self.other = other
        self.transport: asyncio.Transport | None = None
        self.kind = ""
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        if self.other is None:  # a client: the exchange is to be called
            self.relay.call(self)
        else:
            self.other.flush(self)

    def flush(self, exchange: _End) -> None:
        self.other = exchange
        early, self._early = self._early, []
        for chunk in early:
            self._pass_on(chunk)

    def data_received(self, data: bytes) -> None:
        if not self.kind and self.relay.is_client(self):
            path = data.split(b" ", 2)[1] if data.count(b" ") > 1 else b""
            self.kind = "orders" if b"ws-fapi" in path else "quotes" if b"public" in path else "-"
        elif self.kind == "orders" and len(data) >= ORDER_BYTES_MIN:
            self.relay.saw_order(time.perf_counter_ns())
        if self.other is None:
            self._early.append(data)
        else:
            self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        assert self.other is not None
        if self.other.transport is None:
            return
        self.other.transport.write(data)
        if self.other.kind == "quotes":
            self.relay.quoted_ns = time.perf_counter_ns()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class _Relay:
    """Passes bytes on and takes the times."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients: set[_End] = set()
        self._calls: set[asyncio.Task[object]] = set()
        self.quoted_ns = 0
        self.times: list[float] = []

    def client(self) -> _End:
        made = _End(self)
        self._clients.add(made)
        return made

    def is_client(self, end: _End) -> bool:
        return end in self._clients

    def call(self, client: _End) -> None:
        loop = asyncio.get_running_loop()
        work = loop.create_connection(lambda: _End(self, client), "127.0.0.1", self._port)
        task = loop.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    def saw_order(self, now_ns: int) -> None:
        if self.quoted_ns:
            self.times.append((now_ns - self.quoted_ns) / 1e3)


async def _relay(port: int) -> None:
    relay = _Relay(port)
    server = await asyncio.get_running_loop().create_server(relay.client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps(relay.times), flush=True)


if __name__ == "__main__":
    uvloop.run(_relay(int(sys.argv[1])))
