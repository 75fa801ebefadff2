"""What everybody sees: contracts, book, tape, candles, prices."""

from __future__ import annotations

from itertools import pairwise

import pytest

from holdfast.exchange_server.tape import INTERVALS, span_of
from holdfast.feeds import FeedSettings
from holdfast.model.market import Bar, BookSnapshot, MarkPrice
from holdfast.model.values import NS_PER_MS, NS_PER_S
from tests.exchange_server.rest_desk import BTC, ETH, rest_desk

MINUTE = 60 * NS_PER_S
DAY = 1440 * MINUTE


async def test_the_listing_has_what_clients_need_and_no_rpi():
    async with rest_desk() as desk:
        listing = (await desk.public("/fapi/v1/exchangeInfo")).body
        btc = listing["symbols"][0]
        filters = {each["filterType"]: each for each in btc["filters"]}

        assert [each["symbol"] for each in listing["symbols"]] == ["BTCUSDT", "ETHUSDT"]
        assert btc["timeInForce"] == ["GTC", "IOC", "FOK", "GTX", "GTD"]
        assert (btc["pricePrecision"], filters["PRICE_FILTER"]["tickSize"]) == (2, "0.10")
        assert filters["LOT_SIZE"]["stepSize"] == "0.001"
        assert filters["MARKET_LOT_SIZE"]["maxQty"] == "120"
        assert filters["MIN_NOTIONAL"]["notional"] == "100"
        assert listing["futuresType"] == "U_MARGINED"


async def test_the_doors_of_spot_that_clients_knock_at_answer():
    async with rest_desk() as desk:
        assert (await desk.public("/api/v3/ping")).body == {}
        told = (await desk.public("/api/v3/time"))["serverTime"]
        assert abs(told - desk.now_ms()) < 1000


async def test_unknown_paths_and_verbs_are_not_found():
    async with rest_desk() as desk:
        for verb, path in (("GET", "/fapi/v1/nope"), ("PATCH", "/fapi/v1/order")):
            found = await desk.raw(verb, path)

            assert (found.status, found.code) == (404, -5000)
            assert found["msg"] == f"Path {path}, Method {verb} is invalid"


async def test_the_book_is_what_a_taker_can_have_and_rises_in_its_ids():
    async with rest_desk() as desk:
        await desk.order(qty="0.02", price="49999")
        first = (await desk.public("/fapi/v1/depth", symbol=BTC, limit=5)).body
        second = (await desk.public("/fapi/v1/depth", symbol=BTC)).body

        assert first["bids"][:2] == [["50000.0", "10.000"], ["49999.0", "0.020"]]
        assert first["asks"] == [["50001.0", "10.000"], ["50026.1", "120.000"]]
        assert second["lastUpdateId"] > first["lastUpdateId"]
        wrong = await desk.public("/fapi/v1/depth", symbol=BTC, limit=7)
        assert (wrong.code, wrong["msg"]) == (-4021, "'7' is not valid depth limit.")


async def test_a_book_that_is_fed_is_shown_level_by_level_and_less_what_was_taken():
    async with rest_desk() as desk:
        levels = tuple((50_010.0 + i, 1.0) for i in range(30))
        snapshot = BookSnapshot(symbol=BTC, ts=desk.clock(), bids=((50_000.0, 1.0),), asks=levels)
        desk.venue.on_market(snapshot)
        await desk.order(qty="1.5")
        asks = (await desk.public("/fapi/v1/depth", symbol=BTC, limit=20)).body["asks"]

        assert len(asks) == 20
        assert asks[:2] == [["50011.0", "0.500"], ["50012.0", "1.000"]]


async def test_trades_are_numbered_and_found_again_by_number():
    async with rest_desk() as desk:
        for price in ("50010", "50020", "50030"):
            desk.trade(price, is_buyer_maker=price == "50020")
        newest = (await desk.public("/fapi/v1/trades", symbol=BTC, limit=2)).body
        older = await desk.raw(
            "GET", "/fapi/v1/historicalTrades", query=f"symbol={BTC}&fromId=2&limit=2"
        )
        desk.clock.pass_s(1)
        aggregated = (await desk.public("/fapi/v1/aggTrades", symbol=BTC, fromId=3)).body
        keyless = await desk.public("/fapi/v1/historicalTrades", symbol=BTC)

        assert [each["price"] for each in newest] == ["50020.0", "50030.0"]
        assert [each["isBuyerMaker"] for each in newest] == [True, False]
        assert [each["id"] for each in older.body] == [2, 3]
        assert [(each["a"], each["p"]) for each in aggregated] == [(3, "50020.0"), (4, "50030.0")]
        assert keyless.status == 401


async def test_candles_hold_what_was_traded_and_who_took():
    async with rest_desk() as desk:
        desk.clock.pass_s(3600 - (desk.now_ms() // 1000) % 3600)  # to a full hour
        for price, qty, is_buyer_maker in ((100, 1.0, False), (130, 2.0, True), (90, 3.0, False)):
            desk.trade(price, qty, is_buyer_maker=is_buyer_maker)
        desk.clock.pass_s(61)
        desk.trade(110, 1.0)
        path, asked = "/fapi/v1/klines", {"symbol": BTC, "limit": 1}
        hour = (await desk.public(path, **asked, interval="1h")).body
        minutes = (await desk.public(path, symbol=BTC, interval="1m", limit=2)).body
        desk.trade(120, 1.0)
        later = (await desk.public(path, **asked, interval="1h")).body

        assert hour[0][1:6] == ["100.0", "130.0", "90.0", "110.0", "7.000"]
        assert hour[0][7:11] == ["740.0000", 4, "5.000", "480.0000"]
        assert [each[4] for each in minutes] == ["90.0", "110.0"]
        assert minutes[1][0] - minutes[0][0] == 60_000
        assert minutes[0][6] == minutes[1][0] - 1
        assert (later[0][4], later[0][8]) == ("120.0", 5)


async def test_candles_can_be_asked_for_by_time():
    async with rest_desk() as desk:
        desk.trade(100)
        start = desk.now_ms()
        desk.clock.pass_s(120)
        desk.trade(101)
        found = await desk.public("/fapi/v1/klines", symbol=BTC, interval="1m", startTime=start)
        wrong = await desk.public("/fapi/v1/klines", symbol=BTC, interval="7m")

        assert [each[4] for each in found.body] == ["100.0", "101.0"]
        assert wrong.code == -1120


async def test_a_minute_without_trades_has_a_flat_candle():
    async with rest_desk() as desk:
        desk.clock.pass_s(60 - (desk.now_ms() // 1000) % 60)  # two trades of one minute
        desk.trade(100)
        desk.trade(99)
        desk.clock.pass_s(180)
        desk.trade(103)
        rows = (await desk.public("/fapi/v1/klines", symbol=BTC, interval="1m", limit=4)).body

        assert [each[1:6] for each in rows[1:3]] == [["99.0"] * 4 + ["0.000"]] * 2
        assert [each[8] for each in rows] == [2, 0, 0, 1]
        assert {later[0] - each[0] for each, later in pairwise(rows)} == {60_000}


@pytest.mark.parametrize("interval", INTERVALS)
def test_spans_hold_their_times_and_touch_each_other(interval):
    for ts in (0, 1_700_000_000 * NS_PER_S, 1_709_164_800 * NS_PER_S - 1, 1_767_225_599 * NS_PER_S):
        start, end = span_of(interval, ts)

        assert start <= ts < end
        assert span_of(interval, end).start == end
        assert span_of(interval, start) == (start, end)


def test_weeks_begin_on_mondays_and_months_on_the_first():
    sunday = 1_700_352_000 * NS_PER_S  # 2023-11-19
    assert span_of("1w", sunday).end == sunday + DAY
    assert span_of("1M", sunday) == (1_698_796_800 * NS_PER_S, 1_701_388_800 * NS_PER_S)


async def test_prices_of_the_moment_and_of_the_day():
    async with rest_desk() as desk:
        desk.trade("50100", 2.0)
        day = (await desk.public("/fapi/v1/ticker/24hr", symbol=BTC)).body
        price = (await desk.public("/fapi/v2/ticker/price", symbol=BTC)).body
        touch = (await desk.public("/fapi/v1/ticker/bookTicker", symbol=BTC)).body
        every = (await desk.public("/fapi/v1/ticker/bookTicker")).body

        assert (day["openPrice"], day["lastPrice"], day["lastQty"]) == (
            "50000.5",
            "50100.0",
            "2.000",
        )
        assert day["count"] == 2
        assert price["price"] == "50100.0"
        assert (touch["bidPrice"], touch["askQty"]) == ("50000.0", "10.000")
        assert [each["symbol"] for each in every] == ["BTCUSDT", "ETHUSDT"]


async def test_marks_index_and_premium_are_told_and_make_candles():
    async with rest_desk() as desk:
        funding_ts = desk.clock() + 3600 * NS_PER_S
        for mark in (50_000.0, 50_050.0):
            message = MarkPrice(
                symbol=BTC, ts=desk.clock(), mark_price=mark, index_price=50_000.0,
                funding_rate=0.0001, next_funding_ts=funding_ts,
            )  # fmt: skip
            desk.venue.on_market(message)
        told = (await desk.public("/fapi/v1/premiumIndex", symbol=BTC)).body
        marks = await desk.public("/fapi/v1/markPriceKlines", symbol=BTC, interval="1h")
        index = await desk.public("/fapi/v1/indexPriceKlines", pair=BTC, interval="1h")
        premium = await desk.public("/fapi/v1/premiumIndexKlines", symbol=BTC, interval="1h")

        assert (told["markPrice"], told["lastFundingRate"]) == ("50050.00000000", "0.00010000")
        assert told["nextFundingTime"] == funding_ts // NS_PER_MS
        assert marks.body[-1][4] == "50050.00000000"
        assert index.body[-1][2] == "50000.00000000"
        assert premium.body[-1][4] == "0.00100000"


async def test_a_feed_of_bars_shows_the_public_a_tape():
    async with rest_desk(feed=FeedSettings(source="none")) as desk:
        now = desk.clock()
        heard: list = []
        desk.venue.market_sinks.append(heard.append)
        bar = Bar(
            symbol=ETH, timeframe="1m", open_ts=now - MINUTE, ts=now, open=100.0, high=110.0,
            low=95.0, close=105.0, volume=8.0,
        )  # fmt: skip
        desk.venue.on_market(bar)

        assert [(each.price, each.qty) for each in heard] == [
            (100.0, 2.0), (95.0, 2.0), (110.0, 2.0), (105.0, 2.0),
        ]  # fmt: skip
        assert [each.is_buyer_maker for each in heard] == [False, True, False, True]
        found = (await desk.public("/fapi/v1/trades", symbol="ETHUSDT")).body
        assert [each["id"] for each in found] == [1, 2, 3, 4]


async def test_open_interest_is_what_the_accounts_hold():
    async with rest_desk() as desk:
        await desk.order(qty="0.05")

        found = (await desk.public("/fapi/v1/openInterest", symbol=BTC)).body
        assert found["openInterest"] == "0.050"


@pytest.mark.parametrize("limit", ["²", "٣", "0"])
async def test_a_limit_that_is_no_number_of_the_venues_is_refused(limit):
    async with rest_desk() as desk:
        depth = await desk.public("/fapi/v1/depth", symbol=BTC, limit=limit)
        klines = await desk.public("/fapi/v1/klines", symbol=BTC, interval="1m", limit=limit)

        assert (depth.status, klines.status) == (400, 400)


async def test_grouped_trades_are_asked_for_an_hour_at_a_time():
    async with rest_desk() as desk:
        end, path = desk.now_ms(), "/fapi/v1/aggTrades"
        hour = await desk.public(path, symbol=BTC, startTime=end - 3_600_000, endTime=end)
        more = await desk.public(path, symbol=BTC, startTime=end - 3_600_001, endTime=end)
        open_ended = await desk.public(path, symbol=BTC, startTime=end - 7_200_000)

        assert (hour.status, open_ended.status) == (200, 200)
        assert (more.status, more.code) == (400, -1127)
        assert more["msg"] == "More than 1 hours between startTime and endTime."


async def test_a_contract_nobody_has_traded_is_answered_with_one_row_all_the_same():
    async with rest_desk() as desk:
        day = (await desk.public("/fapi/v1/ticker/24hr", symbol=ETH)).body
        price = (await desk.public("/fapi/v1/ticker/price", symbol=ETH)).body
        traded = (await desk.public("/fapi/v1/ticker/24hr", symbol=BTC)).body

        assert set(day) == set(traded)
        assert (day["symbol"], day["count"], day["lastPrice"]) == (ETH, 0, "0.00")
        assert (price["symbol"], price["price"]) == (ETH, "0.00")
