"""The requests that two trading programs were seen to send, in their order and their shape.

NautilusTrader 1.231 sends every parameter in the query, freqtrade 2026.9 (through ccxt) places by form
body; the values here are our own. Each is answered in the shape that is documented.
"""

from __future__ import annotations

import json

import pytest

from tests.exchange_server.rest_desk import BTC, rest_desk

ORDER = {
    "orderId", "symbol", "status", "clientOrderId", "price", "origQty", "executedQty", "cumQty",
    "timeInForce", "type", "reduceOnly", "closePosition", "side", "positionSide", "stopPrice",
    "workingType", "priceProtect", "origType", "priceMatch", "selfTradePreventionMode",
    "goodTillDate", "updateTime",
}  # fmt: skip
QUERIED = (ORDER - {"cumQty"}) | {"avgPrice", "cumQuote", "time"}
LISTED = QUERIED | {"pair", "cumBase"}
ALGO = {
    "algoId", "clientAlgoId", "algoType", "orderType", "symbol", "side", "positionSide",
    "timeInForce", "quantity", "algoStatus", "triggerPrice", "price", "icebergQuantity",
    "selfTradePreventionMode", "workingType", "priceMatch", "closePosition", "priceProtect",
    "reduceOnly", "activatePrice", "callbackRate", "createTime", "updateTime", "triggerTime",
    "goodTillDate",
}  # fmt: skip
ALGO_QUERIED = ALGO | {
    "actualOrderId", "actualPrice", "actualType", "actualQty", "tpTriggerPrice", "tpPrice",
    "slTriggerPrice", "slPrice", "tpOrderType",
}  # fmt: skip
TOTALS = {
    "totalInitialMargin", "totalMaintMargin", "totalWalletBalance", "totalUnrealizedProfit",
    "totalMarginBalance", "totalPositionInitialMargin", "totalOpenOrderInitialMargin",
    "totalCrossWalletBalance", "totalCrossUnPnl", "availableBalance", "maxWithdrawAmount",
    "assets", "positions",
}  # fmt: skip
ACCOUNT = TOTALS | {
    "feeTier", "feeBurn", "canTrade", "canDeposit", "canWithdraw", "updateTime",
    "multiAssetsMargin", "tradeGroupId",
}  # fmt: skip
POSITION = {
    "symbol", "positionSide", "positionAmt", "entryPrice", "breakEvenPrice", "markPrice",
    "unRealizedProfit", "liquidationPrice", "isolatedMargin", "notional", "marginAsset",
    "isolatedWallet", "initialMargin", "maintMargin", "positionInitialMargin",
    "openOrderInitialMargin", "adl", "bidNotional", "askNotional", "updateTime",
}  # fmt: skip
TRADE = {
    "symbol", "pair", "id", "orderId", "side", "price", "qty", "quoteQty", "baseQty", "realizedPnl",
    "marginAsset", "commission", "commissionAsset", "time", "positionSide", "buyer", "maker",
}  # fmt: skip
CONFIG = {"symbol", "marginType", "isAutoAddMargin", "leverage", "maxNotionalValue"}
INFO = {
    "timezone", "serverTime", "futuresType", "rateLimits", "exchangeFilters", "assets", "symbols",
}  # fmt: skip


def fields(body):
    """Return the fields of an answer, or of every row of one."""
    rows = body if isinstance(body, list) else [body]
    assert rows, "nothing to look at"
    (found,) = {frozenset(row) for row in rows}
    return set(found)


async def test_what_nautilus_trader_sends_is_answered_in_shape():
    async with rest_desk() as desk:
        common = {"recvWindow": 5000, "symbol": BTC}
        order = {**common, "side": "BUY", "quantity": "0.010", "positionSide": "BOTH"}
        stop = {**order, "side": "SELL", "type": "STOP_MARKET", "algoType": "CONDITIONAL"}
        stop |= {"triggerPrice": "49000.0", "timeInForce": "GTC", "workingType": "CONTRACT_PRICE"}
        limit = {"type": "LIMIT", "timeInForce": "GTC", "price": "49500.0"}
        named = {"symbol": BTC, "origClientOrderId": "O-1-001"}
        plan: list[tuple[str, str, dict, set[str]]] = [
            ("GET", "/fapi/v2/account", {}, ACCOUNT),
            ("GET", "/fapi/v2/account", {"recvWindow": 5000}, ACCOUNT),
            ("GET", "/fapi/v1/symbolConfig", {}, CONFIG),
            ("GET", "/fapi/v1/positionSide/dual", {}, {"dualSidePosition"}),
            ("POST", "/fapi/v1/order", {**order, **limit, "newClientOrderId": "O-1-001",
                                        "reduceOnly": "False"}, ORDER),
            ("GET", "/fapi/v1/openOrders", {}, QUERIED),
            ("GET", "/fapi/v1/order", named, QUERIED),
            ("PUT", "/fapi/v1/order", {"symbol": BTC, "side": "BUY", "quantity": "0.020",
                                       "price": "49400.0", **named}, ORDER | {"pair"}),
            ("POST", "/fapi/v1/order", {**order, "type": "MARKET", "newClientOrderId": "O-1-002",
                                        "reduceOnly": "False"}, ORDER),
            ("POST", "/fapi/v1/algoOrder", {**stop, "clientAlgoId": "O-1-003",
                                            "reduceOnly": "True"}, ALGO),
            ("GET", "/fapi/v1/openAlgoOrders", {}, ALGO_QUERIED),
            ("GET", "/fapi/v1/algoOrder", {"clientAlgoId": "O-1-003"}, ALGO_QUERIED),
            ("GET", "/fapi/v1/allAlgoOrders", {"symbol": BTC, "startTime": 0, "limit": 1000,
                                               "algoId": 10**15}, ALGO_QUERIED),
            ("GET", "/fapi/v3/positionRisk", {}, POSITION),
            ("GET", "/fapi/v1/userTrades", {"symbol": BTC, "startTime": desk.now_ms() - 60_000},
             TRADE),
            ("GET", "/fapi/v1/allOrders", {"symbol": BTC, "limit": 1000}, LISTED),
            ("DELETE", "/fapi/v1/order", named, ORDER),
            ("DELETE", "/fapi/v1/algoOrder", {"clientAlgoId": "O-1-003"},
             {"algoId", "clientAlgoId", "code", "msg"}),
            ("DELETE", "/fapi/v1/batchOrders",
             {"symbol": BTC, "origClientOrderIdList": json.dumps(["O-1-001"])}, {"code", "msg"}),
        ]  # fmt: skip
        info = (await desk.public("/fapi/v1/exchangeInfo")).body
        assert set(info) == INFO
        assert {tif for each in info["symbols"] for tif in each["timeInForce"]} == {
            "GTC", "IOC", "FOK", "GTX", "GTD",
        }  # fmt: skip
        for verb, path, params, shape in plan:
            found = await desk.call(verb, path, **params)

            assert (found.status, fields(found.body)) == (200, shape), (verb, path, found.body)
        key = (await desk.raw("POST", "/fapi/v1/listenKey"))["listenKey"]
        unknown = await desk.call("GET", "/fapi/v1/order", symbol=BTC, origClientOrderId="none")
        assert len(key) == 64
        assert unknown.code == -2013
        assert (await desk.raw("DELETE", "/fapi/v1/listenKey")).body == {}


async def test_what_freqtrade_sends_is_answered_in_shape():
    async with rest_desk() as desk:
        common = {"recvWindow": 10_000, "symbol": BTC}
        limit = {**common, "side": "BUY", "newClientOrderId": "x-cvBPrNm9aa", "type": "LIMIT"}
        limit |= {"newOrderRespType": "RESULT", "quantity": "0.01", "price": "50010"}
        limit |= {"timeInForce": "GTC"}
        stop = {**common, "side": "SELL", "clientAlgoId": "x-cvBPrNm9bb", "type": "STOP_MARKET"}
        stop |= {"newOrderRespType": "RESULT", "quantity": "0.01", "triggerPrice": "47500"}
        stop |= {"reduceOnly": "true", "algoType": "CONDITIONAL"}
        recv = {"recvWindow": 10_000}
        since = {**common, "startTime": desk.now_ms() - 10_000}
        plan: list[tuple[str, str, dict, set[str]]] = [
            ("GET", "/fapi/v1/leverageBracket", recv, {"symbol", "notionalCoef", "brackets"}),
            ("GET", "/fapi/v1/positionSide/dual", recv, {"dualSidePosition"}),
            ("GET", "/fapi/v1/multiAssetsMargin", recv, {"multiAssetsMargin"}),
            ("GET", "/fapi/v3/account", recv, TOTALS),
            ("POST", "/fapi/v1/marginType", {**common, "marginType": "ISOLATED"}, {"code", "msg"}),
            ("POST", "/fapi/v1/leverage", {**common, "leverage": 1},
             {"leverage", "maxNotionalValue", "symbol"}),
            ("POST", "/fapi/v1/order", limit, ORDER),
            ("GET", "/fapi/v3/positionRisk", recv, POSITION),
            ("GET", "/fapi/v1/order", {**common, "origClientOrderId": "x-cvBPrNm9aa"}, QUERIED),
            ("GET", "/fapi/v1/userTrades", since, TRADE),
            ("POST", "/fapi/v1/algoOrder", stop, ALGO),
            ("GET", "/fapi/v1/algoOrder", {**common, "clientAlgoId": "x-cvBPrNm9bb"}, ALGO_QUERIED),
        ]  # fmt: skip
        for verb, path, params, shape in plan:
            found = await desk.call(verb, path, in_body=verb == "POST", **params)

            assert (found.status, fields(found.body)) == (200, shape), (verb, path, found.body)
        again = await desk.call(
            "POST", "/fapi/v1/marginType", in_body=True, **common, marginType="ISOLATED"
        )
        (risk,) = (await desk.call("GET", "/fapi/v3/positionRisk", **recv)).body
        depth = (await desk.public("/fapi/v1/depth", symbol=BTC, limit=5)).body
        candles = (await desk.public("/fapi/v1/klines", interval="1m", limit=499, symbol=BTC)).body

        assert again.code == -4046, "it takes that for done"
        assert float(risk["isolatedWallet"]) == pytest.approx(500.01)
        assert set(depth) == {"lastUpdateId", "E", "T", "bids", "asks"}
        assert [len(each) for each in candles] == [12]


async def test_what_hummingbot_sends_is_answered():
    """It signs what needs no signature, and listens on the bare path of before the routes."""
    async with rest_desk() as desk:
        key = (await desk.raw("POST", "/fapi/v1/listenKey"))["listenKey"]
        kept = await desk.call("PUT", "/fapi/v1/listenKey", listenKey=key)
        streams = desk.server.urls["streams"]
        async with desk.session.ws_connect(f"{streams}/ws/{key}") as user:
            mode = await desk.call(
                "POST", "/fapi/v1/positionSide/dual", in_body=True, dualSidePosition="True"
            )
            order = await desk.order(positionSide="LONG", newClientOrderId="x-nbQe1H39BBTUT6")
            told = await user.receive_json(timeout=10)
        async with desk.session.ws_connect(f"{streams}/stream") as market:
            await market.send_json(
                {"method": "SUBSCRIBE", "params": ["btcusdt@depth", "btcusdt@markPrice"], "id": 1}
            )
            reply = await market.receive_json(timeout=10)
        paid = await desk.call("GET", "/fapi/v1/income", symbol=BTC, incomeType="FUNDING_FEE")

        assert kept["listenKey"] == key
        assert (mode.status, order.status, paid.body) == (200, 200, [])
        assert (told["e"], told["s"]) == ("TRADE_LITE", BTC)
        assert reply == {"result": None, "id": 1}
