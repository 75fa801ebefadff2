"""The account's books as REST lists them and as the user stream tells them."""

from __future__ import annotations

from decimal import Decimal

ZERO = Decimal(0)


def text(amount):
    return f"{amount:f}"


# REST


def order_row(order):
    """An order as it is acknowledged."""
    return {
        "orderId": order.order_id, "symbol": order.symbol, "status": order.status,
        "clientOrderId": order.client_id, "price": text(order.price), "origQty": text(order.qty),
        "executedQty": text(order.done), "cumQty": text(order.done), "timeInForce": order.tif,
        "type": order.kind, "reduceOnly": order.reduce_only, "closePosition": False,
        "side": order.side, "positionSide": "BOTH", "stopPrice": "0.00",
        "workingType": "CONTRACT_PRICE", "priceProtect": False, "origType": order.kind,
        "priceMatch": "NONE", "selfTradePreventionMode": "EXPIRE_MAKER", "goodTillDate": 0,
        "updateTime": order.changed,
    }  # fmt: skip


def listed_order(order):
    average = order.cost / order.done if order.done else ZERO
    row = order_row(order)
    del row["cumQty"]
    return row | {"avgPrice": text(average), "cumQuote": text(order.cost), "time": order.made}


def algo_row(algo):
    return {
        "algoId": algo.algo_id, "clientAlgoId": algo.client_id, "algoType": "CONDITIONAL",
        "orderType": algo.kind, "symbol": algo.symbol, "side": algo.side, "positionSide": "BOTH",
        "timeInForce": algo.tif, "quantity": text(algo.qty), "algoStatus": algo.status,
        "triggerPrice": text(algo.trigger), "price": text(algo.price), "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER", "workingType": algo.working,
        "priceMatch": "NONE", "closePosition": not algo.qty, "priceProtect": False,
        "reduceOnly": algo.reduce_only,
        "activatePrice": text(algo.activate) if algo.callback else "",
        "callbackRate": text(algo.callback) if algo.callback else "",
        "createTime": algo.made, "updateTime": algo.changed, "triggerTime": 0, "goodTillDate": 0,
    }  # fmt: skip


def listed_algo(algo):
    child = algo.child
    return algo_row(algo) | {
        "actualOrderId": str(child.order_id) if child else "",
        "actualPrice": text(child.cost / child.done) if child and child.done else "0",
        "actualQty": text(child.done) if child else "", "actualType": child.kind if child else "",
        "tpOrderType": "",
    }  # fmt: skip


def trade_row(fill):
    order = fill.order
    return {
        "symbol": order.symbol, "pair": order.symbol, "id": fill.trade_id,
        "orderId": order.order_id, "side": order.side, "price": text(fill.price),
        "qty": text(fill.qty), "quoteQty": text(fill.qty * fill.price), "baseQty": "0",
        "realizedPnl": text(fill.profit), "marginAsset": "USDT", "commission": text(fill.fee),
        "commissionAsset": fill.fee_asset, "time": fill.at, "positionSide": "BOTH",
        "buyer": order.side == "BUY", "maker": fill.is_maker,
    }  # fmt: skip


def income_row(amount, kind, symbol, *, at, number, trade_id):
    return {
        "symbol": symbol, "incomeType": kind, "income": text(amount), "asset": "USDT",
        "info": trade_id or kind, "time": at, "tranId": 9_689_322_392 + number,
        "tradeId": trade_id,
    }  # fmt: skip


def position_row(symbol, held, mark):
    worth, open_profit = held.qty * mark, held.qty * (mark - held.entry)
    return {
        "symbol": symbol, "positionSide": held.side, "positionAmt": text(held.qty),
        "entryPrice": text(held.entry), "breakEvenPrice": text(held.entry),
        "markPrice": text(mark), "unRealizedProfit": text(open_profit),
        "liquidationPrice": "0", "notional": text(worth), "marginAsset": "USDT",
        "isolatedMargin": text(held.margin + open_profit) if held.is_isolated else "0",
        "isolatedWallet": text(held.margin), "initialMargin": text(abs(worth) / 10),
        "maintMargin": "0", "positionInitialMargin": "0", "openOrderInitialMargin": "0", "adl": 2,
        "bidNotional": "0", "askNotional": "0", "updateTime": 1_700_000_000_000,
    }  # fmt: skip


def asset_row(asset, wallet, cross):
    names = ("crossWalletBalance", "availableBalance", "maxWithdrawAmount")
    none = ("unrealizedProfit", "maintMargin", "initialMargin", "crossUnPnl")
    row = {"asset": asset, "walletBalance": wallet, "marginBalance": wallet}
    row |= {"updateTime": 1_700_000_000_000}
    return row | dict.fromkeys(names, cross) | dict.fromkeys(none, "0.00000000")


# The user stream


def order_event(order, what, now, fill=None):
    average = order.cost / order.done if order.done else ZERO
    status = "NEW" if what == "NEW" else order.status
    fields = {
        "s": order.symbol, "c": order.client_id, "S": order.side, "o": order.kind, "f": order.tif,
        "q": text(order.qty), "p": text(order.price), "ap": text(average), "sp": "0", "x": what,
        "X": status, "i": order.order_id, "l": "0", "z": text(order.done), "L": "0", "n": "0",
        "N": "USDT", "T": now, "t": 0, "b": "0", "a": "0", "m": False, "R": order.reduce_only,
        "wt": "CONTRACT_PRICE", "ot": order.kind, "ps": "BOTH", "cp": False, "rp": "0",
        "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, "er": "0",
    }  # fmt: skip
    if fill is not None:
        fields |= {
            "l": text(fill.qty), "L": text(fill.price), "n": text(fill.fee), "t": fill.trade_id,
            "N": fill.fee_asset,
            "m": fill.is_maker, "rp": text(fill.profit),
        }  # fmt: skip
    return {"e": "ORDER_TRADE_UPDATE", "T": now, "E": now + 1, "o": fields}


def algo_event(algo, now):
    child = algo.child
    fields = {
        "caid": algo.client_id, "aid": algo.algo_id, "at": "CONDITIONAL", "o": algo.kind,
        "s": algo.symbol, "S": algo.side, "ps": "BOTH", "f": algo.tif, "q": text(algo.qty),
        "X": algo.status, "ai": str(child.order_id) if child else "", "tp": text(algo.trigger),
        "p": text(algo.price), "V": "EXPIRE_MAKER", "wt": algo.working, "pm": "NONE",
        "cp": not algo.qty, "pP": False, "R": algo.reduce_only, "tt": 0, "gtd": 0,
        "ia": algo.is_active,
    }  # fmt: skip
    if child:
        fields |= {"ap": text(child.price), "aq": text(child.done), "act": child.kind}
    if algo.status == "REJECTED":
        fields["rm"] = "ReduceOnly Order is rejected."
    return {"e": "ALGO_UPDATE", "T": now, "E": now + 1, "o": fields}


def lite_event(fill):
    order = fill.order
    return {
        "e": "TRADE_LITE", "E": fill.at + 1, "T": fill.at, "s": order.symbol,
        "q": text(order.qty), "p": "0.00", "m": fill.is_maker, "c": order.client_id,
        "S": order.side, "L": text(fill.price), "l": text(fill.qty), "t": fill.trade_id,
        "i": order.order_id,
    }  # fmt: skip


def moved_event(books, symbol, now, reason="ORDER", change=ZERO):
    held = books.position(symbol)
    position = {
        "s": symbol, "pa": text(held.qty), "ep": text(held.entry), "cr": "0", "up": "0",
        "mt": "isolated" if held.is_isolated else "cross", "iw": text(held.margin), "ps": "BOTH", "ma": "USDT", "bep": text(held.entry),
    }  # fmt: skip
    balances = [
        {
            "a": asset,
            "wb": text(amount),
            "cw": text(books.cross_wallet(asset)),
            "bc": text(change),
        }
        for asset, amount in books.wallets.items()
        if amount and (asset == "USDT" or not change)
    ]
    positions = [position] if reason == "ORDER" or held.is_isolated else []
    account = {"B": balances, "P": positions, "m": reason}
    return {"e": "ACCOUNT_UPDATE", "T": now, "E": now + 1, "a": account}


def funded_event(books, symbol, amount, now):
    event = moved_event(books, symbol, now, "FUNDING_FEE", amount)
    event["a"]["S"] = symbol
    return event


def call_event(books, symbol, held, mark):
    """Warn; without the cross wallet where the position is isolated."""
    position = {
        "s": symbol, "ps": "LONG" if held.qty > 0 else "SHORT", "pa": text(held.qty),
        "mt": "ISOLATED" if held.is_isolated else "CROSSED", "iw": text(held.margin),
        "mp": text(mark), "up": text(held.qty * (mark - held.entry)), "mm": "1.614445",
    }  # fmt: skip
    cross = {} if held.is_isolated else {"cw": text(books.cross_wallet())}
    return {"e": "MARGIN_CALL", "E": books.now(), **cross, "p": [position]}
