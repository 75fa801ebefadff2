"""Frames and bodies after the venue's shape, with numbers of our own."""

from __future__ import annotations

import json
from decimal import Decimal

from msgspec import structs

from holdfast.model.commands import CancelOrder, QueryOrder, ReplaceOrder, SubmitOrder
from holdfast.model.values import MAIN, ClOrdId, NewOrder, Side, Symbol

BTC = Symbol("BTCUSDT")
MS = 1_000_000
T = 1_790_000_003_120  # the venue's time, milliseconds
NAME = ClOrdId("hf.1.2.3.E.sma_cross")
WINDOW = 5_000 * MS


def raw(value) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def order_event(**fields) -> bytes:
    """ORDER_TRADE_UPDATE, all of its letters in the order of the wire."""
    order = {
        "s": "BTCUSDT",
        "c": NAME,
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "0.03",
        "p": "61234.5",
        "ap": "0",
        "sp": "0",
        "x": "NEW",
        "X": "NEW",
        "i": 7001,
        "l": "0",
        "z": "0",
        "L": "0",
        "n": "0",
        "N": "USDT",
        "T": T,
        "t": 0,
        "b": "1837.035",
        "a": "0",
        "m": False,
        "R": False,
        "wt": "CONTRACT_PRICE",
        "ot": "LIMIT",
        "ps": "BOTH",
        "cp": False,
        "rp": "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": 0,
        "er": "0",
        **fields,
    }
    return raw({"e": "ORDER_TRADE_UPDATE", "T": T, "E": T, "o": order})


def fill_event(**fields) -> bytes:
    fill = {"x": "TRADE", "X": "FILLED", "l": "0.03", "z": "0.03", "L": "61234.50", "t": 9001}
    return order_event(**(fill | {"n": "0.36740700", "rp": "-1.25"} | fields))


def algo_event(**fields) -> bytes:
    algo = {
        "caid": NAME,
        "aid": 1000000200000001,
        "at": "CONDITIONAL",
        "o": "STOP_MARKET",
        "s": "BTCUSDT",
        "S": "SELL",
        "ps": "BOTH",
        "f": "GTC",
        "q": "0.03",
        "X": "NEW",
        "ai": "",
        "tp": "60000.05",
        "p": "0",
        "V": "EXPIRE_MAKER",
        "wt": "MARK_PRICE",
        "pm": "NONE",
        "cp": False,
        "pP": False,
        "R": True,
        "tt": 0,
        "gtd": 0,
        "ia": False,
        **fields,
    }
    return raw({"e": "ALGO_UPDATE", "T": T, "E": T, "o": algo})


def account_event(reason="ORDER", *, change="0", positions=(), **more) -> bytes:
    balance = {"a": "USDT", "wb": "1001.5", "cw": "1001.5", "bc": change}
    books = {"B": [balance], "P": list(positions), "m": reason, **more}
    return raw({"e": "ACCOUNT_UPDATE", "T": T, "E": T + 1, "a": books})


def position(symbol="BTCUSDT", qty="0.03", side="BOTH"):
    return {
        "s": symbol,
        "pa": qty,
        "ep": "61234.5",
        "cr": "0",
        "up": "0.1",
        "mt": "cross",
        "iw": "0",
        "ps": side,
        "ma": "USDT",
        "bep": "61265.1",
    }


def ack(**fields) -> dict:
    """An acknowledgement as it is since June 2026: without avgPrice and cumQuote."""
    return {
        "orderId": 7001,
        "symbol": "BTCUSDT",
        "status": "NEW",
        "clientOrderId": NAME,
        "price": "61234.50",
        "origQty": "0.030",
        "executedQty": "0.000",
        "cumQty": "0.000",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "reduceOnly": False,
        "closePosition": False,
        "side": "BUY",
        "positionSide": "BOTH",
        "stopPrice": "0.00",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": "LIMIT",
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "updateTime": T,
        **fields,
    }


def listed(**fields) -> dict:
    """An order as a query or a list shows it."""
    row = ack(avgPrice="0.00", cumQuote="0", time=T - 5, **fields)
    del row["cumQty"]
    return row


def algo(**fields) -> dict:
    return {
        "algoId": 1000000200000001,
        "clientAlgoId": NAME,
        "algoType": "CONDITIONAL",
        "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "positionSide": "BOTH",
        "timeInForce": "GTC",
        "quantity": "0.030",
        "algoStatus": "NEW",
        "triggerPrice": "60000.00",
        "price": "0.00",
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": "MARK_PRICE",
        "priceMatch": "NONE",
        "closePosition": False,
        "priceProtect": False,
        "reduceOnly": True,
        "activatePrice": "",
        "callbackRate": "",
        "createTime": T,
        "updateTime": T,
        "triggerTime": 0,
        "goodTillDate": 0,
        **fields,
    }


def new_order(**fields) -> NewOrder:
    order = NewOrder(cl_ord_id=NAME, symbol=BTC, side=Side.BUY, qty=Decimal("0.030"))
    return structs.replace(order, **fields)


def submit(**fields) -> SubmitOrder:
    return SubmitOrder(order=new_order(**fields), ts=T * MS + 999, recv_window_ns=WINDOW)


def cancel(*, is_conditional=False) -> CancelOrder:
    return CancelOrder(
        account=MAIN,
        symbol=BTC,
        cl_ord_id=NAME,
        is_conditional=is_conditional,
        ts=T * MS,
        recv_window_ns=WINDOW,
    )


def replace() -> ReplaceOrder:
    return ReplaceOrder(
        account=MAIN,
        symbol=BTC,
        cl_ord_id=NAME,
        side=Side.BUY,
        qty=Decimal("0.04"),
        price=Decimal("61000.10"),
        ts=T * MS,
        recv_window_ns=WINDOW,
    )


def query(*, is_conditional=False) -> QueryOrder:
    return QueryOrder(account=MAIN, symbol=BTC, cl_ord_id=NAME, is_conditional=is_conditional)
