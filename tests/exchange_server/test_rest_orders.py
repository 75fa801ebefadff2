"""Orders over real sockets: what is acknowledged, refused, amended, cancelled and found again."""

from __future__ import annotations

import json

import pytest

from tests.exchange_server.rest_desk import BTC, rest_desk

ACK = {
    "orderId", "symbol", "status", "clientOrderId", "price", "origQty", "executedQty", "cumQty",
    "timeInForce", "type", "reduceOnly", "closePosition", "side", "positionSide", "stopPrice",
    "workingType", "priceProtect", "origType", "priceMatch", "selfTradePreventionMode",
    "goodTillDate", "updateTime",
}  # fmt: skip


async def test_an_acknowledgement_has_the_fields_of_2026_and_says_new_even_when_filled():
    async with rest_desk() as desk:
        ack = await desk.order(qty="0.01")
        found = await desk.call("GET", "/fapi/v1/order", symbol=BTC, orderId=ack["orderId"])

        assert ack.status == 200
        assert set(ack.body) == ACK
        assert (ack["status"], ack["executedQty"]) == ("NEW", "0.000")
        assert (found["status"], found["executedQty"]) == ("FILLED", "0.010")
        assert (found["avgPrice"], found["cumQuote"]) == ("50001", "500.01")


async def test_a_result_waits_for_the_end_of_what_cannot_rest():
    async with rest_desk() as desk:
        filled = await desk.order(newOrderRespType="RESULT")
        expired = await desk.order(price="49000", timeInForce="IOC", newOrderRespType="RESULT")
        resting = await desk.order(price="50001", newOrderRespType="RESULT")

        assert (filled["status"], filled["cumQty"]) == ("FILLED", "0.010")
        assert expired["status"] == "EXPIRED"
        assert resting["status"] == "NEW"


async def test_legacy_acknowledgements_tell_the_average_price():
    async with rest_desk(legacy_acks=True) as desk:
        ack = await desk.order(newOrderRespType="RESULT")

        assert (ack["avgPrice"], ack["cumQuote"]) == ("50001", "500.01")


async def test_a_resting_order_is_amended_and_cancelled_by_either_id():
    async with rest_desk() as desk:
        await desk.order(price="49000", newClientOrderId="a/b:c")
        amended = await desk.call(
            "PUT", "/fapi/v1/order", symbol=BTC, side="BUY", origClientOrderId="a/b:c",
            quantity="0.02", price="48000", modifyId=7,
        )  # fmt: skip
        opened = await desk.call("GET", "/fapi/v1/openOrders", symbol=BTC)
        history = await desk.call("GET", "/fapi/v1/orderAmendment", symbol=BTC)
        gone = await desk.call("DELETE", "/fapi/v1/order", symbol=BTC, orderId=amended["orderId"])
        again = await desk.call("DELETE", "/fapi/v1/order", symbol=BTC, orderId=amended["orderId"])

        assert (amended["price"], amended["origQty"], amended["modifyId"]) == (
            "48000.0", "0.020", 7,
        )  # fmt: skip
        assert amended["pair"] == BTC
        assert [each["price"] for each in opened.body] == ["48000.0"]
        assert history.body[0]["amendment"]["price"] == {"before": "49000.0", "after": "48000.0"}
        assert gone["status"] == "CANCELED"
        assert (again.status, again.code, again["msg"]) == (400, -2011, "Unknown order sent.")


async def test_refused_amendments_leave_the_order_as_it_was():
    async with rest_desk() as desk:
        ack = await desk.order(price="49000")
        same = {"symbol": BTC, "side": "BUY", "orderId": ack["orderId"]}
        put = "/fapi/v1/order"

        unchanged = await desk.call("PUT", put, **same, quantity="0.01", price="49000")
        asserted = await desk.call(
            "PUT", put, **same, quantity="0.02", price="4e4", reduceOnly="true"
        )
        unknown = await desk.call(
            "PUT", put, symbol=BTC, side="BUY", orderId=99, quantity=1, price=1
        )
        unnamed = await desk.call("PUT", put, symbol=BTC, side="BUY", quantity=1, price=1)

        assert [each.code for each in (unchanged, asserted, unknown, unnamed)] == [
            -5027, -5047, -2013, -1102,
        ]  # fmt: skip
        found = await desk.call("GET", put, symbol=BTC, orderId=ack["orderId"])
        assert (found["status"], found["price"]) == ("NEW", "49000.0")


async def test_mandatory_parameters_are_named_when_they_lack():
    async with rest_desk() as desk:
        wanted = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        wanted |= {"quantity": "0.01", "price": "49000"}
        for name in wanted:
            rest = {key: value for key, value in wanted.items() if key != name}
            found = await desk.call("POST", "/fapi/v1/order", **rest)

            assert found.code == -1102
            assert f"'{name}'" in found["msg"]


async def test_malformed_orders_get_the_venues_codes():
    cases: dict[int, dict[str, str | int]] = {
        -1121: {"symbol": "NOPE"},
        -1117: {"side": "LONG"},
        -1116: {"type": "FANCY"},
        -1115: {"price": "49000", "timeInForce": "DAY"},
        -1136: {"newOrderRespType": "FULL"},
        -1111: {"qty": "0.0001"},
        -4014: {"price": "49000.05"},
        -4164: {"price": "49000", "qty": "0.001"},
        -4016: {"price": "60000"},
        -4015: {"newClientOrderId": "x" * 37},
        -1100: {"newClientOrderId": "no blanks"},
        -4061: {"positionSide": "LONG"},
        -4060: {"positionSide": "UP"},
        -4120: {"type": "STOP_MARKET", "stopPrice": "40000"},
        -2019: {"qty": "100", "price": "49000"},
        -2022: {"reduceOnly": "true", "side": "SELL"},
        -5022: {"price": "50100", "timeInForce": "GTX"},
        -5021: {"price": "50001", "qty": "1", "timeInForce": "FOK"},
        -5040: {"price": "49000", "timeInForce": "GTD", "goodTillDate": 1},
        -1106: {"timeInForce": "GTC"},
        -5039: {"selfTradePreventionMode": "NONE"},
        -5037: {"type": "LIMIT", "timeInForce": "GTC", "priceMatch": "OPPONENT_10"},
        -5041: {"type": "LIMIT", "timeInForce": "GTC", "priceMatch": "QUEUE_20"},
    }
    async with rest_desk() as desk:
        desk.quote(qty=0.5)
        for code, params in cases.items():
            found = await desk.order(**params)

            assert (found.status, found.code) == (400, code), params
        assert not (await desk.call("GET", "/fapi/v1/allOrders", symbol=BTC)).body


async def test_the_refusal_of_a_small_order_names_the_least_notional():
    async with rest_desk() as desk:
        found = await desk.order(qty="0.001", price="49000")

        assert found["msg"] == (
            "Order's notional must be no smaller than 100 (unless you choose reduce only)"
        )
        assert found.headers["X-Holdfast-Why"].startswith("notional 49 is below 100")


async def test_36_characters_make_a_client_id_and_none_draws_one():
    async with rest_desk() as desk:
        longest = await desk.order(price="49000", newClientOrderId="x" * 36)
        drawn = await desk.order(price="49000")

        assert longest["clientOrderId"] == "x" * 36
        assert len(drawn["clientOrderId"]) == 22


async def test_a_client_id_is_refused_on_an_open_order_only():
    async with rest_desk() as desk:
        first = await desk.order(price="49000", newClientOrderId="once")
        second = await desk.order(price="49000", newClientOrderId="once")
        bought = [await desk.order(newClientOrderId="twice") for _ in range(2)]

        assert (first.status, second.code) == (200, -4116)
        assert [each.status for each in bought] == [200, 200]
        old = await desk.call("GET", "/fapi/v1/order", symbol=BTC, orderId=bought[0]["orderId"])
        assert old["status"] == "FILLED"  # the id's first order is still found by its number


async def test_cancelling_an_old_order_spares_the_new_one_that_has_its_client_id():
    async with rest_desk() as desk:
        old = await desk.order(newClientOrderId="again")
        new = await desk.order(price="49000", newClientOrderId="again")
        gone = await desk.call("DELETE", "/fapi/v1/order", symbol=BTC, orderId=old["orderId"])
        found = await desk.call("GET", "/fapi/v1/order", symbol=BTC, orderId=new["orderId"])

        assert (gone.code, found["status"]) == (-2011, "NEW")


async def test_each_order_of_a_batch_is_answered_for_itself():
    async with rest_desk() as desk:
        good = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                "quantity": 0.01, "price": "49000", "newClientOrderId": "b1"}  # fmt: skip
        batch = json.dumps([good, {**good, "newClientOrderId": "b2", "quantity": "0"}])
        found = await desk.call("POST", "/fapi/v1/batchOrders", batchOrders=batch)
        many = await desk.call("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([good] * 6))
        gone = await desk.call(
            "DELETE", "/fapi/v1/batchOrders", symbol=BTC,
            orderidlist=json.dumps([found.body[0]["orderId"], 77]),
        )  # fmt: skip

        assert found.body[0]["status"] == "NEW"
        assert found.body[1]["code"] == -4003
        assert many.code == -4082
        assert [each.get("status", each.get("code")) for each in gone.body] == ["CANCELED", -2011]


async def test_a_batch_is_amended_in_one_request():
    async with rest_desk() as desk:
        ids = [(await desk.order(price="49000"))["orderId"] for _ in range(2)]
        wanted = [
            {"symbol": BTC, "side": "BUY", "orderId": number, "quantity": "0.02", "price": "48000"}
            for number in ids
        ]
        found = await desk.call("PUT", "/fapi/v1/batchOrders", batchOrders=json.dumps(wanted))

        assert [each["origQty"] for each in found.body] == ["0.020", "0.020"]


async def test_cancelling_everything_spares_conditional_orders():
    async with rest_desk() as desk:
        await desk.order(price="49000")
        await desk.stop()
        done = await desk.call("DELETE", "/fapi/v1/allOpenOrders", symbol=BTC)

        assert done.body == {
            "code": 200, "msg": "The operation of cancel all open order is done.",
        }  # fmt: skip
        assert not (await desk.call("GET", "/fapi/v1/openOrders")).body
        assert len((await desk.call("GET", "/fapi/v1/openAlgoOrders")).body) == 1


async def test_a_countdown_cancels_a_symbols_orders_unless_it_is_renewed():
    async with rest_desk() as desk:
        await desk.order(price="49000")
        told = await desk.call(
            "POST", "/fapi/v1/countdownCancelAll", symbol=BTC, countdownTime=60_000
        )
        desk.clock.pass_s(50)
        await desk.call("POST", "/fapi/v1/countdownCancelAll", symbol=BTC, countdownTime=60_000)
        desk.clock.pass_s(50)
        desk.venue.tick()
        before = (await desk.call("GET", "/fapi/v1/openOrders")).body
        desk.clock.pass_s(11)
        desk.venue.tick()

        assert told.body == {"symbol": BTC, "countdownTime": "60000"}
        assert len(before) == 1
        assert not (await desk.call("GET", "/fapi/v1/openOrders")).body


async def test_an_unfilled_cancelled_order_is_forgotten_after_three_days():
    async with rest_desk() as desk:
        ack = await desk.order(price="49000")
        ids = {"symbol": BTC, "orderId": ack["orderId"]}
        await desk.call("DELETE", "/fapi/v1/order", **ids)
        desk.clock.pass_s(3 * 86_400 - 60)
        shown = await desk.call("GET", "/fapi/v1/order", **ids)
        desk.clock.pass_s(120)

        assert shown["status"] == "CANCELED"
        assert (await desk.call("GET", "/fapi/v1/order", **ids)).code == -2013


async def test_a_test_order_is_checked_and_goes_nowhere():
    async with rest_desk() as desk:
        path, wanted = "/fapi/v1/order/test", {"symbol": BTC, "side": "BUY", "type": "MARKET"}
        good = await desk.call("POST", path, **wanted, quantity="0.01")
        bad = await desk.call("POST", path, **wanted, quantity="1000")
        stop = await desk.call(
            "POST", path, **{**wanted, "type": "STOP_MARKET"}, quantity="0.01", stopPrice="60000"
        )

        assert (good.status, bad.code, stop.status) == (200, -4005, 200)
        assert not (await desk.call("GET", "/fapi/v1/allOrders")).body


async def test_a_price_is_matched_to_the_book():
    async with rest_desk() as desk:
        more = {"type": "LIMIT", "timeInForce": "GTC"}
        queued = await desk.order(**more, priceMatch="QUEUE")
        taken = await desk.order(**more, priceMatch="OPPONENT")

        assert (queued["price"], queued["priceMatch"]) == ("50000.0", "QUEUE")
        assert taken["price"] == "50001.0"


async def test_executions_are_told_with_price_fee_and_profit():
    async with rest_desk() as desk:
        await desk.order(qty="0.02")
        desk.quote("51000", "51001")
        await desk.order(side="SELL", qty="0.02")
        trades = (await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC)).body
        later = (await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC, fromId=2)).body

        assert [each["price"] for each in trades] == ["50001.0", "51000.0"]
        assert trades[0]["commission"] == "0.50001000"
        assert trades[1]["realizedPnl"] == "19.98000000"
        assert [each["id"] for each in later] == [2]
        assert (trades[0]["buyer"], trades[0]["maker"], trades[0]["baseQty"]) == (True, False, "0")


async def test_a_long_word_that_is_none_is_refused_in_a_header_that_can_be_read():
    async with rest_desk() as desk:
        found = await desk.order(side="B" * 100_000, in_body=True)

        assert (found.status, found.code) == (400, -1117)
        assert found.headers["X-Holdfast-Why"].startswith("side was 'BBB")
        assert len(found.headers["X-Holdfast-Why"]) < 1000


async def test_trades_are_asked_for_by_number_or_by_time_and_not_by_both():
    async with rest_desk() as desk:
        both = {"fromId": 1, "startTime": desk.now_ms() - 1000}
        found = await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC, **both)

        assert (found.status, found.code) == (400, -1128)


@pytest.mark.parametrize("qty", ["0_0.01", " 0.01", "0.01\n", "\u0660.\u0660\u0661", "0x1", "."])
async def test_a_number_that_only_python_can_read_is_refused(qty):
    async with rest_desk() as desk:
        found = await desk.order(qty=qty)

        assert (found.status, found.code) == (400, -1102)


@pytest.mark.parametrize("qty", ["0.01", "0.010", "1e-2", "+.01", "1E-2"])
async def test_a_number_may_be_written_as_clients_write_it(qty):
    async with rest_desk() as desk:
        assert (await desk.order(qty=qty))["origQty"] == "0.010"
