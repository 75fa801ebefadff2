"""Statistics of the market: counted from this exchange's accounts and its tape, never made up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.exchange_server import ApiKey
from holdfast.exchange_server.samples import PERIODS, Sample, Samples, Sides
from holdfast.exchange_server.tape import CANDLES_KEPT
from holdfast.model.market import MarkPrice
from holdfast.model.values import NS_PER_MS, AccountId
from tests.exchange_server.rest_desk import BTC, ETH, Clock, rest_desk

HOUR_MS, FIVE_MS, DAY_MS = 3_600_000, 300_000, 86_400_000
INTEREST = "/futures/data/openInterestHist"
TAKERS = "/futures/data/takerlongshortRatio"
BASIS = "/futures/data/basis"
EVERYONE = "/futures/data/globalLongShortAccountRatio"
TOP_ACCOUNTS = "/futures/data/topLongShortAccountRatio"
TOP_POSITIONS = "/futures/data/topLongShortPositionRatio"
BY_SYMBOL = (INTEREST, TAKERS, EVERYONE, TOP_ACCOUNTS, TOP_POSITIONS)
NAMES = ("a", "b", "c", "d", "e", "f")
MANY = tuple(ApiKey(key=name, secret=name, account=AccountId(name)) for name in NAMES)


async def rows(desk, path, period="5m", **params):
    return (await desk.public(path, **{"symbol": BTC, "period": period, **params})).body


async def pass_to(desk, ms):
    """Move the clock to a millisecond, and let what is due be looked at."""
    desk.clock.ahead += ms * NS_PER_MS - desk.clock()
    assert isinstance(await rows(desk, INTEREST), list)


async def to_the_hour(desk):
    hour = (desk.now_ms() // HOUR_MS + 1) * HOUR_MS
    await pass_to(desk, hour)
    return hour


async def order_as(desk, name, side, qty, **more):
    desk.key = desk.secret = name
    assert (await desk.order(side, qty, **more)).status == 200


def stamps(found):
    return [each["timestamp"] for each in found]


# Open interest


async def test_open_interest_is_seen_at_the_end_of_each_period():
    async with rest_desk() as desk:
        hour = await to_the_hour(desk)
        await desk.order(qty="0.05")
        desk.trade("50000")
        await pass_to(desk, hour + FIVE_MS)
        await desk.order("SELL", qty="0.02")
        found = await rows(desk, INTEREST)

        assert stamps(found) == [hour, hour + FIVE_MS]
        assert [each["sumOpenInterest"] for each in found] == ["0.00000000", "0.05000000"]
        mark = desk.venue.exchange.mark_price(BTC)
        assert found[1]["sumOpenInterestValue"] == f"{mark * 5 / 100:.8f}"
        assert set(found[1]) == {
            "symbol", "sumOpenInterest", "sumOpenInterestValue", "CMCCirculatingSupply",
            "timestamp",
        }  # fmt: skip
        assert stamps(await rows(desk, INTEREST, "1h")) == [hour]
        assert stamps(await rows(desk, INTEREST, "15m")) == [hour]


async def test_a_period_without_trades_has_no_open_interest():
    async with rest_desk() as desk:
        hour = await to_the_hour(desk)
        for periods in range(1, 4):
            if periods != 2:
                desk.trade("50000")
            await pass_to(desk, hour + periods * FIVE_MS)

        assert stamps(await rows(desk, INTEREST)) == [hour, hour + FIVE_MS, hour + 3 * FIVE_MS]
        assert await rows(desk, INTEREST, symbol=ETH) == []


async def test_a_process_that_stood_still_has_one_row_of_it():
    async with rest_desk() as desk:
        hour = await to_the_hour(desk)
        desk.trade("50000")
        await pass_to(desk, hour + 4 * FIVE_MS + 1000)

        assert stamps(await rows(desk, INTEREST)) == [hour, hour + 4 * FIVE_MS]


async def test_shorts_alone_are_open_interest_and_two_keys_are_one_account():
    both = tuple(ApiKey(key=name, secret=name, account=AccountId("one")) for name in "ab")
    async with rest_desk(keys=both) as desk:
        hour = await to_the_hour(desk)
        await order_as(desk, "a", "SELL", "0.05")
        now = (await desk.public("/fapi/v1/openInterest", symbol=BTC))["openInterest"]
        desk.trade("50000")
        await pass_to(desk, hour + FIVE_MS)

        assert now == "0.050"
        assert (await rows(desk, INTEREST))[-1]["sumOpenInterest"] == "0.05000000"


# Who is long


async def test_ratios_count_accounts_and_the_positions_of_the_richest_fifth():
    async with rest_desk(keys=MANY) as desk:
        hour = await to_the_hour(desk)
        for name in ("a", "c"):
            desk.venue.deposit(AccountId(name), 50_000)
        for name, side, qty in (
            ("a", "BUY", "0.01"), ("b", "BUY", "0.05"), ("c", "SELL", "0.03"), ("d", "BUY", "0.02"),
        ):  # fmt: skip
            await order_as(desk, name, side, qty)
        await pass_to(desk, hour + FIVE_MS)

        for path, longs, shorts, ratio in (
            (EVERYONE, "0.7500", "0.2500", "3.0000"),
            (TOP_ACCOUNTS, "0.5000", "0.5000", "1.0000"),
            (TOP_POSITIONS, "0.2500", "0.7500", "0.3333"),
        ):
            assert await rows(desk, path) == [
                {
                    "symbol": BTC,
                    "longAccount": longs,
                    "longShortRatio": ratio,
                    "shortAccount": shorts,
                    "timestamp": hour + FIVE_MS,
                }
            ]


async def test_where_nobody_holds_anything_there_are_no_ratios():
    async with rest_desk() as desk:
        hour = await to_the_hour(desk)
        await pass_to(desk, hour + FIVE_MS)

        for path in (EVERYONE, TOP_ACCOUNTS, TOP_POSITIONS):
            assert await rows(desk, path) == []


async def test_an_account_that_is_hedged_evenly_is_on_neither_side():
    async with rest_desk() as desk:
        hour = await to_the_hour(desk)
        await desk.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
        for side, position in (("BUY", "LONG"), ("SELL", "SHORT")):
            await order_as(desk, "test", side, "0.01", positionSide=position)
        await pass_to(desk, hour + FIVE_MS)

        assert await rows(desk, EVERYONE) == []
        assert [each["longShortRatio"] for each in await rows(desk, TOP_POSITIONS)] == ["1.0000"]


# Who takes


async def test_takers_are_counted_by_period_and_an_open_one_is_not_told():
    async with rest_desk() as desk:
        hour = await to_the_hour(desk)
        for qty, is_buyer_maker in ((2.0, False), (1.5, False), (1.0, True)):
            desk.trade("50000", qty, is_buyer_maker=is_buyer_maker)
        before = await rows(desk, TAKERS, startTime=hour)
        await pass_to(desk, hour + FIVE_MS)
        desk.trade("50000", 4.0)
        await pass_to(desk, hour + 2 * FIVE_MS)

        assert before == []
        assert await rows(desk, TAKERS, startTime=hour) == [
            {"buySellRatio": "3.5000", "sellVol": "1.0000", "buyVol": "3.5000", "timestamp": hour},
            {
                "buySellRatio": "0.0000",  # nobody sold
                "sellVol": "0.0000",
                "buyVol": "4.0000",
                "timestamp": hour + FIVE_MS,
            },
        ]
        assert await rows(desk, TAKERS, "1h", startTime=hour) == []


# The basis


async def test_the_basis_is_the_last_price_less_the_index():
    async with rest_desk() as desk:
        hour = await to_the_hour(desk)
        mark = MarkPrice(symbol=BTC, ts=desk.clock(), mark_price=50_010.0, index_price=50_000.0)
        desk.venue.on_market(mark)
        desk.trade("50040")
        await pass_to(desk, hour + FIVE_MS)
        asked = {"pair": BTC, "contractType": "PERPETUAL", "startTime": hour + 1}

        assert await rows(desk, BASIS, **asked) == [
            {
                "indexPrice": "50000.00000000",
                "contractType": "PERPETUAL",
                "basisRate": "0.0008",
                "futuresPrice": "50040.00",
                "annualizedBasisRate": "",
                "basis": "40.00000000",
                "pair": BTC,
                "timestamp": hour + FIVE_MS,
            }
        ]
        assert await rows(desk, BASIS, **{**asked, "contractType": "NEXT_QUARTER"}) == []


async def test_nothing_was_ever_delivered():
    async with rest_desk() as desk:
        assert (await desk.public("/futures/data/delivery-price", pair=BTC)).body == []
        assert (await desk.public("/futures/data/delivery-price", pair="XUSDT")).code == -1121


# Questions


async def test_the_newest_rows_of_a_time_are_told_oldest_first():
    async with rest_desk() as desk:
        hour = await to_the_hour(desk)
        await desk.order(qty="0.01")
        for periods in range(1, 41):
            await pass_to(desk, hour + periods * FIVE_MS)
        ends = [hour + periods * FIVE_MS for periods in range(1, 41)]
        some = {"startTime": ends[3], "endTime": ends[9]}

        assert stamps(await rows(desk, EVERYONE)) == ends[10:]
        assert stamps(await rows(desk, EVERYONE, limit=500)) == ends
        assert stamps(await rows(desk, EVERYONE, **some)) == ends[3:10]
        assert stamps(await rows(desk, EVERYONE, **some, limit=2)) == ends[8:10]
        assert stamps(await rows(desk, EVERYONE, "2h", limit=500)) == [
            end for end in ends if end % (2 * HOUR_MS) == 0
        ]


@pytest.mark.parametrize("period", PERIODS)
async def test_a_day_has_rows_of_every_period(period):
    async with rest_desk() as desk:
        day = (desk.now_ms() // DAY_MS + 1) * DAY_MS
        await desk.order(qty="0.01")
        await pass_to(desk, day)

        assert stamps(await rows(desk, EVERYONE, period)) == [day]


async def test_a_refusal_names_the_value_and_what_was_expected():
    async with rest_desk() as desk:
        found = await desk.public(INTEREST, symbol=BTC, period="1m")

        why = "'1m' is none of 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d"
        assert found.headers["X-Holdfast-Why"] == why


@pytest.mark.parametrize("path", BY_SYMBOL)
@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"symbol": ""}, -1102, "'symbol'"),
        ({"period": ""}, -1102, "'period'"),
        ({"period": "1m"}, -1130, "parameter 'period' is invalid."),
        ({"period": "1m", "symbol": "NOPE"}, -1130, "parameter 'period' is invalid."),
        ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
        ({"startTime": "x"}, -1102, "'startTime'"),
        ({"limit": "0"}, -1130, "'limit'"),
    ],
)
async def test_what_is_missing_or_wrong_is_refused(path, change, code, text):
    async with rest_desk() as desk:
        found = await desk.public(path, **{"symbol": BTC, "period": "5m", **change})

        assert (found.status, found.code) == (400, code)
        assert text in found["msg"]


async def test_what_is_too_long_ago_is_refused_and_thirty_days_are_not():
    async with rest_desk() as desk:
        now = desk.now_ms()
        for name in ("startTime", "endTime"):
            old = await rows(desk, INTEREST, **{name: now - 32 * DAY_MS})
            assert old == {"code": -1130, "msg": f"parameter '{name}' is invalid."}
            assert await rows(desk, INTEREST, **{name: now - 30 * DAY_MS}) == []
        turned = await rows(desk, INTEREST, startTime=now, endTime=now - 1)
        assert turned == {"code": -1130, "msg": "parameter 'startTime' is invalid."}


async def test_the_basis_asks_for_a_pair_and_a_known_contract():
    async with rest_desk() as desk:
        good = {"pair": BTC, "contractType": "PERPETUAL", "period": "5m"}
        for change, code in (
            ({"pair": ""}, -1102), ({"contractType": ""}, -1102), ({"contractType": "X"}, -1130),
            ({"pair": "NOPE"}, -1121), ({"period": "8h"}, -1130),
        ):  # fmt: skip
            assert (await desk.public(BASIS, **{**good, **change})).code == code


async def test_statistics_weigh_nothing():
    async with rest_desk() as desk:
        for path in BY_SYMBOL:
            found = await desk.public(path, symbol=BTC, period="5m")
            assert found.headers["X-MBX-USED-WEIGHT-1M"] == "0"


# Restart


async def test_statistics_outlive_the_process_in_the_data_folder(tmp_path):
    clock = Clock()
    async with rest_desk(data_dir=tmp_path, clock=clock) as desk:
        hour = await to_the_hour(desk)
        await desk.order(qty="0.05")
        desk.trade("50000")
        await pass_to(desk, hour + FIVE_MS)
        before = [await rows(desk, path) for path in (INTEREST, EVERYONE, TOP_ACCOUNTS)]
        assert before[0]
    async with rest_desk(data_dir=tmp_path, clock=clock) as desk:
        after = [await rows(desk, path) for path in (INTEREST, EVERYONE, TOP_ACCOUNTS)]
        assert after == before

        await pass_to(desk, hour + 2 * FIVE_MS)
        await pass_to(desk, hour + 3 * FIVE_MS)
        found = await rows(desk, INTEREST)
        assert stamps(found)[-1] == hour + 2 * FIVE_MS, "the desk's own trade, and none after it"
        assert found[:-1] == before[0]


def test_samples_that_no_period_holds_any_more_are_told_to_be_forgotten():
    samples, gone = Samples(0), []
    for number in range(1, CANDLES_KEPT + 5):
        gone += samples.add(BTC, a_sample(number * FIVE_MS * NS_PER_MS))

    # The third is a quarter's as well, and is held for those yet.
    assert [ts // (FIVE_MS * NS_PER_MS) for ts in gone] == [1, 2, 4]


def a_sample(ts):
    none = Sides.of([])
    return Sample(
        ts=ts, next_trade_id=1, price=Decimal(1), mark=Decimal(1), index=Decimal(1),
        positions=none, accounts=none, top_positions=none, top_accounts=none,
    )  # fmt: skip
