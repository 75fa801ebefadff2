"""A real exchange on a port with a market that is moved by hand, and a client that signs."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import time
from urllib.parse import urlencode

import aiohttp
import msgspec

from holdfast.exchange_server import LimitSettings, ServerSettings, create_server
from holdfast.feeds import FeedSettings
from holdfast.model.market import Quote, Trade
from holdfast.model.values import NS_PER_MS, Symbol

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
NO_LIMITS = LimitSettings(weight_1m=0, orders_10s=0, orders_1m=0, funding_5m=0, statistics_5m=0)


class Clock:
    """The wall's time, and what a test adds to it."""

    def __init__(self):
        self.ahead = 0

    def __call__(self):
        return time.time_ns() + self.ahead

    def pass_s(self, seconds):
        self.ahead += round(seconds * 1e9)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self):
        return self.body.get("code") if isinstance(self.body, dict) else None

    def __getitem__(self, name):
        return self.body[name]


class RestDesk:
    def __init__(self, server, session, clock, key="test", secret="test"):
        self.server, self.session, self.clock = server, session, clock
        self.key, self.secret = key, secret

    @property
    def venue(self):
        return self.server.venue

    def sign(self, payload):
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    def now_ms(self):
        return self.clock() // NS_PER_MS

    async def raw(self, method, path, *, query="", body="", headers=None):
        """Send texts as they are."""
        from yarl import URL

        url = URL(f"{self.server.urls['rest']}{path}{'?' + query if query else ''}", encoded=True)
        sent = {"X-MBX-APIKEY": self.key, **(headers or {})}
        async with self.session.request(method, url, data=body or None, headers=sent) as found:
            content = await found.read()
            return Reply(found.status, found.headers, msgspec.json.decode(content))

    async def public(self, path, **params):
        return await self.raw("GET", path, query=urlencode(params), headers={"X-MBX-APIKEY": ""})

    async def call(self, method, path, /, *, in_body=False, **params):
        """Send a signed request."""
        params.setdefault("timestamp", self.now_ms())
        payload = urlencode(params)
        signed = f"{payload}&signature={self.sign(payload)}"
        if in_body:
            return await self.raw(method, path, body=signed)
        return await self.raw(method, path, query=signed)

    async def order(self, side="BUY", qty="0.01", price=None, **more):
        params = {"symbol": BTC, "side": side, "quantity": qty, "type": "MARKET", **more}
        if price is not None:
            params |= {"price": price, "type": "LIMIT", "timeInForce": "GTC", **more}
        return await self.call("POST", "/fapi/v1/order", **params)

    async def stop(self, side="SELL", trigger="49000", **more):
        params = {"symbol": BTC, "side": side, "type": "STOP_MARKET", "algoType": "CONDITIONAL"}
        params |= {"triggerPrice": trigger, "quantity": "0.01", **more}
        wanted = {name: value for name, value in params.items() if value is not None}
        return await self.call("POST", "/fapi/v1/algoOrder", **wanted)

    def quote(self, bid="50000", ask="50001", qty=10.0, symbol=BTC):
        quote = Quote(
            symbol=symbol, ts=self.clock(), bid=float(bid), bid_qty=qty, ask=float(ask), ask_qty=qty
        )
        self.venue.on_market(quote)

    def trade(self, price, qty=100.0, symbol=BTC, **more):
        self.venue.on_market(
            Trade(symbol=symbol, ts=self.clock(), price=float(price), qty=qty, **more)
        )


@contextlib.asynccontextmanager
async def rest_desk(**settings):
    clock = settings.pop("clock", None) or Clock()
    feed = settings.pop("feed", FeedSettings(source="none"))
    defaults = {"symbols": (BTC, ETH), "limits": NO_LIMITS}
    server = create_server(ServerSettings(feed=feed, **{**defaults, **settings}), clock=clock)
    await server.start()
    async with aiohttp.ClientSession() as session:
        desk = RestDesk(server, session, clock)
        if feed.source == "none":
            desk.quote()
            desk.trade("50000.5")
        try:
            yield desk
        finally:
            await server.stop()
