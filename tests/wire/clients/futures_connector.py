"""binance-futures-connector: everything in the query string, and callbacks from a thread."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

from binance.um_futures import UMFutures
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient
from seen import error, tell, wait_for

KEY, SECRET, REST, STREAMS, _ = sys.argv[1:6]
S = "BTCUSDT"


def socket(path, heard):
    return UMFuturesWebsocketClient(
        stream_url=f"{STREAMS}/{path}",
        on_message=lambda _, text: heard.append(json.loads(text)),
        is_combined=False,
    )


def is_event(message, kind):
    return message.get("e") == kind


def market_heard():
    trades, depth = [], []
    sockets = [socket("market", trades), socket("public", depth)]
    sockets[0].agg_trade(symbol=S)
    sockets[0].mark_price(symbol=S, speed=1)
    sockets[1].diff_book_depth(symbol=S, speed=100)
    wait_for(lambda: any(is_event(m, "aggTrade") for m in trades))
    wait_for(lambda: any(is_event(m, "markPriceUpdate") for m in trades))
    wait_for(lambda: any(is_event(m, "depthUpdate") for m in depth))
    for each in sockets:
        each.stop()
    return sorted({m["e"] for m in trades + depth if "e" in m})


def subscribed(private, key):
    """Hear one's own events: the listen key goes as the name of a stream."""
    heard = private[1]
    private[0].user_data(listen_key=key, id=1)
    return wait_for(lambda: any(m.get("id") == 1 for m in heard))


c = UMFutures(key=KEY, secret=SECRET, base_url=REST)
last = float(c.ticker_price(S)["price"])
low = round(last * 0.97, 1)

seen = {"version": version("binance-futures-connector")}
seen["market"] = {
    "ping": c.ping(),
    "symbols": [each["symbol"] for each in c.exchange_info()["symbols"]],
    "depth": sorted(c.depth(S)),
    "trades": len(c.trades(S)),
    "candles": len(c.klines(S, "1m", limit=3)),
    "mark": c.mark_price(S)["symbol"],
    "heard": market_heard(),
}
account = c.account()
seen["account"] = {
    "wallet": account["totalWalletBalance"],
    "usdt": [each["balance"] for each in c.balance() if each["asset"] == "USDT"],
    "leverage": c.change_leverage(S, 8)["leverage"],
    "hedged": c.get_position_mode()["dualSidePosition"],
    "brackets": len(c.leverage_brackets(symbol=S)["brackets"]),
}

events = []
listening = socket("private", events)
seen["listening"] = subscribed((listening, events), c.new_listen_key()["listenKey"])

order = {"symbol": S, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
placed = c.new_order(**order, quantity=0.01, price=low, newClientOrderId="wire/2:b")
amended = c.modify_order(S, "BUY", 0.02, low, orderId=placed["orderId"])
canceled = c.cancel_order(S, orderId=placed["orderId"])
seen["limit"] = {
    "placed": [placed["status"], placed["origQty"], placed["clientOrderId"]],
    "amended": amended["origQty"],
    "canceled": canceled["status"],
    "found": c.query_order(S, origClientOrderId="wire/2:b")["status"],
    "open": c.get_orders(symbol=S),
}
bought = c.new_order(symbol=S, side="BUY", type="MARKET", quantity=0.01, newOrderRespType="RESULT")
seen["market_order"] = {
    "answer": [bought["status"], bought["executedQty"]],
    "position": [each["positionAmt"] for each in c.get_position_risk(symbol=S)],
    "trades": {each["orderId"] for each in c.get_account_trades(S)} == {bought["orderId"]},
}
one = {**order, "quantity": "0.01", "price": str(low)}
batch = c.new_batch_order([one, one])
ended = c.cancel_batch_order(S, [each["orderId"] for each in batch], [])
seen["batch"] = {
    "placed": [each["status"] for each in batch],
    "canceled": [each["status"] for each in ended],
}
stop = {"symbol": S, "side": "SELL", "type": "STOP_MARKET", "stopPrice": low, "quantity": 0.01}
seen["errors"] = {
    "conditional": error(c.new_order, **stop),
    "no_such_order": error(c.cancel_order, S, orderId=999999),
    "no_money": error(c.new_order, **order, quantity=90, price=low),
    "off_the_grid": error(c.new_order, **order, quantity=0.01, price="50000.01234"),
    "hedge": error(c.change_position_mode, dualSidePosition="true"),
    "too_many": error(c.open_interest, S),
    "unknown": error(c.countdown_cancel_order, S, 0),
}


def done():
    return any(is_event(m, "ORDER_TRADE_UPDATE") and m["o"]["X"] == "FILLED" for m in events)


wait_for(lambda: done() and sum(m.get("e") == "ORDER_TRADE_UPDATE" for m in events) >= 8)
updates = [m["o"] for m in events if is_event(m, "ORDER_TRADE_UPDATE")]
seen["heard"] = {
    "limit": [o["x"] for o in updates if o["c"] == "wire/2:b"],
    "filled": [o["z"] for o in updates if o["X"] == "FILLED"],
    "account": any(is_event(m, "ACCOUNT_UPDATE") for m in events),
}
listening.stop()
tell(seen)
