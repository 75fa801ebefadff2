"""What befalls accounts, orders and connections on order, by rule and by lever, and is counted."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import aiohttp
import msgspec
import pytest

from holdfast.exchange import OrderKey, known_instrument
from holdfast.exchange_server.tape import Tape
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


# Contracts that end


async def status(desk, word, symbol=BTC, **more):
    return await do(desk, "status", symbol=symbol, status=word, **more)


async def listed(desk):
    rows = (await desk.public("/fapi/v1/exchangeInfo")).body["symbols"]
    return {row["symbol"]: row["status"] for row in rows}


async def code(call):
    return (await call).body.get("code")


async def test_a_halted_contract_takes_no_orders_until_it_is_traded_again():
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        resting = (await desk.order(price="49000")).body["orderId"]
        await status(desk, "BREAK")

        assert (await listed(desk))[BTC] == "BREAK"
        assert await code(desk.order()) == -4140
        assert await code(desk.order("SELL", reduceOnly="true")) == -4141
        assert await code(desk.stop()) == -4140
        amended = desk.call(
            "PUT",
            "/fapi/v1/order",
            symbol=BTC,
            orderId=resting,
            side="BUY",
            quantity="0.02",
            price="48000",
        )
        assert await code(amended) == -5024
        done = await desk.call("DELETE", "/fapi/v1/order", symbol=BTC, orderId=resting)
        assert done.body["status"] == "CANCELED"

        await status(desk, "TRADING")
        assert (await desk.order()).body["status"] == "NEW"


async def test_a_contract_that_is_about_to_end_can_be_closed():
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        await status(desk, "PRE_SETTLE")

        assert await code(desk.order()) == -4140
        await desk.order("SELL", qty="0.1", reduceOnly="true")
        assert await position(desk) == "0"


async def test_a_halted_market_stands_still_and_triggers_nothing():
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        await desk.stop(trigger="49000", reduceOnly="true")
        await status(desk, "SETTLING")
        desk.trade("48000")

        (stop,) = (await desk.call("GET", "/fapi/v1/openAlgoOrders")).body
        assert stop["algoStatus"] == "NEW"


async def test_a_settlement_ends_orders_and_closes_positions_by_orders_of_the_exchanges():
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        await desk.order(price="40000", newClientOrderId="mine")
        await desk.stop(reduceOnly="true")
        done = await do(desk, "settlement", symbol=BTC, price="51000")
        trades = (await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC)).body
        order = await desk.call("GET", "/fapi/v1/order", symbol=BTC, origClientOrderId="mine")

        assert done["count"] == 1
        assert await position(desk) == "0"
        assert order.body["status"] == "EXPIRED"
        assert (await desk.call("GET", "/fapi/v1/openAlgoOrders")).body == []
        last = trades[-1]
        assert (last["side"], last["price"], last["qty"]) == ("SELL", "51000.0", "0.100")
        assert (await listed(desk))[BTC] == "SETTLING"


async def test_a_settlement_may_be_told_of_by_the_income_list_alone():
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        before = len((await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC)).body)
        await do(desk, "settlement", symbol=BTC, price="49001", is_trade=False)
        (row,) = (await desk.call("GET", "/fapi/v1/income", incomeType="DELIVERED_SETTELMENT")).body

        assert (row["symbol"], row["income"]) == (BTC, "-100.00000000")
        assert len((await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC)).body) == before
        assert await position(desk) == "0"


async def test_a_contract_off_the_list_is_no_symbol_and_what_it_brought_is_listed_still():
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        await do(desk, "settlement", symbol=BTC, price="51001", status="UNLISTED")

        assert BTC not in await listed(desk)
        assert await code(desk.order()) == -1121
        assert (await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC)).body["code"] == -1121
        kinds = {row["incomeType"] for row in (await desk.call("GET", "/fapi/v1/income")).body}
        assert "REALIZED_PNL" in kinds


async def test_an_announced_end_is_listed_until_it_is_taken_back():
    async def told(desk):
        rows = (await desk.public("/fapi/v1/exchangeInfo")).body["symbols"]
        return next(row["deliveryDate"] for row in rows if row["symbol"] == BTC)

    async with rest_desk() as desk:
        usual = await told(desk)
        await status(desk, "TRADING", delivery_ms=1_795_251_600_000)
        announced = await told(desk)
        await status(desk, "PRE_SETTLE")
        kept = await told(desk)
        await status(desk, "TRADING", delivery_ms=0)

        assert (announced, kept) == (1_795_251_600_000, 1_795_251_600_000)
        assert await told(desk) == usual == 4_133_404_800_000


async def test_a_status_and_sizes_outlive_a_restart(tmp_path):
    async with rest_desk(data_dir=tmp_path) as desk:
        await status(desk, "BREAK")
    async with rest_desk(data_dir=tmp_path) as desk:
        assert (await listed(desk))[BTC] == "BREAK"


@pytest.mark.parametrize(
    "wish",
    [
        {"do": "status", "symbol": BTC, "status": "GONE"},
        {"do": "status", "symbol": "NOPE", "status": "BREAK"},
        {"do": "status", "symbol": BTC, "lot": "NaN"},
        {"do": "status", "symbol": BTC, "delivery_ms": -1},
        {"do": "settlement", "symbol": BTC, "price": "-1"},
        {"do": "settlement", "symbol": BTC, "fee_rate": "2"},
    ],
)
async def test_a_halt_that_can_not_be_is_refused(wish):
    async with rest_desk() as desk:
        found = await desk.raw("POST", "/admin/force", body=msgspec.json.encode(wish))

        assert found.status == 400


async def test_a_position_of_a_finer_lot_is_shown_as_it_is():
    """It was rounded to the present lot: 0.015 was shown as 0.02."""
    async with rest_desk() as desk:
        await desk.order(qty="0.015")
        await status(desk, "TRADING", lot="0.01")

        assert await position(desk) == "0.015"


async def test_dust_is_closed_by_an_order_that_closes_the_position():
    async with rest_desk() as desk:
        await desk.order(qty="0.015")
        await status(desk, "TRADING", lot="0.01")
        assert await code(desk.order("SELL", qty="0.015", reduceOnly="true")) == -4023
        await desk.stop(trigger="49000", quantity=None, closePosition="true")
        desk.quote("48990", "48991")
        desk.trade("48990")

        assert await position(desk) == "0"


async def test_orders_of_a_finer_lot_are_taken_once_it_is_listed():
    """They were refused (-1111), as after a restart with a coarser lot that was taken back."""
    async with rest_desk() as desk:
        await status(desk, "TRADING", lot="0.0001", min_qty="0.0001")

        await desk.order(qty="0.0125")

        assert await position(desk) == "0.0125"


@pytest.mark.parametrize(("finer", "coarser"), [("tick", "lot"), ("lot", "tick")])
def test_what_was_of_a_finer_tick_or_lot_can_still_be_written(finer, coarser):
    instrument = known_instrument(BTC)
    assert instrument is not None
    tape = Tape(instrument)
    before = tape.digits
    sizes = {finer: Decimal("0.00001"), coarser: Decimal(1)}

    tape.relist(msgspec.structs.replace(tape.instrument, **sizes))

    digits = {"tick": tape.digits.price, "lot": tape.digits.qty}
    kept = {"tick": before.price, "lot": before.qty}
    assert (digits[finer], digits[coarser]) == (5, kept[coarser])
