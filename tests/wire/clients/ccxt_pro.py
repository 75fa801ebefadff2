"""ccxt.pro's binanceusdm: market streams, the user's stream, and orders by the WebSocket API."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal

import ccxt.pro
from seen import WAIT_S, error_of, tell

KEY, SECRET, REST, STREAMS, WS_API = sys.argv[1:6]
SYMBOL = "BTC/USDT:USDT"


def exchange():
    ex = ccxt.pro.binanceusdm(
        {
            "apiKey": KEY,
            "secret": SECRET,
            "enableRateLimit": False,
            "options": {"fetchCurrencies": False},
        }
    )
    for name, url in list(ex.urls["api"].items()):
        if isinstance(url, str) and name.startswith("fapi"):
            ex.urls["api"][name] = REST + url[url.index(".com") + 4 :]
    ex.urls["api"]["ws"]["linear"] = f"{STREAMS}/ws"
    ex.urls["api"]["ws"]["ws-api"]["linear"] = WS_API
    ex.exceptions["exact"].update(ex.exceptions["linear"]["exact"])
    return ex


async def collect(watch, into, enough):
    """Write down what is heard until it is enough; ccxt changes its own rows later."""
    while not enough(into):
        into.extend(dict(row) for row in await watch())


async def market(ex):
    book, trades, tickers, candles = await asyncio.wait_for(
        asyncio.gather(
            ex.watch_order_book(SYMBOL),
            ex.watch_trades(SYMBOL),
            ex.watch_ticker(SYMBOL),
            ex.watch_ohlcv(SYMBOL, "1m"),
        ),
        WAIT_S,
    )
    return {
        "book": [bool(book["bids"]), bool(book["asks"]), book["bids"][0][0] < book["asks"][0][0]],
        "trades": trades[0]["symbol"],
        "ticker": tickers["last"],
        "candles": len(candles) > 0,
    }


async def main():
    ex = exchange()
    seen = {"version": ccxt.pro.__version__}
    try:
        await ex.load_markets()
        seen["market"] = await market(ex)
        seen.update(await trade(ex, seen["market"]["ticker"]))
        seen["errors"] = {
            "no_such_order": await error_of(ex.cancel_order_ws("999999", SYMBOL)),
            "no_money": await error_of(ex.create_order_ws(SYMBOL, "limit", "buy", 90, 40000)),
        }
    finally:
        await ex.close()
    tell(seen)


async def trade(ex, last):
    orders, fills = [], []
    low = float(ex.price_to_precision(SYMBOL, last * 0.97))
    hearing = [
        asyncio.create_task(
            collect(lambda: ex.watch_orders(SYMBOL), orders, lambda o: statuses(o, "closed"))
        ),
        asyncio.create_task(
            collect(lambda: ex.watch_my_trades(SYMBOL), fills, lambda f: total(f) == 0.01)
        ),
    ]
    balance = asyncio.create_task(ex.watch_balance())
    await asyncio.wait_for(until_listening(ex), WAIT_S)
    placed = await ex.create_order_ws(SYMBOL, "limit", "buy", 0.01, low)
    await asyncio.wait_for(until_heard(placed["id"], orders), WAIT_S)
    amended = await ex.edit_order_ws(placed["id"], SYMBOL, "limit", "buy", 0.02, low)
    fetched = await ex.fetch_order_ws(placed["id"], SYMBOL)
    canceled = await ex.cancel_order_ws(placed["id"], SYMBOL)
    bought = await ex.create_order_ws(SYMBOL, "market", "buy", 0.01)
    stop = await ex.create_order_ws(
        SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": low, "reduceOnly": True}
    )
    await asyncio.wait_for(asyncio.gather(*hearing), WAIT_S)
    told = await asyncio.wait_for(balance, WAIT_S)
    position = (await ex.fetch_positions_ws([SYMBOL]))[0]
    return {
        "limit": {
            "placed": [placed["status"], placed["amount"], placed["price"] == low],
            "amended": [amended["id"] == placed["id"], amended["amount"], fetched["amount"]],
            "canceled": canceled["status"],
        },
        "market_order": [bought["id"] == fills[-1]["order"], position["contracts"]],
        "conditional": [stop["id"] is not None, stop["triggerPrice"] == low],
        "heard": {
            "limit": [o["status"] for o in orders if o["id"] == placed["id"]],
            "market": [o["status"] for o in orders if o["id"] == bought["id"]],
            "fills": [total(fills), fills[-1]["side"], fills[-1]["fee"]["currency"]],
            "balance": "USDT" in told,
        },
    }


def statuses(orders, wanted):
    return any(each["status"] == wanted for each in orders)


def total(fills):
    return float(sum(Decimal(str(each["amount"])) for each in fills))


async def until_listening(ex):
    """Wait for the private socket, whose listen key comes first."""
    while not any("/private/" in url and c.isConnected for url, c in ex.clients.items()):
        await asyncio.sleep(0.01)


async def until_heard(order_id, orders):
    while not any(each["id"] == order_id for each in orders):
        await asyncio.sleep(0.01)


asyncio.run(main())
