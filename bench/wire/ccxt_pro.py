"""ccxt.pro: `watch_trades` and `create_order_ws`; a marked trade becomes an order at once."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import ccxt
import ccxt.pro

KEY, SECRET, REST, STREAMS, WS_API, BUY, CLOSE, QTY = sys.argv[1:9]
SYMBOL = "BTC/USDT:USDT"


def exchange() -> ccxt.pro.binanceusdm:
    ex = ccxt.pro.binanceusdm(
        {
            "apiKey": KEY,
            "secret": SECRET,
            "enableRateLimit": False,
            "newUpdates": True,
            "options": {"fetchCurrencies": False},
        }
    )
    for name, url in list(ex.urls["api"].items()):
        if isinstance(url, str) and name.startswith("fapi"):
            ex.urls["api"][name] = REST + url[url.index(".com") + 4 :]
    ex.urls["api"]["ws"]["linear"] = f"{STREAMS}/ws"
    ex.urls["api"]["ws"]["ws-api"]["linear"] = WS_API
    return ex


async def main() -> None:
    ex = exchange()
    await ex.load_markets()
    buy, close, qty = float(BUY), float(CLOSE), float(QTY)
    await ex.create_order_ws(SYMBOL, "market", "buy", qty)  # opens the road before it is measured
    await ex.create_order_ws(SYMBOL, "market", "sell", qty, None, {"reduceOnly": True})
    while True:
        for trade in await ex.watch_trades(SYMBOL):
            if trade["amount"] == buy:
                await ex.create_order_ws(SYMBOL, "market", "buy", qty)
            elif trade["amount"] == close:
                with contextlib.suppress(ccxt.ExchangeError):  # nothing is held
                    await ex.create_order_ws(
                        SYMBOL, "market", "sell", qty, None, {"reduceOnly": True}
                    )


asyncio.run(main())
