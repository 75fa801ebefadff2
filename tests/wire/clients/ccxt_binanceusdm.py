"""ccxt's binanceusdm through a day's work, by REST."""

from __future__ import annotations

import sys

import ccxt
from seen import error, tell

KEY, SECRET, REST = sys.argv[1:4]
SYMBOL = "BTC/USDT:USDT"

ex = ccxt.binanceusdm(
    {
        "apiKey": KEY,
        "secret": SECRET,
        "enableRateLimit": False,  # it would wait between requests; the exchange counts them anyway
        "options": {"fetchCurrencies": False},
    }
)
for name, url in list(ex.urls["api"].items()):
    if isinstance(url, str) and name.startswith("fapi"):
        ex.urls["api"][name] = REST + url[url.index(".com") + 4 :]
# It takes the errors of futures from the host's name, which is not Binance's here.
ex.exceptions["exact"].update(ex.exceptions["linear"]["exact"])

seen = {"version": ccxt.__version__}
seen["symbols"] = sorted(ex.load_markets())
seen["precision"] = ex.market(SYMBOL)["precision"]
seen["time"] = ex.fetch_time()

ticker = ex.fetch_ticker(SYMBOL)
last = ticker["last"]
low = float(ex.price_to_precision(SYMBOL, last * 0.97))
seen["market"] = {
    "last": last,
    "book": {side: len(ex.fetch_order_book(SYMBOL)[side]) for side in ("bids", "asks")},
    "bids_asks": sorted(ex.fetch_bids_asks([SYMBOL])),
    "trades": len(ex.fetch_trades(SYMBOL)),
    "candles": len(ex.fetch_ohlcv(SYMBOL, "1m", limit=3)),
    "funding_rate": ex.fetch_funding_rate(SYMBOL)["symbol"],
}
seen["account"] = {
    "free": ex.fetch_balance()["USDT"]["free"],
    "positions": ex.fetch_positions(),
    "hedged": ex.fetch_position_mode()["hedged"],
    "leverage": ex.set_leverage(10, SYMBOL)["leverage"],
    "tiers": len(ex.fetch_leverage_tiers([SYMBOL])[SYMBOL]),
    "taker": ex.fetch_trading_fee(SYMBOL)["taker"],
}

placed = ex.create_order(SYMBOL, "limit", "buy", 0.01, low, {"clientOrderId": "wire/1:a"})
amended = ex.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.02, low - 10)
canceled = ex.cancel_order(placed["id"], SYMBOL)
seen["limit"] = {
    "placed": [placed["status"], placed["amount"], placed["price"], placed["clientOrderId"]],
    "amended": [amended["id"] == placed["id"], amended["amount"], amended["price"] == low - 10],
    "canceled": canceled["status"],
    "fetched": ex.fetch_order(None, SYMBOL, {"clientOrderId": "wire/1:a"})["status"],
    "open": ex.fetch_open_orders(SYMBOL),
}

bought = ex.create_order(SYMBOL, "market", "buy", 0.01)
position = ex.fetch_positions([SYMBOL])[0]
trade = ex.fetch_my_trades(SYMBOL)[-1]
seen["market_order"] = {
    "status": bought["status"],
    "filled": bought["filled"],
    "position": [position["side"], position["contracts"], position["entryPrice"]],
    "trade": [trade["order"] == bought["id"], trade["amount"], trade["price"]],
    "fee": trade["fee"],
}

stop = ex.create_order(
    SYMBOL,
    "market",
    "sell",
    0.01,
    None,
    {"stopLossPrice": low, "reduceOnly": True},
)
seen["conditional"] = {
    "placed": [stop["type"], stop["triggerPrice"] == low, stop["reduceOnly"]],
    "open": [o["id"] == stop["id"] for o in ex.fetch_open_orders(SYMBOL, params={"trigger": True})],
    "canceled": ex.cancel_order(stop["id"], SYMBOL, {"trigger": True})["id"] == stop["id"],
    "left": ex.fetch_open_orders(SYMBOL, params={"trigger": True}),
}

one = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": low}
batch = ex.create_orders([one, one])
ended = ex.cancel_orders([each["id"] for each in batch], SYMBOL)
seen["batch"] = {
    "placed": [each["status"] for each in batch],
    "canceled": [each["status"] for each in ended],
}

closed = ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True})
seen["closed"] = [closed["status"], ex.fetch_positions([SYMBOL])]
seen["ledger"] = sorted({each["type"] for each in ex.fetch_ledger("USDT")})

ex.set_margin_mode("isolated", SYMBOL)
ex.set_leverage(10, SYMBOL)
ex.create_order(SYMBOL, "market", "buy", 0.01)
ex.add_margin(SYMBOL, 5)
alone = ex.fetch_positions([SYMBOL])[0]
ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True})
seen["isolated"] = {
    "mode": alone["marginMode"],
    "collateral": 60 > alone["collateral"] - alone["unrealizedPnl"] - 5 > 30,
    "liquidation": 0 < alone["liquidationPrice"] < last,
    "moves": [each["amount"] for each in ex.fetch_margin_adjustment_history(SYMBOL)],
}

ex.set_position_mode(True)
for side, of in (("buy", "LONG"), ("sell", "SHORT")):
    ex.create_order(SYMBOL, "market", side, 0.01, None, {"positionSide": of})
both = sorted((each["side"], each["contracts"], each["hedged"]) for each in ex.fetch_positions())
ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"positionSide": "LONG"})
ex.create_order(SYMBOL, "market", "buy", 0.01, None, {"hedged": True, "reduceOnly": True})
seen["hedged"] = {"both": both, "left": ex.fetch_positions()}
seen["hedged"]["no_side"] = error(ex.create_order, SYMBOL, "market", "buy", 0.01)
ex.set_position_mode(False)

seen["errors"] = {
    "no_such_order": error(ex.cancel_order, "999999", SYMBOL),
    "no_money": error(ex.create_order, SYMBOL, "limit", "buy", 90, low),
    "off_the_grid": error(
        ex.fapiPrivatePostOrder,
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.01",
            "price": "50000.01234",
        },
    ),
    "post_only": error(
        ex.create_order, SYMBOL, "limit", "buy", 0.01, round(last * 1.02, 1), {"postOnly": True}
    ),
    "same_margin": error(
        ex.fapiPrivatePostMarginType, {"symbol": "BTCUSDT", "marginType": "ISOLATED"}
    ),
    "same_assets": error(ex.fapiPrivatePostMultiAssetsMargin, {"multiAssetsMargin": "false"}),
    "too_many": error(ex.fetch_open_interest, SYMBOL),
    "unknown": error(
        ex.fapiPrivatePostCountdownCancelAll, {"symbol": "BTCUSDT", "countdownTime": 0}
    ),
}
ex.secret = "wrong"
seen["errors"]["signature"] = error(ex.fetch_balance)
tell(seen)
