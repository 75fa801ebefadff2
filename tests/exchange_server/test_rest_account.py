"""What an account is told of itself, and what it may and may not change."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.market import Funding, MarkPrice
from tests.exchange_server.rest_desk import BTC, rest_desk


async def test_an_account_that_did_nothing_has_its_deposit():
    async with rest_desk() as desk:
        three = (await desk.call("GET", "/fapi/v3/account")).body
        two = (await desk.call("GET", "/fapi/v2/account")).body
        balances = (await desk.call("GET", "/fapi/v3/balance")).body

        assert three["availableBalance"] == "10000.00000000"
        assert three["positions"] == []
        assert [each["symbol"] for each in two["positions"]] == ["BTCUSDT", "ETHUSDT"]
        assert two["multiAssetsMargin"] is False
        assert [(each["asset"], each["balance"]) for each in balances] == [
            ("USDT", "10000.00000000")
        ]


async def test_margin_is_what_the_formulas_say():
    """Cross long 0.1 at 50,001 with 20x: margin at the mark, maintenance 0.4 %, fee 5 bp."""
    async with rest_desk() as desk:
        await desk.order(qty="0.1")
        await desk.order(qty="0.1", price="49000")
        (row,) = (await desk.call("GET", "/fapi/v3/positionRisk", symbol=BTC)).body
        account = (await desk.call("GET", "/fapi/v3/account")).body

        assert row["positionAmt"] == "0.100"
        assert row["entryPrice"] == "50001"
        assert row["breakEvenPrice"] == "50026.0005"
        assert row["markPrice"] == "50000.50000000"
        assert row["positionInitialMargin"] == "250.00250000"
        assert row["openOrderInitialMargin"] == "245.00000000"
        assert row["maintMargin"] == "20.00020000"
        assert row["bidNotional"] == "4900"
        assert account["totalWalletBalance"] == "9997.49995000"
        assert account["totalUnrealizedProfit"] == "-0.05000000"
        assert account["availableBalance"] == "9502.44745000"


async def test_the_older_risk_names_leverage_and_the_empty_symbols_too():
    async with rest_desk() as desk:
        rows = (await desk.call("GET", "/fapi/v2/positionRisk")).body

        assert [(each["symbol"], each["leverage"], each["marginType"]) for each in rows] == [
            ("BTCUSDT", "20", "cross"), ("ETHUSDT", "20", "cross"),
        ]  # fmt: skip


async def test_brackets_are_numbers_and_an_object_for_one_symbol():
    async with rest_desk() as desk:
        one = (await desk.call("GET", "/fapi/v1/leverageBracket", symbol=BTC)).body
        every = (await desk.call("GET", "/fapi/v1/leverageBracket")).body

        assert one["brackets"][1] == {
            "bracket": 2, "initialLeverage": 100, "notionalCap": 800000, "notionalFloor": 300000,
            "maintMarginRatio": 0.005, "cum": 300,
        }  # fmt: skip
        assert [each["symbol"] for each in every] == ["BTCUSDT", "ETHUSDT"]


async def test_leverage_is_set_and_shown_and_told_to_the_streams():
    async with rest_desk() as desk:
        heard = []
        desk.venue.leverage_sinks.append(lambda *told: heard.append(told[:3]))
        done = await desk.call("POST", "/fapi/v1/leverage", symbol=BTC, leverage=50)
        await desk.call("POST", "/fapi/v1/leverage", symbol=BTC, leverage=50)
        refused = await desk.call("POST", "/fapi/v1/leverage", symbol=BTC, leverage=151)
        (config,) = (await desk.call("GET", "/fapi/v1/symbolConfig", symbol=BTC)).body

        assert done.body == {"leverage": 50, "maxNotionalValue": "12000000", "symbol": BTC}
        assert (refused.code, refused["msg"]) == (-4028, "Leverage 151 is not valid")
        assert (config["leverage"], config["marginType"]) == (50, "CROSSED")
        assert heard == [("test", BTC, 50)]


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("marginType", {"symbol": BTC, "marginType": "CROSSED"}, -4046),
        ("marginType", {"symbol": BTC, "marginType": "BOTH"}, -1130),
        ("positionSide/dual", {"dualSidePosition": "False"}, -4059),
        ("positionSide/dual", {}, -1102),
        ("multiAssetsMargin", {"multiAssetsMargin": "false"}, -4171),
        ("positionMargin", {"symbol": BTC, "amount": "1", "type": 1}, -4049),
    ],
)
async def test_modes_that_are_not_simulated_are_refused_not_pretended(path, params, code):
    async with rest_desk() as desk:
        found = await desk.call("POST", f"/fapi/v1/{path}", **params)

        assert (found.status, found.code) == (400, code)


async def test_orders_and_positions_stand_in_the_way_of_other_modes():
    async with rest_desk() as desk:
        margin = {"symbol": BTC, "marginType": "ISOLATED"}
        codes = []
        await desk.order(price="49000")
        for _ in range(2):
            for path, params in (
                ("marginType", margin),
                ("positionSide/dual", {"dualSidePosition": "true"}),
            ):
                codes.append((await desk.call("POST", f"/fapi/v1/{path}", **params)).code)
            await desk.call("DELETE", "/fapi/v1/allOpenOrders", symbol=BTC)
            await desk.order()

        assert codes == [-4047, -4067, -4048, -4068]


async def test_income_is_deposits_fees_profits_and_funding():
    async with rest_desk() as desk:
        await desk.order(qty="0.02")
        mark = MarkPrice(symbol=BTC, ts=desk.clock(), mark_price=50_000.0)
        desk.venue.on_market(mark)
        desk.venue.on_market(Funding(symbol=BTC, ts=desk.clock(), rate=0.0001))
        desk.quote("50101", "50102")
        await desk.order(side="SELL", qty="0.02")
        rows = (await desk.call("GET", "/fapi/v1/income")).body
        funding = (await desk.call("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")).body

        assert [(each["incomeType"], each["income"]) for each in rows] == [
            ("TRANSFER", "10000.00000000"),
            ("COMMISSION", "-0.50001000"),
            ("FUNDING_FEE", "-0.10000000"),
            ("REALIZED_PNL", "2.00000000"),
            ("COMMISSION", "-0.50101000"),
        ]
        assert [each["symbol"] for each in funding] == [BTC]
        assert sum(float(each["income"]) for each in rows) == pytest.approx(
            float((await desk.call("GET", "/fapi/v3/balance")).body[0]["balance"])
        )
        history = (await desk.public("/fapi/v1/fundingRate", symbol=BTC)).body
        assert (history[0]["fundingRate"], history[0]["rateType"]) == ("0.00010000", "FUNDING")


async def test_a_liquidation_is_told_as_a_forced_order():
    async with rest_desk() as desk:
        await desk.order(qty="3.9")
        desk.venue.on_market(MarkPrice(symbol=BTC, ts=desk.clock(), mark_price=47_000.0))
        (row,) = (await desk.call("GET", "/fapi/v1/forceOrders")).body

        assert row["clientOrderId"].startswith("autoclose-")
        assert (row["side"], row["status"], row["origQty"]) == ("SELL", "FILLED", "3.900")
        assert (await desk.call("GET", "/fapi/v1/forceOrders", autoCloseType="ADL")).body == []


async def test_fees_config_and_ranks_are_told():
    async with rest_desk() as desk:
        await desk.order()
        fees = (await desk.call("GET", "/fapi/v1/commissionRate", symbol=BTC)).body
        config = (await desk.call("GET", "/fapi/v1/accountConfig")).body
        ranks = (await desk.call("GET", "/fapi/v1/adlQuantile")).body

        assert (fees["makerCommissionRate"], fees["takerCommissionRate"]) == ("0.0002", "0.0005")
        assert config["dualSidePosition"] is False
        assert ranks == [{"symbol": BTC, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}}]


async def test_a_range_that_is_too_long_or_runs_backward_is_refused():
    async with rest_desk() as desk:
        trades = "/fapi/v1/userTrades"
        long = await desk.call("GET", trades, symbol=BTC, startTime=0, endTime=8 * 86_400_000)
        back = await desk.call("GET", trades, symbol=BTC, startTime=5, endTime=4)

        assert (long.code, back.code) == (-4165, -1023)


async def test_fees_are_paid_in_bnb_a_tenth_less_while_there_is_enough_of_it():
    async with rest_desk() as desk:
        desk.venue.deposit(desk.venue.settings.all_keys()[0].account, Decimal("0.0004"), "BNB")
        switched = await desk.call("POST", "/fapi/v1/feeBurn", feeBurn="true")
        found = await desk.call("GET", "/fapi/v1/feeBurn")
        for _ in range(2):
            await desk.order(qty="0.01")
        trades = (await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC)).body
        incomes = (await desk.call("GET", "/fapi/v1/income", incomeType="COMMISSION")).body
        account = (await desk.call("GET", "/fapi/v2/account")).body

        assert (switched.status, found["feeBurn"], account["feeBurn"]) == (200, True, True)
        fees = [(row["commission"], row["commissionAsset"]) for row in trades]
        assert fees == [("0.00037501", "BNB"), ("0.25000500", "USDT")]  # 0.250005 * 0.9 / 600
        assert [(row["income"], row["asset"]) for row in incomes] == [
            ("-0.00037501", "BNB"),
            ("-0.25000500", "USDT"),
        ]
        wallets = {row["asset"]: row["walletBalance"] for row in account["assets"]}
        assert wallets == {"USDT": "9999.74999500", "BNB": "0.00002499"}


async def test_a_profit_is_income_in_the_margin_asset_though_its_fee_is_paid_in_bnb():
    async with rest_desk() as desk:
        desk.venue.deposit(desk.venue.settings.all_keys()[0].account, Decimal(1), "BNB")
        await desk.call("POST", "/fapi/v1/feeBurn", feeBurn="true")
        for side in ("BUY", "SELL"):
            await desk.order(side, qty="0.01")
        incomes = (await desk.call("GET", "/fapi/v1/income")).body

        assets = {(row["incomeType"], row["asset"]) for row in incomes if row["symbol"]}
        assert assets == {("COMMISSION", "BNB"), ("REALIZED_PNL", "USDT")}
