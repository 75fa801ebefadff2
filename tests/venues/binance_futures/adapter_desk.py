"""Small servers that answer what a test says, and commands to send them."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import asynccontextmanager
from decimal import Decimal

from aiohttp import web

from holdfast.model.commands import CancelOrder, QueryOrder, SubmitOrder
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    ClOrdId,
    NewOrder,
    OrderRole,
    OrderType,
    Side,
    Symbol,
)
from holdfast.runtime.clock import WallClock
from holdfast.venues.binance_futures.asking import Asker
from holdfast.venues.binance_futures.codec import OrderNames
from holdfast.venues.binance_futures.net import NetWire
from holdfast.venues.binance_futures.order_desk import Doors, OrderDesk
from holdfast.venues.binance_futures.rest import RestClient
from holdfast.venues.binance_futures.sign import Credentials

BTC = Symbol("BTCUSDT")
KEY, SECRET = "canary-key", "canary-secret"
PATIENCE_S = 10.0


def no_jitter() -> float:
    return 0.0


class Scripted:
    """An HTTP server whose every answer a test wrote: the request's path takes the next one.

    An answer is (status, body), or "reset" (the connection breaks), or "hang".
    """

    def __init__(self):
        self.answers: dict[str, list] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.port = 0

    async def _answer(self, request):
        if request.path == "/fapi/v1/time":
            return web.json_response({"serverTime": WallClock().now() // 1_000_000})
        self.requests.append((request.method, request.path, dict(request.query)))
        script = self.answers.get(f"{request.method} {request.path}", [])
        answer = script.pop(0) if len(script) > 1 else script[0]
        if answer == "reset":
            request.transport.abort()
            return web.Response()
        if answer == "hang":
            await asyncio.sleep(3600)
        status, body, *headers = answer
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(
            status=status, text=text, content_type="application/json", headers=dict(*headers)
        )

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def scripted(**answers):
    server = Scripted()
    server.answers = {place.replace("__", " "): script for place, script in answers.items()}
    async with listening(server._answer) as server.port:
        yield server


@asynccontextmanager
async def listening(handler):
    """Serve every path with a handler; give the port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class Desk:
    """An order desk over REST alone, and everything it said."""

    def __init__(self, wire, url, *, retry_attempts=3):
        rest = RestClient(wire, url, Credentials(KEY, SECRET))
        self.clock = WallClock()
        self.asker = Asker(rest, self.clock, no_jitter, retry_attempts=retry_attempts)
        self.heard: list = []
        self.outcomes: list = []
        self.tasks = set()
        doors = Doors(
            lambda call: rest,
            lambda call: itertools.repeat(rest),
            lambda: True,
            self._start,
            self.heard.append,
            self.outcomes.append,
            lambda since: None,
        )
        self.orders = OrderDesk(self.asker, OrderNames(), MAIN, doors, 2 * NS_PER_S)

    def _start(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        return True

    async def done(self):
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*self.tasks)


@asynccontextmanager
async def desk(url, **settings):
    wire = NetWire()
    try:
        yield Desk(wire, url, **settings)
    finally:
        await wire.close()


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


def market_order(name="hf.1.1.0.E.x", qty="0.01", *, side=Side.BUY, reduce_only=False):
    return order(name, OrderType.MARKET, qty, side=side, reduce_only=reduce_only)


def order(name, kind, qty="0.01", *, side=Side.BUY, role=OrderRole.ENTRY, **fields):
    return NewOrder(
        cl_ord_id=ClOrdId(name),
        symbol=BTC,
        side=side,
        qty=Decimal(qty),
        order_type=kind,
        role=role,
        **fields,
    )


def submit(asked, *, window_s=5.0, ts=None):
    return SubmitOrder(
        order=asked,
        ts=WallClock().now() if ts is None else ts,
        recv_window_ns=int(window_s * NS_PER_S),
    )


def cancel(name, *, is_conditional=False, ts=None):
    return CancelOrder(
        account=MAIN,
        symbol=BTC,
        cl_ord_id=ClOrdId(name),
        is_conditional=is_conditional,
        ts=WallClock().now() if ts is None else ts,
        recv_window_ns=5 * NS_PER_S,
    )


def query(name, *, is_conditional=False):
    return QueryOrder(
        account=MAIN, symbol=BTC, cl_ord_id=ClOrdId(name), is_conditional=is_conditional
    )


def ack(name="hf.1.1.0.E.x", status="NEW", **fields):
    """Return an acknowledgement as the venue writes it."""
    return {
        "orderId": 77,
        "symbol": "BTCUSDT",
        "status": status,
        "clientOrderId": name,
        "price": "0",
        "origQty": "0.01",
        "executedQty": "0",
        "cumQty": "0",
        "timeInForce": "GTC",
        "type": "MARKET",
        "reduceOnly": False,
        "side": "BUY",
        "positionSide": "BOTH",
        "updateTime": 1_700_000_000_000,
        **fields,
    }
