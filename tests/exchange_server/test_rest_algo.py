"""Conditional orders: their life on the wire, and those that close whole positions."""

from __future__ import annotations

import pytest

from holdfast.model.market import MarkPrice
from tests.exchange_server.rest_desk import BTC, rest_desk

ALGO = "/fapi/v1/algoOrder"
ORDER = "/fapi/v1/order"
FIELDS = {
    "algoId", "clientAlgoId", "algoType", "orderType", "symbol", "side", "positionSide",
    "timeInForce", "quantity", "algoStatus", "triggerPrice", "price", "icebergQuantity",
    "selfTradePreventionMode", "workingType", "priceMatch", "closePosition", "priceProtect",
    "reduceOnly", "activatePrice", "callbackRate", "createTime", "updateTime", "triggerTime",
    "goodTillDate",
}  # fmt: skip


async def position(desk):
    rows = (await desk.call("GET", "/fapi/v3/positionRisk")).body
    return rows[0]["positionAmt"] if rows else "0"


async def test_a_conditional_order_lives_under_its_own_id_until_it_is_triggered():
    async with rest_desk() as desk:
        await desk.order(qty="0.02")
        ack = await desk.stop(trigger="49000.75", clientAlgoId="my/stop", reduceOnly="true")
        waiting = await desk.call("GET", ALGO, algoId=ack["algoId"])
        desk.quote("48990", "48991")
        desk.trade("49000.5")
        finished = await desk.call("GET", ALGO, clientAlgoId="my/stop")
        child = await desk.call("GET", ORDER, symbol=BTC, orderId=finished["actualOrderId"])

        assert set(ack.body) == FIELDS
        assert ack["algoId"] > 10**15
        assert (ack["algoStatus"], ack["triggerPrice"]) == ("NEW", "49000.75")
        assert (waiting["algoStatus"], waiting["actualOrderId"]) == ("NEW", "")
        assert (finished["algoStatus"], finished["algoId"]) == ("FINISHED", ack["algoId"])
        assert finished["triggerTime"] > 0
        assert (child["status"], child["clientOrderId"], child["type"]) == (
            "FILLED", "my/stop", "MARKET",
        )  # fmt: skip
        assert await position(desk) == "0.010"


async def test_a_child_with_a_name_of_its_own_is_told_asked_after_and_cancelled_by_that():
    async with rest_desk(own_child_names=True) as desk:
        ack = await desk.stop("BUY", "51000", type="STOP", price="50900", clientAlgoId="entry")
        desk.quote("50999", "51000")
        desk.trade("51000")
        algo = await desk.call("GET", ALGO, clientAlgoId="entry")
        opened = await desk.call("GET", "/fapi/v1/openOrders", symbol=BTC)
        name = opened.body[0]["clientOrderId"]
        by_parents = await desk.call("GET", ORDER, symbol=BTC, origClientOrderId="entry")
        gone = await desk.call("DELETE", ORDER, symbol=BTC, origClientOrderId=name)

        assert algo["algoId"] == ack["algoId"]
        assert name == f"child-{algo['actualOrderId']}"
        assert by_parents.code == -2013
        assert (gone["status"], gone["clientOrderId"]) == ("CANCELED", name)


async def test_a_triggered_limit_rests_as_an_ordinary_order_and_is_cancelled_as_one():
    async with rest_desk() as desk:
        ack = await desk.stop("BUY", "51000", type="STOP", price="50900", clientAlgoId="entry")
        desk.quote("50999", "51000")
        desk.trade("51000")
        algo = await desk.call("GET", ALGO, algoId=ack["algoId"])
        late = await desk.call("DELETE", ALGO, algoId=ack["algoId"])
        gone = await desk.call("DELETE", ORDER, symbol=BTC, origClientOrderId="entry")

        assert algo["algoStatus"] == "TRIGGERED"
        assert late.code == -2011
        assert (gone["status"], str(gone["orderId"])) == ("CANCELED", algo["actualOrderId"])


async def test_a_waiting_order_is_unknown_to_the_ordinary_endpoints():
    async with rest_desk() as desk:
        await desk.stop(clientAlgoId="s")
        ids = {"symbol": BTC, "origClientOrderId": "s"}

        assert (await desk.call("GET", ORDER, **ids)).code == -2013
        assert (await desk.call("DELETE", ORDER, **ids)).code == -2011
        assert (await desk.call("GET", "/fapi/v1/openOrders")).body == []


async def test_a_cancelled_conditional_order_says_so_with_a_text_for_a_code():
    async with rest_desk() as desk:
        ack = await desk.stop(clientAlgoId="s")
        gone = await desk.call("DELETE", ALGO, clientAlgoId="s")
        found = await desk.call("GET", ALGO, algoId=ack["algoId"])
        rows = await desk.call("GET", "/fapi/v1/allAlgoOrders", symbol=BTC)

        assert gone.body == {
            "algoId": ack["algoId"], "clientAlgoId": "s", "code": "200", "msg": "success",
        }  # fmt: skip
        assert found["algoStatus"] == "CANCELED"
        assert [row["algoId"] for row in rows.body] == [ack["algoId"]]
        assert (await desk.call("DELETE", ALGO, clientAlgoId="s")).code == -2011


async def test_cancelling_all_conditional_orders_spares_the_book():
    async with rest_desk() as desk:
        await desk.order(price="49000")
        for trigger in ("48000", "47000"):
            await desk.stop(trigger=trigger)
        done = await desk.call("DELETE", "/fapi/v1/algoOpenOrders", symbol=BTC)

        assert done["code"] == 200
        assert (await desk.call("GET", "/fapi/v1/openAlgoOrders")).body == []
        assert len((await desk.call("GET", "/fapi/v1/openOrders")).body) == 1


@pytest.mark.parametrize(
    ("code", "params"),
    [
        (-2021, {"trigger": "51000"}),
        (-2021, {"side": "BUY", "type": "TAKE_PROFIT_MARKET", "trigger": "51000"}),
        (-1102, {"trigger": None}),
        (-1102, {"type": "STOP"}),
        (-1102, {"type": "TRAILING_STOP_MARKET", "trigger": None}),
        (-1130, {"type": "TRAILING_STOP_MARKET", "trigger": None, "callbackRate": "21"}),
        (-1116, {"type": "LIMIT"}),
        (-4031, {"workingType": "INDEX"}),
        (-4137, {"closePosition": "true"}),
        (-4138, {"closePosition": "true", "quantity": None, "reduceOnly": "false"}),
        (-1128, {"type": "STOP", "price": "48000", "closePosition": "true", "quantity": None}),
        (-4509, {"closePosition": "true", "quantity": None}),
        (-1020, {"algoType": "VP"}),
        (-1020, {"type": "STOP", "priceMatch": "QUEUE", "quantity": "0.01"}),
    ],
)
async def test_conditional_orders_are_refused_with_the_venues_codes(code, params):
    async with rest_desk() as desk:
        found = await desk.stop(**params)

        assert (found.status, found.code) == (400, code)


async def test_a_trailing_stop_follows_the_price_from_its_activation():
    async with rest_desk() as desk:
        await desk.order(qty="0.01")
        kind = {"type": "TRAILING_STOP_MARKET", "callbackRate": "1", "activatePrice": "51000"}
        ack = await desk.stop(trigger=None, **kind)
        for price in ("52000", "51500", "51481"):
            desk.quote(price, float(price) + 1)
            desk.trade(price)
        before = await position(desk)
        desk.trade("51480")  # 1 % from the best

        assert (ack["callbackRate"], ack["activatePrice"]) == ("1", "51000")
        assert (before, await position(desk)) == ("0.010", "0")


async def close_order(desk, trigger="49000", **more):
    return await desk.stop(trigger=trigger, quantity=None, closePosition="true", **more)


async def test_a_close_order_closes_whatever_there_is_when_it_is_triggered():
    async with rest_desk() as desk:
        await desk.order(qty="0.01")
        ack = await close_order(desk, clientAlgoId="close")
        await desk.order(qty="0.05")
        desk.quote("48990", "48991")
        desk.trade("48995")
        child = await desk.call("GET", ORDER, symbol=BTC, origClientOrderId="close")
        algo = await desk.call("GET", ALGO, algoId=ack["algoId"])

        assert (ack["quantity"], ack["timeInForce"]) == ("0.000", "GTE_GTC")
        assert (ack["closePosition"], ack["reduceOnly"]) == (True, True)
        assert (child["status"], child["origQty"], child["executedQty"]) == (
            "FILLED", "0.060", "0.060",
        )  # fmt: skip
        assert (algo["algoStatus"], algo["actualQty"]) == ("FINISHED", "0.060")
        assert await position(desk) == "0"


async def test_a_close_order_that_the_book_cannot_fill_says_what_it_lacked():
    async with rest_desk() as desk:
        await desk.order(qty="0.05")
        await close_order(desk, clientAlgoId="close")
        desk.venue.on_market(_thin_book(desk))
        desk.trade("48995")
        child = await desk.call("GET", ORDER, symbol=BTC, origClientOrderId="close")

        assert (child["status"], child["executedQty"]) == ("EXPIRED", "0.020")
        assert await position(desk) == "0.030"


def _thin_book(desk):
    from holdfast.model.market import BookSnapshot

    return BookSnapshot(
        symbol=BTC, ts=desk.clock(), bids=((48990.0, 0.02),), asks=((48991.0, 1.0),)
    )


async def test_one_close_order_of_a_kind_and_direction_is_all_there_can_be():
    async with rest_desk() as desk:
        await desk.order(qty="0.01")
        stop = await close_order(desk)
        again = await close_order(desk, trigger="48000")
        profit = await close_order(desk, trigger="52000", type="TAKE_PROFIT_MARKET")

        assert (stop.status, again.code, profit.status) == (200, -4130, 200)
        assert again["msg"].startswith("An open stop or take profit order with GTE")


async def test_close_orders_expire_with_the_position():
    async with rest_desk() as desk:
        await desk.order(qty="0.01")
        ack = await close_order(desk)
        await desk.order(side="SELL", qty="0.01", reduceOnly="true")
        found = await desk.call("GET", ALGO, algoId=ack["algoId"])

        assert found["algoStatus"] == "EXPIRED"
        assert (await desk.call("GET", "/fapi/v1/openAlgoOrders")).body == []


async def test_what_the_sinks_hear_of_a_close_order_adds_up():
    async with rest_desk() as desk:
        await desk.order(qty="0.06")
        await close_order(desk, clientAlgoId="close")
        heard = []
        desk.venue.sinks.append(lambda outputs, now: heard.extend(outputs))
        desk.quote("48990", "48991", qty=0.02)
        desk.trade("48995")
        updates = [each for each in heard if hasattr(each, "order")]

        assert [each.report.exec_type.value for each in updates] == [
            "TRIGGERED", "NEW", "TRADE", "TRADE",
        ]  # fmt: skip
        assert {str(each.order.qty) for each in updates} == {"0.06"}
        assert [each.order.status.value for each in updates[2:]] == ["PARTIALLY_FILLED", "FILLED"]
        assert updates[-1].report.status.value == "FILLED"


async def test_a_triggered_order_is_listed_by_the_time_it_came_into_the_book():
    async with rest_desk() as desk:
        await desk.order(qty="0.02")
        await desk.stop(clientAlgoId="old", reduceOnly="true")
        desk.clock.pass_s(8 * 86_400)
        begin = desk.now_ms()
        desk.quote("48990", "48991")
        desk.trade("48990.5")
        recent = (await desk.call("GET", "/fapi/v1/allOrders", symbol=BTC)).body
        since = (await desk.call("GET", "/fapi/v1/allOrders", symbol=BTC, startTime=begin)).body

        assert [each["clientOrderId"] for each in recent] == ["old"]
        assert [each["clientOrderId"] for each in since] == ["old"]
        assert since[0]["time"] >= begin


async def test_a_protected_order_waits_while_price_and_mark_are_apart():
    async with rest_desk() as desk:

        def mark(price):
            desk.venue.on_market(MarkPrice(symbol=BTC, ts=desk.clock(), mark_price=float(price)))

        mark(50_000)
        await desk.order(qty="0.02")
        stops = [
            await desk.stop(trigger="49000", quantity="0.01", reduceOnly="true", priceProtect=flag)
            for flag in ("TRUE", "FALSE")
        ]
        desk.quote("49990", "50010")
        desk.trade("40000")  # one bad print

        states = [(await desk.call("GET", ALGO, algoId=each["algoId"])) for each in stops]
        assert [each["algoStatus"] for each in states] == ["NEW", "FINISHED"]

        mark(41_000)
        state = await desk.call("GET", ALGO, algoId=stops[0]["algoId"])
        assert state["algoStatus"] == "FINISHED"


async def test_a_protected_order_is_one_behind_a_restart(tmp_path):
    async with rest_desk(data_dir=tmp_path) as desk:
        await desk.order(qty="0.01")
        stop = await desk.stop(trigger="49000", reduceOnly="true", priceProtect="TRUE")

    async with rest_desk(data_dir=tmp_path) as desk:
        desk.venue.on_market(MarkPrice(symbol=BTC, ts=desk.clock(), mark_price=50_000.0))
        desk.trade("40000")
        state = await desk.call("GET", ALGO, algoId=stop["algoId"])

        assert state["algoStatus"] == "NEW"
