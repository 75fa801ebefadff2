"""The bare loop: picows, msgspec and hmac on uvloop; a marked trade becomes an order at once.

What a program can't be below that reads the market over one WebSocket and sends signed orders
over another, in this language and with these libraries: no risk, no journal, no books.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
import time

import msgspec
import picows
import uvloop
from picows import WSMsgType

KEY, SECRET, STREAMS, WS_API, SYMBOL, BUY, CLOSE, QTY = sys.argv[1:9]


class Trade(msgspec.Struct):
    """What is read of a trade."""

    s: str
    p: float
    q: float


_decode = msgspec.json.Decoder(Trade, strict=False).decode
_sign = hmac.new(SECRET.encode(), digestmod=hashlib.sha256)
_buy, _close = float(BUY), float(CLOSE)


class Orders(picows.WSListener):
    """The WebSocket API; answers are read and thrown away."""

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.transport, self.number = transport, 0

    def place(self, side: str, *, reduces: bool) -> None:
        self.number += 1
        now = time.time_ns() // 1_000_000
        params = {
            "apiKey": KEY,
            "newClientOrderId": f"bare-{now}-{self.number}",
            "quantity": QTY,
            "recvWindow": "5000",
            "reduceOnly": "true" if reduces else "false",
            "side": side,
            "symbol": SYMBOL,
            "timestamp": str(now),
            "type": "MARKET",
        }
        signature = _sign.copy()
        signature.update("&".join(f"{k}={v}" for k, v in params.items()).encode())
        params["signature"] = signature.hexdigest()
        request = {"id": str(self.number), "method": "order.place", "params": params}
        self.transport.send(WSMsgType.TEXT, msgspec.json.encode(request))


class Market(picows.WSListener):
    """The stream of trades."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        trade = _decode(frame.get_payload_as_memoryview())
        if trade.q == _buy:
            self._orders.place("BUY", reduces=False)
        elif trade.q == _close:
            self._orders.place("SELL", reduces=True)


async def main() -> None:
    orders = Orders()
    await picows.ws_connect(lambda: orders, WS_API)
    address = f"{STREAMS}/market/ws/{SYMBOL.lower()}@aggTrade"
    transport, _ = await picows.ws_connect(lambda: Market(orders), address)
    await transport.wait_disconnected()


uvloop.run(main())
