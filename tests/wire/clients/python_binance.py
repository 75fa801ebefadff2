"""python-binance's AsyncClient: REST, sockets, and orders by the WebSocket API."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version

from binance import AsyncClient, BinanceSocketManager
from seen import WAIT_S, error_of, tell

KEY, SECRET, REST, STREAMS, WS_API = sys.argv[1:6]
S = "BTCUSDT"

AsyncClient.API_URL = f"{REST}/api"
AsyncClient.FUTURES_URL = f"{REST}/fapi"
AsyncClient.FUTURES_DATA_URL = f"{REST}/futures/data"
AsyncClient.WS_FUTURES_URL = WS_API
BinanceSocketManager.FSTREAM_URL = f"{STREAMS}/"


async def first(socket):
    async with socket as stream:
        return await asyncio.wait_for(stream.recv(), WAIT_S)


async def market(c, sockets):
    trade, depth, candle = await asyncio.gather(
        first(sockets.futures_multiplex_socket(["btcusdt@aggTrade"])),
        first(sockets.futures_depth_socket(S)),
        first(sockets.kline_futures_socket(S)),
    )
    return {
        "symbols": [each["symbol"] for each in (await c.futures_exchange_info())["symbols"]],
        "book": sorted(await c.futures_order_book(symbol=S)),
        "candles": len(await c.futures_klines(symbol=S, interval="1m", limit=3)),
        "takers": sorted((await c.futures_taker_longshort_ratio(symbol=S, period="5m"))[0]),
        "mark": (await c.futures_mark_price(symbol=S))["symbol"],
        "trade_heard": [trade["stream"], trade["data"]["e"]],
        "depth_heard": [depth["data"]["e"], len(depth["data"]["b"]) > 0],
        "candle_heard": candle["e"],
    }


async def limit_order(c, low):
    placed = await c.futures_create_order(
        symbol=S, side="BUY", type="LIMIT", timeInForce="GTC", quantity=0.01, price=low
    )
    one = {"symbol": S, "orderId": placed["orderId"]}
    amended = await c.futures_modify_order(**one, side="BUY", quantity=0.02, price=low)
    found = await c.futures_get_order(**one)
    canceled = await c.futures_cancel_order(**one)
    return {
        "placed": [placed["status"], placed["origQty"]],
        "own_prefix": placed["clientOrderId"].startswith("x-Cb7ytekJ"),
        "amended": [amended["origQty"], found["origQty"]],
        "canceled": canceled["status"],
        "open": await c.futures_get_open_orders(symbol=S),
    }


async def conditional(c, low):
    stop = await c.futures_create_order(
        symbol=S, side="SELL", type="STOP_MARKET", quantity=0.01, stopPrice=low
    )
    one = {"symbol": S, "algoId": stop["algoId"], "conditional": True}
    return {
        "placed": [stop["algoStatus"], stop["orderType"]],
        "open": len(await c.futures_get_open_orders(symbol=S, conditional=True)),
        "found": (await c.futures_get_order(**one))["algoStatus"],
        "canceled": (await c.futures_cancel_order(**one))["algoId"] == stop["algoId"],
        "after": (await c.futures_get_order(**one))["algoStatus"],
    }


async def batch(c, low):
    one = {"symbol": S, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    one["price"] = str(low)
    rows = await c.futures_place_batch_order(batchOrders=[dict(one), dict(one)])
    ids = [each["orderId"] for each in rows]
    ended = await c.futures_cancel_orders(symbol=S, orderidlist=ids)
    return {
        "placed": [each["status"] for each in rows],
        "canceled": [each["status"] for each in ended],
    }


async def by_socket(c, low):
    """Trade through the WebSocket API, where a conditional order comes without an algoType."""
    placed = await c.ws_futures_create_order(
        symbol=S, side="BUY", type="LIMIT", timeInForce="GTC", quantity=0.01, price=low
    )
    one = {"symbol": S, "orderId": placed["orderId"]}
    amended = await c.ws_futures_edit_order(**one, side="BUY", quantity=0.02, price=low)
    stop = await c.ws_futures_create_algo_order(
        symbol=S, side="SELL", type="STOP_MARKET", quantity=0.01, triggerPrice=low
    )
    return {
        "placed": placed["status"],
        "amended": amended["origQty"],
        "canceled": (await c.ws_futures_cancel_order(**one))["status"],
        "stop": stop["algoStatus"],
        "stop_canceled": (await c.ws_futures_cancel_algo_order(algoId=stop["algoId"]))["algoId"]
        == stop["algoId"],
    }


async def errors(c, low):
    order = {"symbol": S, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return {
        "no_such_order": await error_of(c.futures_cancel_order(symbol=S, orderId=999999)),
        "no_money": await error_of(c.futures_create_order(**order, quantity=90, price=low)),
        "off_the_grid": await error_of(
            c.futures_create_order(**order, quantity=0.01, price="50000.01234")
        ),
        "hedge": await error_of(c.futures_change_position_mode(dualSidePosition="true")),
        "too_many": await error_of(c.futures_open_interest(symbol=S)),
        "unknown": await error_of(c.futures_countdown_cancel_all(symbol=S, countdownTime=0)),
        "by_socket": await error_of(c.ws_futures_cancel_order(symbol=S, orderId=999999)),
    }


async def trade(c, sockets, low):
    heard = []
    async with sockets.futures_user_socket() as stream:
        seen = {"limit": await limit_order(c, low)}
        bought = await c.futures_create_order(
            symbol=S, side="BUY", type="MARKET", quantity=0.01, newOrderRespType="RESULT"
        )
        seen["market_order"] = [bought["status"], bought["executedQty"]]
        seen["conditional"] = await conditional(c, low)
        seen["batch"] = await batch(c, low)
        while not any(e["e"] == "ORDER_TRADE_UPDATE" and e["o"]["X"] == "FILLED" for e in heard):
            heard.append(await asyncio.wait_for(stream.recv(), WAIT_S))
        while sum(e["e"] == "ALGO_UPDATE" for e in heard) < 2:
            heard.append(await asyncio.wait_for(stream.recv(), WAIT_S))
    orders = [e["o"] for e in heard if e["e"] == "ORDER_TRADE_UPDATE"]
    seen["heard"] = {
        "limit": [o["x"] for o in orders if o["o"] == "LIMIT"][:3],
        "filled": [o["z"] for o in orders if o["X"] == "FILLED"],
        "algo": [e["o"]["X"] for e in heard if e["e"] == "ALGO_UPDATE"],
        "account": any(e["e"] == "ACCOUNT_UPDATE" for e in heard),
    }
    return seen


async def main():
    c = await AsyncClient.create(KEY, SECRET)
    try:
        sockets = BinanceSocketManager(c)
        seen = {"version": version("python-binance"), "market": await market(c, sockets)}
        low = round(float((await c.futures_symbol_ticker(symbol=S))["price"]) * 0.97, 1)
        balance = {each["asset"]: each for each in await c.futures_account_balance()}["USDT"]
        account = await c.futures_account()
        seen["account"] = {
            "balance": balance["balance"],
            "can_trade": account["canTrade"],
            "leverage": (await c.futures_change_leverage(symbol=S, leverage=9))["leverage"],
            "positions": await c.futures_position_information(symbol=S),
        }
        seen.update(await trade(c, sockets, low))
        seen["by_socket"] = await by_socket(c, low)
        seen["errors"] = await errors(c, low)
    finally:
        await c.close_connection()
    tell(seen)


asyncio.run(main())
