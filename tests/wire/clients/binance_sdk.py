"""Binance's own SDK, whose models take no wrong type: REST, WebSocket API, streams."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_derivatives_trading_usds_futures import derivatives_trading_usds_futures as sdk
from seen import WAIT_S, error, tell

KEY, SECRET, REST, STREAMS, WS_API = sys.argv[1:6]
S = "BTCUSDT"
NAME = "binance-sdk-derivatives-trading-usds-futures"

signed = {"api_key": KEY, "api_secret": SECRET}
client = sdk.DerivativesTradingUsdsFutures(
    config_rest_api=ConfigurationRestAPI(**signed, base_path=REST, timeout=5000),
    config_ws_api=ConfigurationWebSocketAPI(**signed, stream_url=WS_API),
    config_ws_streams=ConfigurationWebSocketStreams(stream_url=STREAMS),
)
rest = client.rest_api


def market():
    return {
        "time": rest.check_server_time().data().server_time > 0,
        "symbols": [each.symbol for each in rest.exchange_information().data().symbols],
        "book": len(rest.order_book(symbol=S).data().bids) > 0,
        "candles": len(rest.kline_candlestick_data(symbol=S, interval="1m", limit=3).data()),
    }


def account():
    return {
        "wallet": rest.account_information_v3().data().total_wallet_balance,
        "balance": [
            each.balance
            for each in rest.futures_account_balance_v3().data()
            if each.asset == "USDT"
        ],
        "leverage": rest.change_initial_leverage(symbol=S, leverage=6).data().leverage,
        "hedged": rest.get_current_position_mode().data().dual_side_position,
        "positions": rest.position_information_v3().data(),
    }


def limit_order(low):
    order = {"symbol": S, "side": "BUY", "quantity": 0.01, "price": low}
    placed = rest.new_order(**order, type="LIMIT", time_in_force="GTC").data()
    order["quantity"] = 0.02
    amended = rest.modify_order(**order, order_id=placed.order_id).data()
    canceled = rest.cancel_order(symbol=S, order_id=placed.order_id).data()
    return {
        "placed": [placed.status, placed.orig_qty],
        "amended": [amended.order_id == placed.order_id, amended.orig_qty],
        "canceled": canceled.status,
        "found": rest.query_order(symbol=S, order_id=placed.order_id).data().status,
        "open": rest.current_all_open_orders(symbol=S).data(),
    }


def market_order():
    bought = rest.new_order(
        symbol=S, side="BUY", type="MARKET", quantity=0.01, new_order_resp_type="RESULT"
    ).data()
    return {
        "answer": [bought.status, bought.executed_qty],
        "position": [each.position_amt for each in rest.position_information_v3().data()],
        "trades": {t.order_id for t in rest.account_trade_list(symbol=S).data()}
        == {bought.order_id},
    }


def conditional(low):
    stop = rest.new_algo_order(
        algo_type="CONDITIONAL",
        symbol=S,
        side="SELL",
        type="STOP_MARKET",
        quantity=0.01,
        trigger_price=low,
    ).data()
    open_ones = rest.current_all_algo_open_orders().data()
    return {
        "placed": stop.algo_status,
        "open": [each.algo_id == stop.algo_id for each in open_ones],
        "canceled": rest.cancel_algo_order(algo_id=stop.algo_id).data().algo_id == stop.algo_id,
        "after": rest.query_algo_order(algo_id=stop.algo_id).data().algo_status,
    }


def batch(low):
    one = {"symbol": S, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    one["price"] = str(low)
    rows = rest.place_multiple_orders(batch_orders=[one, one]).data()
    ended = rest.cancel_multiple_orders(symbol=S, order_id_list=[r.order_id for r in rows]).data()
    return {
        "placed": [each.status for each in rows],
        "canceled": [each.status for each in ended],
    }


def errors(low):
    order = {"symbol": S, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
    return {
        "no_such_order": error(rest.cancel_order, symbol=S, order_id=999999),
        "no_money": error(rest.new_order, **order, quantity=90, price=low),
        "off_the_grid": error(rest.new_order, **order, quantity=0.01, price=50000.01234),
        "hedge": error(rest.change_position_mode, dual_side_position="true"),
        "too_many": error(rest.open_interest, symbol=S),
        "unknown": error(rest.auto_cancel_all_open_orders, symbol=S, countdown_time=0),
    }


async def by_socket(low):
    """Trade through the WebSocket API."""
    api = client.websocket_api
    await api.create_connection()
    order = {"symbol": S, "side": "BUY", "quantity": 0.01, "price": low}
    placed = (await api.new_order(**order, type="LIMIT", time_in_force="GTC")).data().result
    one = {"symbol": S, "order_id": placed.order_id}
    order["quantity"] = 0.02
    amended = (await api.modify_order(**order, order_id=placed.order_id)).data().result
    found = (await api.query_order(**one)).data().result
    canceled = (await api.cancel_order(**one)).data().result
    positions = (await api.position_information_v2()).data().result
    missing = (await api.cancel_order(symbol=S, order_id=999999)).data()
    await api.close_connection()
    return {
        "placed": placed.status,
        "amended": [amended.orig_qty, found.orig_qty],
        "canceled": canceled.status,
        "positions": [each.symbol for each in positions],
        "no_such_order": missing,
    }


async def trade(low):
    """Trade by REST, in a thread, while the sockets listen."""
    streams = client.websocket_streams
    await streams.create_connection()
    trades, own = [], []
    handle = await streams.aggregate_trade_streams(symbol=S.lower())
    handle.on("message", trades.append)
    mine = await streams.user_data(rest.start_user_data_stream().data().listen_key)
    mine.on("message", own.append)
    seen = {
        "limit": await asyncio.to_thread(limit_order, low),
        "market_order": await asyncio.to_thread(market_order),
        "conditional": await asyncio.to_thread(conditional, low),
        "batch": await asyncio.to_thread(batch, low),
    }

    def updates():
        events = [each.actual_instance for each in own]
        return [each for each in events if type(each).__name__ == "OrderTradeUpdate"]

    async with asyncio.timeout(WAIT_S):
        while not trades or not updates() or len(updates()) < 8:
            await asyncio.sleep(0.01)
    seen["heard"] = {
        "trade": trades[0].s,
        "limit": [each.o.x for each in updates()][:3],
        "filled": [each.o.z for each in updates() if each.o.X == "FILLED"],
        "kinds": sorted({type(each.actual_instance).__name__ for each in own}),
    }
    await streams.close_connection()
    return seen


async def main():
    seen = {"version": version(NAME), "market": market(), "account": account()}
    low = round(float(rest.symbol_price_ticker(symbol=S).data().actual_instance.price) * 0.97, 1)
    seen.update(await trade(low))
    seen["by_socket"] = await by_socket(low)
    seen["errors"] = errors(low)
    tell(seen)


asyncio.run(main())
