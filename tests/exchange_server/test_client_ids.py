"""Ids that clients give: whose they are, which order they mean, and what they may be made of."""

from __future__ import annotations

import hashlib
import hmac

import pytest

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


async def amend(desk, order, modify_id):
    """Amend an order with an id of raw bytes."""
    body = (
        f"symbol={BTC}&side=BUY&orderId={order['orderId']}&quantity=0.01&price=48000"
        f"&timestamp={desk.now_ms()}&modifyId="
    ).encode() + modify_id
    signature = hmac.new(desk.secret.encode(), body, hashlib.sha256).hexdigest()
    sent = body + f"&signature={signature}".encode()
    url, headers = f"{desk.server.urls['rest']}{ORDER}", {"X-MBX-APIKEY": desk.key}
    async with desk.session.put(url, data=sent, headers=headers) as found:
        return found.status, await found.read()


@pytest.mark.parametrize("modify_id", [b"\xff", b"7\xc3\xa9", b"7" * 10_000, b"a b"])
async def test_an_amendments_id_that_is_none_is_refused_and_nothing_is_amended(modify_id, tmp_path):
    async with rest_desk(data_dir=tmp_path) as desk:
        order = await desk.order(price="49000")
        status, content = await amend(desk, order, modify_id)
        live = await desk.call("GET", ORDER, symbol=BTC, orderId=order["orderId"])
    async with rest_desk(data_dir=tmp_path) as desk:
        kept = await desk.call("GET", ORDER, symbol=BTC, orderId=order["orderId"])

    assert (status, b'"code":-1130' in content) == (400, True)
    assert live["price"] == kept["price"] == "49000.0"
