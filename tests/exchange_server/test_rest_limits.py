"""Weights and order counts: headers, refusals, bans."""

from __future__ import annotations

import json

import pytest

from holdfast.exchange_server import LimitSettings
from holdfast.exchange_server.listing import NO_LIMIT
from tests.exchange_server.rest_desk import BTC, Clock, rest_desk

MINUTE_NS = 60_000_000_000


def at_full_minute():
    """A clock just behind a full minute, so that no window ends inside a test."""
    clock = Clock()
    clock.ahead = MINUTE_NS - clock() % MINUTE_NS
    return clock


async def test_each_answer_tells_the_weight_used():
    async with rest_desk(clock=at_full_minute()) as desk:
        weights = []
        for path, params in (
            ("/fapi/v1/time", {}),
            ("/fapi/v1/depth", {"symbol": BTC, "limit": 1000}),
            ("/fapi/v1/depth", {"symbol": BTC, "limit": 5}),
            ("/fapi/v1/klines", {"symbol": BTC, "interval": "1m", "limit": 1500}),
            ("/fapi/v1/ticker/24hr", {}),
            ("/fapi/v1/nonsense", {}),
        ):
            found = await desk.public(path, **params)
            weights.append(found.headers.get("X-MBX-USED-WEIGHT-1M"))

        assert weights == ["1", "21", "23", "33", "73", None]


async def test_too_much_weight_is_refused_then_banned_and_the_next_ban_is_longer():
    limits = LimitSettings(weight_1m=3, warnings=2, ban_s=120)
    async with rest_desk(limits=limits, clock=at_full_minute()) as desk:
        for _ in range(3):
            assert (await desk.public("/fapi/v1/time")).status == 200
        warned = [await desk.public("/fapi/v1/time") for _ in range(2)]
        banned = await desk.public("/fapi/v1/time")

        assert [(each.status, each.code) for each in warned] == [(429, -1003)] * 2
        assert warned[0]["msg"].startswith(
            "Too many requests; current limit is 3 requests per minute"
        )
        assert 55 <= int(warned[0].headers["Retry-After"]) <= 60
        assert (banned.status, banned.code) == (418, -1003)
        until = int(banned["msg"].split("banned until ")[1].split(".")[0])
        assert abs(until - desk.now_ms() - 120_000) < 2000
        assert 118 <= int(banned.headers["Retry-After"]) <= 120

        desk.clock.pass_s(121)
        for _ in range(5):
            await desk.public("/fapi/v1/time")
        again = await desk.public("/fapi/v1/time")
        assert (again.status, int(again.headers["Retry-After"])) == (418, 240)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/futures/data/openInterestHist", {"symbol": BTC, "period": "5m"}),
        ("/fapi/v1/fundingRate", {}),
    ],
)
async def test_what_has_no_weight_is_counted_in_a_pool_of_five_minutes(path, params):
    clock = Clock()
    clock.ahead = 5 * MINUTE_NS - clock() % (5 * MINUTE_NS)
    limits = LimitSettings(funding_5m=2, statistics_5m=2)
    async with rest_desk(limits=limits, clock=clock) as desk:
        found = [await desk.public(path, **params) for _ in range(3)]
        other = await desk.public("/fapi/v1/time")

        assert [each.status for each in found] == [200, 200, 429]
        assert found[2]["msg"].startswith("Too many requests; current limit is 2 ")
        assert 290 <= int(found[2].headers["Retry-After"]) <= 300
        assert other.status == 200

        desk.clock.pass_s(300)
        assert (await desk.public(path, **params)).status == 200


async def test_orders_are_counted_and_cancels_are_not():
    limits = LimitSettings(weight_1m=0, orders_10s=3, orders_1m=4)
    async with rest_desk(limits=limits, clock=at_full_minute()) as desk:
        orders = [await desk.order(price="49000") for _ in range(4)]
        cancelled = await desk.call(
            "DELETE", "/fapi/v1/order", symbol=BTC, orderId=orders[0]["orderId"]
        )
        desk.clock.pass_s(10)
        after_10s = [await desk.order(price="49000") for _ in range(2)]

        counts = [each.headers["X-MBX-ORDER-COUNT-10S"] for each in orders]
        assert counts == ["1", "2", "3", "3"]
        assert (orders[3].status, orders[3].code) == (429, -1015)
        assert orders[3]["msg"] == "Too many new orders; current limit is 3 orders per 10 SECOND."
        assert cancelled.status == 200
        assert [each.status for each in after_10s] == [200, 429]
        assert after_10s[1]["msg"].endswith("4 orders per 1 MINUTE.")


async def test_the_limits_of_orders_can_be_asked_for():
    limits = LimitSettings(weight_1m=0)
    async with rest_desk(limits=limits, clock=at_full_minute()) as desk:
        await desk.order(price="49000")
        rows = (await desk.call("GET", "/fapi/v1/rateLimit/order")).body

        assert [(row["interval"], row["limit"], row["count"]) for row in rows] == [
            ("SECOND", 300, 1), ("MINUTE", 1200, 1),
        ]  # fmt: skip


async def test_a_batch_counts_five_in_ten_seconds_and_one_in_the_minute():
    async with rest_desk(limits=LimitSettings(), clock=at_full_minute()) as desk:
        order = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        order |= {"quantity": "0.01", "price": "49000"}
        found = await desk.call(
            "POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([order, order])
        )
        counts = [found.headers[f"X-MBX-ORDER-COUNT-{window}"] for window in ("10S", "1M")]

        assert [each["status"] for each in found.body] == ["NEW", "NEW"]
        assert counts == ["5", "1"]


async def test_a_refused_handshake_says_when_to_come_again():
    limits = LimitSettings(weight_1m=4, warnings=1, ban_s=120)
    async with rest_desk(limits=limits, clock=at_full_minute()) as desk:
        found = []
        for _ in range(2):
            async with desk.session.get(f"{desk.server.urls['rest']}/ws-fapi/v1") as answer:
                found.append((answer.status, int(answer.headers["Retry-After"])))

        assert [status for status, _ in found] == [429, 418]
        assert 50 <= found[0][1] <= 60
        assert 118 <= found[1][1] <= 120


async def test_where_nothing_is_limited_the_limits_are_told_as_large_numbers():
    async with rest_desk() as desk:
        listed = (await desk.public("/fapi/v1/exchangeInfo"))["rateLimits"]
        orders = (await desk.call("GET", "/fapi/v1/rateLimit/order")).body
        url = desk.server.urls["ws_api"]
        async with desk.session.ws_connect(url) as socket:
            await socket.send_json({"id": 1, "method": "ticker.price", "params": {"symbol": BTC}})
            told = (await socket.receive_json())["rateLimits"]

        assert {row["limit"] for row in (*listed, *orders, *told)} == {NO_LIMIT}
