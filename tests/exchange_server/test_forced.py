"""What befalls accounts, orders and connections on order, by rule and by lever, and is counted."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import msgspec
import pytest

from holdfast.exchange import OrderKey
from holdfast.model.market import MarkPrice
from tests.exchange_server.rest_desk import BTC, Clock, rest_desk
from tests.exchange_server.stream_desk import ALICE, open_desk
from tests.exchange_server.test_rest_faults import give

WAIT_S = 10.0


async def do(desk, what, **more):
    return await desk.raw("POST", "/admin/force", body=msgspec.json.encode({"do": what, **more}))


async def until(check):
    """Wait for something that comes by itself within a second or two."""
    end = time.monotonic() + WAIT_S
    while not await check():
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0.05)


async def position(desk):
    rows = (await desk.call("GET", "/fapi/v3/positionRisk")).body
    return rows[0]["positionAmt"] if rows else "0"


async def test_a_position_is_liquidated_by_lever():
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        await desk.order(price="49000")
        done = await do(desk, "liquidation", account="test", symbol=BTC)
        again = await do(desk, "liquidation", account="test", symbol=BTC)
        (forced,) = (await desk.call("GET", "/fapi/v1/forceOrders")).body

        assert (done["count"], again["count"]) == (1, 0)
        assert await position(desk) == "0"
        assert forced["clientOrderId"].startswith("autoclose-")
        assert (await desk.call("GET", "/fapi/v1/openOrders")).body == []


async def test_a_position_is_deleveraged_by_lever_in_part_and_whole():
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        await do(desk, "adl", account="test", symbol=BTC, qty="0.03")
        assert await position(desk) == "0.070"
        await do(desk, "adl", account="test", symbol=BTC)
        forced = await desk.call("GET", "/fapi/v1/forceOrders", autoCloseType="ADL")

        assert await position(desk) == "0"
        assert [each["origQty"] for each in forced.body] == ["0.030", "0.070"]


async def test_funding_is_forced_by_lever_at_the_announced_rate_or_another():
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        desk.venue.on_market(
            MarkPrice(symbol=BTC, ts=desk.clock(), mark_price=50_000.0, funding_rate=0.0005)
        )
        assert (await do(desk, "funding", symbol=BTC))["count"] == 1
        assert (await do(desk, "funding", symbol=BTC, rate=-0.001))["count"] == 1
        paid = (await desk.call("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")).body

        assert [each["income"] for each in paid] == ["-2.50000000", "5.00000000"]


@pytest.mark.parametrize(
    "wish",
    [
        {"do": "rain"},
        {"do": "liquidation", "account": "nobody", "symbol": BTC},
        {"do": "liquidation", "account": "test", "symbol": "XYZ"},
        {"do": "adl", "account": "test", "symbol": BTC, "qty": "NaN"},
        {"do": "funding", "symbol": BTC, "rate": 2},
        {"do": "refuse", "delay_ms": -1},
    ],
)
async def test_a_lever_that_is_none_is_refused(wish):
    async with rest_desk() as desk:
        assert (await do(desk, **{"what": wish.pop("do"), **wish})).status == 400


@pytest.mark.parametrize("kind", ["liquidation", "adl"])
async def test_a_position_is_taken_by_rule_and_counted(kind):
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        await give(desk, {"kind": kind, "on": f"test {BTC} BOTH", "count": 1, "part": 1.0})

        async def is_gone():
            return await position(desk) == "0"

        await until(is_gone)
        (fared,) = (await desk.raw("GET", "/admin/faults"))["faults"]
        assert fared["fired"] == 1


async def test_funding_comes_by_rule_and_is_counted():
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        await give(desk, {"kind": "funding", "on": BTC, "count": 1, "rate": 0.01})

        async def is_paid():
            kinds = {"incomeType": "FUNDING_FEE"}
            return bool((await desk.call("GET", "/fapi/v1/income", **kinds)).body)

        await until(is_paid)
        (fared,) = (await desk.raw("GET", "/admin/faults"))["faults"]
        assert fared["fired"] == 1


async def test_a_market_order_gets_a_part_and_the_rest_expires():
    async with rest_desk() as desk:
        await give(desk, {"kind": "partial_fill", "count": 1, "part": 0.3})
        found = await desk.order(qty="0.1", newOrderRespType="RESULT")

        assert (found["status"], found["executedQty"]) == ("EXPIRED", "0.030")
        whole = await desk.order(qty="0.1", newOrderRespType="RESULT")
        assert whole["status"] == "FILLED"


async def test_a_crossing_limit_order_gets_a_part_and_the_rest_stays():
    async with rest_desk() as desk:
        await give(desk, {"kind": "partial_fill", "count": 1})
        await desk.order(qty="0.1", price="50100")
        (order,) = (await desk.call("GET", "/fapi/v1/openOrders")).body

        assert (order["status"], order["executedQty"]) == ("PARTIALLY_FILLED", "0.050")


async def test_an_order_expires_as_if_it_had_met_itself():
    async with rest_desk() as desk:
        await give(desk, {"kind": "self_trade", "count": 1})
        placed = await desk.order(price="49000")
        found = await desk.call("GET", "/fapi/v1/order", symbol=BTC, orderId=placed["orderId"])

        assert found["status"] == "EXPIRED_IN_MATCH"
        assert (await desk.order(price="49000")).status == 200


@pytest.mark.parametrize(
    ("part", "status", "code", "filled"), [(0.5, 200, None, "0.005"), (1.0, 400, -2011, "0.010")]
)
async def test_an_order_fills_before_its_cancel_comes(part, status, code, filled):
    async with rest_desk() as desk:
        placed = await desk.order(price="49000")
        await give(desk, {"kind": "fill_before_cancel", "count": 1, "part": part})
        named = {"symbol": BTC, "orderId": placed["orderId"]}
        canceled = await desk.call("DELETE", "/fapi/v1/order", **named)
        found = await desk.call("GET", "/fapi/v1/order", **named)

        assert (canceled.status, canceled.code) == (status, code)
        assert found["executedQty"] == filled == await position(desk)


async def test_a_fill_is_told_after_the_cancel_that_it_came_before():
    async with open_desk() as desk:
        desk.quote(49_999.9, 50_000.1, 10, 10)
        client = await desk.user()
        desk.buy("0.010", 49_000, cl_ord_id="mine")
        await client.heard()
        desk.fault("fill_before_cancel")
        desk.fault("reorder_frame", on="ORDER_TRADE_UPDATE", count=1)
        order = desk.venue.exchange.open_orders(ALICE)[0]
        desk.venue.cancel(OrderKey(ALICE, order.symbol, order.cl_ord_id), is_conditional=False)
        told = [each["o"]["x"] for each in await client.heard() if "o" in each]

        assert told == ["CANCELED", "TRADE"]


@pytest.mark.parametrize("skew_ms", [20_000, -20_000])
async def test_a_skewed_clock_is_shown_and_judges_what_is_late(skew_ms):
    async with rest_desk(clock=Clock()) as desk:
        await give(desk, {"kind": "clock_skew", "delay_ms": skew_ms})
        shown = (await desk.public("/fapi/v1/time"))["serverTime"]
        refused = await desk.order()
        taken = await desk.order(timestamp=desk.now_ms() + skew_ms)

        assert abs(shown - desk.now_ms() - skew_ms) < 5_000
        assert (refused.code, taken.status) == (-1021, 200)


async def test_reads_lag_behind_for_lists_too():
    async with rest_desk() as desk:
        await give(desk, {"kind": "read_lag", "delay_ms": 5_000})
        await desk.order(price="49000")
        await desk.order()
        paths = ("openOrders", "allOrders", "userTrades")
        unseen = [(await desk.call("GET", f"/fapi/v1/{p}", symbol=BTC)).body for p in paths]
        truth = (await desk.raw("GET", "/admin/truth"))["accounts"]["test"]
        desk.clock.pass_s(6)
        seen = [(await desk.call("GET", f"/fapi/v1/{p}", symbol=BTC)).body for p in paths]

        assert unseen == [[], [], []]
        assert (len(truth["openOrders"]), len(truth["trades"])) == (1, 1), "the truth never lags"
        assert [len(each) for each in seen] == [1, 2, 1]


async def test_every_socket_is_closed_as_after_a_day_and_new_ones_are_welcome():
    async with rest_desk() as desk:
        url = f"{desk.server.urls['streams']}/ws/btcusdt@trade"
        async with (
            desk.session.ws_connect(url) as stream,
            desk.session.ws_connect(desk.server.urls["ws_api"]) as api,
        ):
            await do(desk, "disconnect")
            ends = [await each.receive(timeout=WAIT_S) for each in (stream, api)]
        async with desk.session.ws_connect(url) as again:
            await again.ping()

        assert [(each.type, each.data) for each in ends] == [(aiohttp.WSMsgType.CLOSE, 1008)] * 2
        assert ends[0].extra == "24 hours"


async def test_connections_are_refused_for_a_while():
    async with rest_desk() as desk:
        await desk.public("/fapi/v1/ping")
        await give(desk, {"kind": "refuse_connections", "count": 1, "delay_ms": 500})
        met: set[str] = set()

        async def is_refused():
            try:
                await desk.public("/fapi/v1/ping")
            except aiohttp.ClientConnectorError:
                return True
            except aiohttp.ClientError as error:
                met.add(type(error).__name__)
            return False

        async def is_back():
            return not await is_refused()

        await until(is_refused)
        await until(is_back)
        (fared,) = (await desk.raw("GET", "/admin/faults"))["faults"]
        assert fared["fired"] == 1
