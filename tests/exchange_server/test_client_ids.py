"""Ids that clients give: whose they are, which order they mean, and what they may be made of."""

from __future__ import annotations

from tests.exchange_server.rest_desk import BTC, ETH, rest_desk

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"


def show_eth(desk):
    desk.quote(symbol=ETH, bid="3000", ask="3000.1")
    desk.trade("3000", symbol=ETH)


async def test_an_id_used_again_in_another_symbol_still_finds_the_order_of_the_first():
    async with rest_desk() as desk:
        show_eth(desk)
        first = await desk.order(newClientOrderId="again")
        second = await desk.order(symbol=ETH, qty="0.1", price="2900", newClientOrderId="again")
        found = [
            await desk.call("GET", ORDER, symbol=symbol, origClientOrderId="again")
            for symbol in (BTC, ETH)
        ]

        assert [each["orderId"] for each in found] == [first["orderId"], second["orderId"]]
        assert [each["status"] for each in found] == ["FILLED", "NEW"]


async def test_a_conditional_order_under_an_id_used_before_hides_no_ordinary_one():
    async with rest_desk() as desk:
        first = await desk.order(newClientOrderId="again")
        stop = await desk.stop(clientAlgoId="again")
        order = await desk.call("GET", ORDER, symbol=BTC, origClientOrderId="again")
        algo = await desk.call("GET", ALGO, clientAlgoId="again")

        assert (order["orderId"], order["status"]) == (first["orderId"], "FILLED")
        assert (algo["algoId"], algo["algoStatus"]) == (stop["algoId"], "NEW")


async def test_an_ordinary_order_under_a_conditional_ones_id_hides_neither():
    async with rest_desk() as desk:
        stop = await desk.stop(clientAlgoId="again")
        await desk.call("DELETE", ALGO, algoId=stop["algoId"])
        order = await desk.order(newClientOrderId="again")
        found = await desk.call("GET", ORDER, symbol=BTC, origClientOrderId="again")
        algo = await desk.call("GET", ALGO, clientAlgoId="again")

        assert found["orderId"] == order["orderId"]
        assert (algo["algoId"], algo["algoStatus"]) == (stop["algoId"], "CANCELED")
