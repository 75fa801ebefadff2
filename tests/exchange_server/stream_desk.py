"""An exchange with its sockets open on the loopback, a clock that is moved by hand, and clients."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web

from holdfast.exchange import Liquidity, known_instrument
from holdfast.exchange_server.app import METHODS, Door
from holdfast.exchange_server.broadcast import Broadcast
from holdfast.exchange_server.faults import Kind, Rule, Script
from holdfast.exchange_server.settings import ApiKey, ServerSettings
from holdfast.exchange_server.venue import Venue
from holdfast.model.market import BookDelta, BookSnapshot, MarkPrice, Quote, Trade
from holdfast.model.values import (
    AccountId,
    ClOrdId,
    NewOrder,
    OrderType,
    Side,
    Symbol,
)

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
MS = 1_000_000
S = 1000 * MS
START = 1_795_000_200 * S  # the begin of a minute
ALICE, BOB = AccountId("alice"), AccountId("bob")
WAIT_S = 5.0
FIELDS = Path(__file__).resolve().parents[2] / "../shared/design/binance/sdk18_fields.json"


class Client:
    """One socket's other end."""

    def __init__(self, socket):
        self.socket = socket
        self.asked = 0

    async def next(self):
        return await self.socket.receive_json(timeout=WAIT_S)

    async def ask(self, method, params=None, id_=None):
        """Send a control message and return the reply; nothing may come before it."""
        self.asked += 1
        request = {"method": method, "id": self.asked if id_ is None else id_}
        if params is not None:
            request["params"] = params
        await self.socket.send_str(json.dumps(request))
        return await self.next()

    async def subscribe(self, *names):
        assert (await self.ask("SUBSCRIBE", list(names)))["result"] is None

    async def heard(self):
        """Return everything that has been sent up to now, without waiting for more."""
        marker = f"marker{self.asked}"
        await self.socket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": marker}))
        self.asked += 1
        frames: list[dict] = []
        while True:
            frame = await self.next()
            if isinstance(frame, dict) and frame.get("id") == marker:
                return frames
            frames.append(frame)

    async def call(self, method, id_=1, *, secret="", **params):
        """Ask the WebSocket API, signed when there is a secret."""
        if secret:
            params["signature"] = sign(secret, params)
        await self.socket.send_str(json.dumps({"id": id_, "method": method, "params": params}))
        return await self.next()


def sign(secret, params):
    text = "&".join(f"{k}={_text(params[k])}" for k in sorted(params))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


class StreamDesk:
    def __init__(self, *, liquidity=None, balance=10_000, **settings):
        self.now = START
        self.count = 0
        self.sockets = []
        self.settings = ServerSettings(
            keys=(
                ApiKey(key="ka", secret="sa", account=ALICE),
                ApiKey(key="kb", secret="sb", account=BOB),
            ),
            balance=Decimal(balance),
            liquidity=liquidity or Liquidity(beyond_touch=None),
            **settings,
        )
        instruments = [each for each in map(known_instrument, (BTC, ETH)) if each]
        self.venue = Venue(self.settings, instruments, clock=lambda: self.now)
        self.broadcast = Broadcast(self.venue, METHODS)

    async def start(self):
        app = web.Application()
        app.add_routes(self.broadcast.routes())
        app.router.add_route("*", "/{path:.*}", Door(self.venue).answer)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]
        self.http = aiohttp.ClientSession(f"http://127.0.0.1:{self.port}")

    async def stop(self):
        await self.broadcast.close()
        for socket in self.sockets:
            await socket.close()
        await self.http.close()
        await self.runner.cleanup()
        self.venue.close()

    async def connect(self, path, **more):
        self.sockets.append(await self.http.ws_connect(path, **more))
        return Client(self.sockets[-1])

    async def get(self, path, **params):
        async with self.http.get(path, params=params) as reply:
            return await reply.json()

    def listen_key(self, account=ALICE):
        return self.venue.listen_keys.start(account, self.now)

    async def user(self, account=ALICE, path="/private/ws?listenKey={}"):
        return await self.connect(path.format(self.listen_key(account)))

    # time and market

    def advance(self, ms):
        """Let time pass, and everything speak whose time has come."""
        self.now += ms * MS
        self.venue.tick()
        self.broadcast.pulse()

    def quote(self, bid, ask, bid_qty=1.0, ask_qty=1.0, symbol=BTC):
        self.show(
            Quote(symbol=symbol, ts=self.now, bid=bid, ask=ask, bid_qty=bid_qty, ask_qty=ask_qty)
        )

    def trade(self, price, qty=0.01, *, sells=False, symbol=BTC):
        self.show(Trade(symbol=symbol, ts=self.now, price=price, qty=qty, is_buyer_maker=sells))

    def mark(self, price, symbol=BTC, **more):
        self.show(MarkPrice(symbol=symbol, ts=self.now, mark_price=price, **more))

    def book(self, bids, asks, symbol=BTC, last_update_id=0):
        self.show(
            BookSnapshot(
                symbol=symbol,
                ts=self.now,
                bids=tuple(bids),
                asks=tuple(asks),
                last_update_id=last_update_id,
            )
        )

    def delta(self, number, bids=(), asks=(), symbol=BTC):
        self.show(
            BookDelta(
                symbol=symbol,
                ts=self.now,
                first_id=number,
                final_id=number,
                previous_id=number - 1,
                bids=tuple(bids),
                asks=tuple(asks),
            )
        )

    def show(self, message):
        self.venue.on_market(message)

    # orders

    def order(self, side, qty, price=None, *, kind=None, account=ALICE, symbol=BTC, **more):
        self.count += 1
        kind = kind or (OrderType.MARKET if price is None else OrderType.LIMIT)
        order = NewOrder(
            cl_ord_id=ClOrdId(more.pop("cl_ord_id", f"o{self.count}")),
            symbol=symbol,
            side=side,
            qty=Decimal(str(qty)),
            price=None if price is None else Decimal(str(price)),
            order_type=kind,
            account=account,
            **more,
        )
        return order, self.venue.submit(order)

    def buy(self, qty, price=None, **more):
        return self.order(Side.BUY, qty, price, **more)

    def sell(self, qty, price=None, **more):
        return self.order(Side.SELL, qty, price, **more)

    def fault(self, kind, **rule):
        self.venue.faults.give(Script(faults=[Rule(kind=Kind(kind), **rule)]), self.now)


@asynccontextmanager
async def open_desk(**settings):
    desk = StreamDesk(**settings)
    await desk.start()
    try:
        yield desk
    finally:
        await desk.stop()


def sdk_fields():
    """The official client's lists of fields; None where they are not at hand."""
    if not FIELDS.exists():
        return None
    return msgspec.json.decode(FIELDS.read_bytes())
