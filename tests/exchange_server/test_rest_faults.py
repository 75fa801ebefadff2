"""What goes wrong on order: what the asker hears, and what was done all the same."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec
import pytest

from holdfast.exchange_server.faults import Faults, Kind, Rule, Script, load_script, rule_of
from holdfast.model.errors import ConfigError
from tests.exchange_server.rest_desk import BTC, rest_desk

ORDER = "POST /fapi/v1/order"


async def give(desk, *rules, **script):
    body = msgspec.json.encode({"faults": list(rules), **script}).decode()
    return await desk.raw("POST", "/admin/faults", body=body)


async def count(desk):
    return len((await desk.call("GET", "/fapi/v1/allOrders")).body)


@pytest.mark.parametrize(
    ("kind", "status", "code", "done"),
    [
        ("unknown_executed", 503, -1000, 1),
        ("unknown_not_executed", 503, -1000, 0),
        ("status_unknown_executed", 408, -1007, 1),
        ("status_unknown_not_executed", 408, -1007, 0),
        ("service_unavailable", 503, -1001, 0),
        ("internal_error", 503, -1001, 0),
        ("overloaded", 503, -1008, 0),
        ("bad_timestamp", 400, -1021, 0),
        ("too_many_requests", 429, -1003, 0),
        ("delay_answer", 200, None, 1),
        ("delay", 200, None, 1),
    ],
)
async def test_an_order_meets_a_fault(kind, status, code, done):
    async with rest_desk() as desk:
        await give(desk, {"kind": kind, "on": ORDER, "count": 1, "delay_ms": 20})
        found = await desk.order(price="49000")
        (fared,) = (await desk.raw("GET", "/admin/faults"))["faults"]

        assert (found.status, found.code) == (status, code)
        assert await count(desk) == done
        assert (fared["seen"], fared["fired"]) == (1, 1)
        assert (await desk.order(price="49000")).status == 200  # it strikes no more


async def test_the_two_unknown_outcomes_cannot_be_told_apart():
    async with rest_desk() as desk:
        await give(desk, {"kind": "unknown_executed", "on": ORDER, "count": 1})
        executed = await desk.order(price="49000")
        await desk.raw("DELETE", "/admin/faults")
        await give(desk, {"kind": "unknown_not_executed", "on": ORDER, "count": 1})
        lost = await desk.order(price="49000")

        assert executed.body == lost.body
        assert executed["msg"] == "Unknown error, please check your request or try again later."


@pytest.mark.parametrize(("kind", "done"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_broken_connection_tells_nothing(kind, done):
    async with rest_desk() as desk:
        await give(desk, {"kind": kind, "on": ORDER, "count": 1})
        with pytest.raises(aiohttp.ClientError):
            await desk.order(price="49000")

        assert await count(desk) == done


@pytest.mark.parametrize(("kind", "done"), [("timeout_before", 0), ("timeout_after", 1)])
async def test_an_answer_that_never_comes_tells_nothing(kind, done):
    async with rest_desk() as desk:
        await give(desk, {"kind": kind, "on": ORDER, "count": 1})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await desk.order(price="49000")

        assert await count(desk) == done


async def test_an_order_held_up_past_its_window_is_refused_by_the_matching():
    async with rest_desk() as desk:
        await give(desk, {"kind": "delay", "delay_ms": 60})
        late = await desk.order(price="49000", recvWindow=30)
        asked = await desk.call("GET", "/fapi/v1/openOrders", recvWindow=30)

        assert (late.code, asked.code) == (-5028, -1021)
        await desk.raw("DELETE", "/admin/faults")
        assert await count(desk) == 0


async def test_a_new_order_is_not_found_for_a_while():
    async with rest_desk() as desk:
        await give(desk, {"kind": "read_lag", "delay_ms": 500})
        ack = await desk.order(price="49000")
        ids = {"symbol": BTC, "orderId": ack["orderId"]}
        early = await desk.call("GET", "/fapi/v1/order", **ids)
        desk.clock.pass_s(1)

        assert early.code == -2013
        assert (await desk.call("GET", "/fapi/v1/order", **ids))["status"] == "NEW"


BOOKS = ("/fapi/v2/account", "/fapi/v3/account", "/fapi/v2/balance", "/fapi/v3/balance")
RISKS = ("/fapi/v2/positionRisk", "/fapi/v3/positionRisk")


async def told(desk):
    """Return what each place says of wallet and position, and the income and trades listed."""
    found: dict = {}
    for path in BOOKS:
        body = (await desk.call("GET", path)).body
        found[path] = body["totalWalletBalance"] if "account" in path else body[0]["balance"]
    for path in RISKS:
        for params in ({}, {"symbol": BTC}):
            rows = (await desk.call("GET", path, **params)).body
            held = [row["positionAmt"] for row in rows if row["symbol"] == BTC]
            found[path, *params] = held[0] if held else "0.000"
    for path in ("/fapi/v1/income", "/fapi/v1/userTrades"):
        found[path] = len((await desk.call("GET", path, symbol=BTC)).body)
    return found


async def test_balances_positions_and_income_lag_as_long_as_was_ordered():
    async with rest_desk() as desk:
        before = await told(desk)
        await give(desk, {"kind": "read_lag", "delay_ms": 30_000})
        await desk.order(qty="0.02")
        early = await told(desk)
        truth = (await desk.raw("GET", "/admin/truth"))["accounts"]["test"]
        desk.clock.pass_s(20)
        await desk.order(qty="0.03", side="SELL")
        desk.clock.pass_s(11)
        between = await told(desk)
        desk.clock.pass_s(20)
        late = await told(desk)

    assert early == before
    assert truth["positions"]["BTCUSDT"]["qty"] == "0.02"
    asked = [(path, *params) for path in RISKS for params in ((), ("symbol",))]
    assert {between[place] for place in asked} == {"0.020"}
    assert {late[place] for place in asked} == {"-0.010"}
    assert len({each["/fapi/v3/balance"] for each in (early, between, late)}) == 3
    assert [each["/fapi/v1/userTrades"] for each in (early, between, late)] == [0, 1, 2]


async def test_an_overloaded_exchange_still_takes_what_reduces():
    async with rest_desk() as desk:
        ack = await desk.order(price="49000")
        await desk.order(qty="0.02")
        await give(desk, {"kind": "overloaded"})
        opening = await desk.order(qty="0.01")
        reducing = await desk.order(side="SELL", qty="0.01", reduceOnly="TRUE")
        cancelling = await desk.call("DELETE", "/fapi/v1/order", symbol=BTC, orderId=ack["orderId"])

        assert (opening.code, reducing.status, cancelling.status) == (-1008, 200, 200)


async def test_a_ban_on_order_holds_for_its_time():
    async with rest_desk() as desk:
        await give(desk, {"kind": "banned", "on": "* /fapi/v1/time", "count": 1, "delay_ms": 5000})
        banned = [await desk.public("/fapi/v1/time"), await desk.public("/fapi/v1/ping")]
        desk.clock.pass_s(6)

        assert [each.status for each in banned] == [418, 418]
        assert (await desk.public("/fapi/v1/time")).status == 200


async def test_mistakes_in_a_script_are_named_and_change_nothing():
    async with rest_desk() as desk:
        good = {"kind": "delay"}
        for bad in ({"kind": "gremlins"}, {**good, "probability": 2}, {**good, "onn": ""}):
            found = await give(desk, good, bad)

            assert found.status == 400
            assert found["error"]
        assert (await desk.raw("GET", "/admin/faults"))["faults"] == []


def test_a_seed_decides_which_requests_are_struck():
    def struck(seed):
        faults = Faults(seed)
        faults.give(Script(faults=[Rule(kind=Kind.DROP_FRAME, probability=0.3)]), 0)
        return [faults.roll("drop_frame") for _ in range(200)]

    assert struck(1) == struck(1) != struck(2)
    assert 30 < sum(struck(1)) < 90


def test_a_rule_beside_another_does_not_change_the_others_lot():
    def struck(*rules):
        faults = Faults(7)
        faults.give(Script(faults=list(rules)), 0)
        drawn = [(faults.roll(Kind.DELAY), faults.roll(Kind.DROP_FRAME)) for _ in range(100)]
        return [dropped for _, dropped in drawn]

    dropping = Rule(kind=Kind.DROP_FRAME, probability=0.3)

    assert struck(dropping) == struck(dropping, Rule(kind=Kind.DELAY, probability=0.5))


def test_rules_keep_to_their_place_count_skip_and_time():
    faults = Faults()
    rule = Rule(kind=Kind.DELAY, on="POST *", skip=1, count=2, after_s=10, until_s=20)
    faults.give(Script(faults=[rule]), 0)
    second = 1_000_000_000

    early = faults.draw(Kind.DELAY, "POST /x", 5 * second)
    elsewhere = faults.draw(Kind.DELAY, "GET /x", 15 * second)
    there = [faults.draw(Kind.DELAY, "POST /x", 15 * second) is not None for _ in range(4)]
    late = faults.draw(Kind.DELAY, "POST /x", 20 * second)

    assert (early, elsewhere, late) == (None, None, None)
    assert there == [False, True, True, False]


def test_scripts_are_read_from_toml_and_json_and_rules_from_words(tmp_path):
    toml, text = tmp_path / "f.toml", tmp_path / "f.json"
    toml.write_text('seed = 3\n[[faults]]\nkind = "delay"\nprobability = 0.5\n')
    text.write_text('{"seed": 3, "faults": [{"kind": "delay", "probability": 0.5}]}')

    assert load_script(toml) == load_script(text) == Script(faults=[rule_of("delay:0.5")], seed=3)
    assert rule_of("delay@POST *") == Rule(kind=Kind.DELAY, on="POST *")
    expected = {"nothing": "kinds:", "delay:often": "a number from 0 to 1", "delay:2": "0 to 1"}
    for bad, what in expected.items():
        with pytest.raises(ConfigError, match=what):
            rule_of(bad)
    text.write_text("{")
    with pytest.raises(ConfigError, match=r"f\.json"):
        load_script(text)


async def test_rules_of_several_kinds_are_tried_in_the_order_they_were_given():
    async with rest_desk() as desk:
        kinds = ("unknown_not_executed", "service_unavailable", "bad_timestamp", "overloaded")
        await give(desk, *({"kind": kind, "on": ORDER, "count": 1} for kind in kinds))
        codes = [(await desk.order(price="49000")).code for _ in kinds]

        assert codes == [-1000, -1001, -1021, -1008]


async def test_what_gets_through_an_overload_uses_none_of_it_up():
    async with rest_desk() as desk:
        await desk.order(qty="0.02")
        await give(desk, {"kind": "overloaded", "count": 1})
        reducing = await desk.order(side="SELL", qty="0.01", reduceOnly="true")
        opening = await desk.order(qty="0.01")

        assert (reducing.status, opening.code) == (200, -1008)


async def test_each_place_lags_as_long_as_its_own_rule_says():
    async with rest_desk() as desk:
        quick = {"kind": "read_lag", "on": "GET /fapi/v1/openOrders", "delay_ms": 1000}
        slow = {"kind": "read_lag", "on": "GET /fapi/v1/order", "delay_ms": 30_000}
        slow_books = {**slow, "on": "GET /fapi/v3/*"}
        await give(desk, quick, slow, slow_books)
        ack = await desk.order(price="49000")
        await desk.order(qty="0.02")
        desk.clock.pass_s(10)
        found = await desk.call("GET", "/fapi/v1/order", symbol=BTC, orderId=ack["orderId"])
        listed = (await desk.call("GET", "/fapi/v1/openOrders")).body
        rows = (await desk.call("GET", "/fapi/v3/positionRisk")).body

        assert [each["orderId"] for each in listed] == [ack["orderId"]]
        assert found.code == -2013
        assert [row["positionAmt"] for row in rows if row["symbol"] == BTC] == []


async def test_every_way_to_ask_after_an_order_lags_on_order():
    async with rest_desk() as desk:
        await give(desk, {"kind": "read_lag", "delay_ms": 30_000})
        ack = await desk.order(price="49000")
        await desk.stop()
        ids = {"symbol": BTC, "orderId": ack["orderId"]}
        single = [await desk.call("GET", f"/fapi/v1/{n}", **ids) for n in ("order", "openOrder")]
        names = ("openOrders", "allOrders", "openAlgoOrders", "allAlgoOrders")
        lists = [(await desk.call("GET", f"/fapi/v1/{name}", symbol=BTC)).body for name in names]

        assert [each.code for each in single] == [-2013, -2013]
        assert lists == [[], [], [], []]


async def test_a_lag_of_one_place_is_not_that_of_its_neighbour():
    async with rest_desk() as desk:
        await give(desk, {"kind": "read_lag", "on": "GET /fapi/v1/openOrder", "delay_ms": 30_000})
        ack = await desk.order(price="49000")
        ids = {"symbol": BTC, "orderId": ack["orderId"]}

        assert (await desk.call("GET", "/fapi/v1/openOrder", **ids)).code == -2013
        assert (await desk.call("GET", "/fapi/v1/order", **ids))["status"] == "NEW"
