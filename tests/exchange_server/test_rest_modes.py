"""Hedge mode and isolated margin as a program sees them over REST."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.values import AccountId
from tests.exchange_server.rest_desk import BTC, ETH, rest_desk

ACCOUNT = AccountId("test")


async def hedge(desk):
    done = await desk.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    assert done.body == {"code": 200, "msg": "success"}


async def isolate(desk, symbol=BTC):
    done = await desk.call("POST", "/fapi/v1/marginType", symbol=symbol, marginType="ISOLATED")
    assert done.body == {"code": 200, "msg": "success"}


async def test_the_position_mode_is_changed_and_shown():
    async with rest_desk() as desk:
        await hedge(desk)
        again = await desk.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
        mode = await desk.call("GET", "/fapi/v1/positionSide/dual")
        config = await desk.call("GET", "/fapi/v1/accountConfig")

        assert again.code == -4059
        assert mode.body == {"dualSidePosition": True}
        assert config["dualSidePosition"] is True


async def test_hedged_positions_are_shown_side_by_side():
    async with rest_desk() as desk:
        await hedge(desk)
        placed = await desk.order(qty="0.02", positionSide="LONG")
        await desk.order("SELL", qty="0.01", positionSide="SHORT")
        await desk.order("SELL", price="51000", qty="0.02", positionSide="LONG")
        three = (await desk.call("GET", "/fapi/v3/positionRisk")).body
        two = (await desk.call("GET", "/fapi/v2/positionRisk", symbol=BTC)).body
        account = (await desk.call("GET", "/fapi/v3/account")).body
        (open_order,) = (await desk.call("GET", "/fapi/v1/openOrders")).body
        trades = (await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC)).body
        quantiles = (await desk.call("GET", "/fapi/v1/adlQuantile", symbol=BTC)).body

        assert placed["positionSide"] == "LONG"
        sides = [("LONG", "0.020"), ("SHORT", "-0.010")]
        for rows in (three, two, account["positions"]):
            assert [(each["positionSide"], each["positionAmt"]) for each in rows] == sides
        assert (open_order["positionSide"], open_order["reduceOnly"]) == ("LONG", True)
        assert [each["positionSide"] for each in trades] == ["LONG", "SHORT"]
        assert quantiles == [{"symbol": BTC, "adlQuantile": {"LONG": 0, "SHORT": 0, "HEDGE": 0}}]
        assert account["totalOpenOrderInitialMargin"] == "0.00000000"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, -4061),
        ({"positionSide": "BOTH"}, -4061),
        ({"positionSide": "UP"}, -4060),
        ({"positionSide": "LONG", "reduceOnly": "true"}, -1106),
        ({"positionSide": "SHORT"}, -2022),
    ],
)
async def test_what_a_hedged_account_refuses(more, code):
    async with rest_desk() as desk:
        await hedge(desk)

        assert (await desk.order(**more)).code == code


async def test_a_hedged_account_takes_reduce_only_false():
    """NautilusTrader sends it with every order."""
    async with rest_desk() as desk:
        await hedge(desk)

        assert (await desk.order(positionSide="LONG", reduceOnly="False")).status == 200


async def test_a_one_way_account_refuses_sides():
    async with rest_desk() as desk:
        assert (await desk.order(positionSide="LONG")).code == -4061
        assert (await desk.order(positionSide="BOTH")).status == 200


async def test_close_orders_of_both_sides_stand_side_by_side():
    async with rest_desk() as desk:
        await hedge(desk)
        closing = {"closePosition": "true", "quantity": None}
        early = await desk.stop(positionSide="LONG", **closing)
        await desk.order(qty="0.02", positionSide="LONG")
        await desk.order("SELL", qty="0.01", positionSide="SHORT")
        down = await desk.stop(positionSide="LONG", **closing)
        up = await desk.stop("BUY", "51000", positionSide="SHORT", **closing)
        again = await desk.stop(positionSide="LONG", trigger="48000", **closing)
        conflict = await desk.stop(positionSide="LONG", reduceOnly="true")
        desk.quote("48990", "48991")
        desk.trade("48990")
        rows = (await desk.call("GET", "/fapi/v3/positionRisk")).body
        left = (await desk.call("GET", "/fapi/v1/openAlgoOrders")).body

        assert (early.code, again.code, conflict.code) == (-4509, -4130, -4062)
        assert (down["positionSide"], up["positionSide"]) == ("LONG", "SHORT")
        assert [each["positionSide"] for each in rows] == ["SHORT"]
        assert [each["algoId"] for each in left] == [up["algoId"]]


async def test_isolated_margin_is_set_shown_moved_and_remembered():
    async with rest_desk() as desk:
        await isolate(desk)
        await desk.call("POST", "/fapi/v1/leverage", symbol=BTC, leverage=10)
        await desk.order(qty="0.1")
        moved = await desk.call("POST", "/fapi/v1/positionMargin", symbol=BTC, amount="50", type=1)
        back = await desk.call("POST", "/fapi/v1/positionMargin", symbol=BTC, amount="20", type=2)
        (risk,) = (await desk.call("GET", "/fapi/v3/positionRisk")).body
        (old,) = (await desk.call("GET", "/fapi/v2/positionRisk", symbol=BTC)).body
        (config,) = (await desk.call("GET", "/fapi/v1/symbolConfig", symbol=BTC)).body
        account = (await desk.call("GET", "/fapi/v3/account")).body
        history = (await desk.call("GET", "/fapi/v1/positionMargin/history", symbol=BTC)).body

        assert moved.body == {
            "amount": 50.0, "code": 200, "msg": "Successfully modify position margin.", "type": 1,
        }  # fmt: skip
        assert back["type"] == 2
        assert (risk["isolatedWallet"], risk["isolatedMargin"]) == ("530.01", "529.96")
        assert (old["marginType"], old["leverage"]) == ("isolated", "10")
        assert config["marginType"] == "ISOLATED"
        assert account["totalWalletBalance"] == "9997.49995000"
        assert account["totalCrossWalletBalance"] == "9467.48995000"
        assert account["totalCrossUnPnl"] == "0.00000000"
        assert account["positions"][0]["isolatedWallet"] == "530.01"
        assert [(each["type"], each["amount"]) for each in history] == [(1, "50"), (2, "-20")]


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("marginType", {"symbol": BTC, "marginType": "ISOLATED"}, -4046),
        ("leverage", {"symbol": BTC, "leverage": 5}, -4161),
        ("positionMargin", {"symbol": BTC, "amount": "0", "type": 1}, -4055),
        ("positionMargin", {"symbol": BTC, "amount": "1", "type": 3}, -1130),
        ("positionMargin", {"symbol": BTC, "amount": "99999", "type": 1}, -4050),
        ("positionMargin", {"symbol": BTC, "amount": "1", "type": 2}, -4051),
        ("positionMargin", {"symbol": ETH, "amount": "1", "type": 1}, -4049),
        ("positionMargin", {"symbol": BTC, "amount": "1", "type": 1, "positionSide": "LONG"}, -4061),
    ],
)  # fmt: skip
async def test_what_an_isolated_position_refuses(path, params, code):
    async with rest_desk() as desk:
        await isolate(desk)
        await desk.order(qty="0.1")
        found = await desk.call("POST", f"/fapi/v1/{path}", **params)

        assert (found.status, found.code) == (400, code)


async def test_modes_and_margin_outlive_the_process(tmp_path):
    async with rest_desk(data_dir=tmp_path) as desk:
        await hedge(desk)
        await isolate(desk)
        await desk.order(qty="0.1", positionSide="LONG")
        await desk.stop(positionSide="LONG")
        await desk.call(
            "POST", "/fapi/v1/positionMargin",
            symbol=BTC, amount="50", type=1, positionSide="LONG",
        )  # fmt: skip
        before = await truth(desk)
    async with rest_desk(data_dir=tmp_path) as desk:
        assert await truth(desk) == before


async def truth(desk):
    books = (await desk.raw("GET", "/admin/truth"))["accounts"]["test"]
    names = ("balances", "positions", "openAlgoOrders", "orders", "trades", "income")
    history = await desk.call("GET", "/fapi/v1/positionMargin/history", symbol=BTC)
    config = await desk.call("GET", "/fapi/v1/symbolConfig", symbol=BTC)
    mode = await desk.call("GET", "/fapi/v1/positionSide/dual")
    return [books[name] for name in names], history.body, config.body, mode.body


# All dollars as one


async def switch(desk, *, is_on):
    flag = "true" if is_on else "false"
    return await desk.call("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin=flag)


async def test_multi_assets_mode_is_set_shown_and_told_of():
    async with rest_desk() as desk:
        heard = []
        desk.venue.asset_mode_sinks.append(lambda account, is_on, _: heard.append((account, is_on)))
        codes = [(await switch(desk, is_on=is_on)).code for is_on in (False, True, True)]
        (mode, config, two) = [
            (await desk.call("GET", f"/fapi/{path}")).body
            for path in ("v1/multiAssetsMargin", "v1/accountConfig", "v2/account")
        ]

        assert codes == [-4171, 200, -4171]
        assert mode == {"multiAssetsMargin": True}
        assert config["multiAssetsMargin"] is two["multiAssetsMargin"] is True
        assert heard == [("test", True)]


async def test_in_multi_assets_mode_what_is_available_is_counted_once():
    async with rest_desk() as desk:
        desk.venue.deposit(ACCOUNT, Decimal(500), "USDC")
        assert (await switch(desk, is_on=True)).status == 200
        account = (await desk.call("GET", "/fapi/v3/account")).body

        assert {each["availableBalance"] for each in account["assets"]} == {
            account["availableBalance"]
        }
        assert account["totalWalletBalance"] == account["availableBalance"]


async def test_what_stands_in_the_way_of_multi_assets_mode_and_of_leaving_it():
    async with rest_desk() as desk:
        await isolate(desk)
        assert (await switch(desk, is_on=True)).code == -4167
        await desk.call("POST", "/fapi/v1/marginType", symbol=BTC, marginType="CROSSED")
        assert (await switch(desk, is_on=True)).status == 200

        isolated = await desk.call("POST", "/fapi/v1/marginType", symbol=BTC, marginType="ISOLATED")
        assert isolated.code == -4168
        await desk.order(price="49000")
        assert (await switch(desk, is_on=False)).code == -4170
