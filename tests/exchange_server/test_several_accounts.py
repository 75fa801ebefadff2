"""What one account of several is told, and what is kept of each over a restart."""

from __future__ import annotations

import pytest

from holdfast.exchange_server.settings import ApiKey
from holdfast.feeds import FeedSettings
from holdfast.model.market import Funding, MarkPrice
from holdfast.model.values import AccountId
from holdfast.venues import paper_books
from tests.exchange_server.rest_desk import BTC, ETH, Clock, RestDesk, rest_desk

S = 10**9
KEYS = (
    ApiKey(key="test", secret="test", account=AccountId("test")),
    ApiKey(key="b", secret="b", account=AccountId("b")),
)


def of_b(desk):
    return RestDesk(desk.server, desk.session, desk.clock, "b", "b")


async def test_an_answer_is_of_the_order_that_was_placed_whoever_else_has_its_id():
    async with rest_desk(keys=KEYS) as desk:
        other = of_b(desk)
        await other.order("SELL", "1", "50000.9", newClientOrderId="7")
        await other.stop("BUY", "50000.8", quantity="0.3", clientAlgoId="1")

        mine = await desk.order("BUY", "0.4", newClientOrderId="1", newOrderRespType="RESULT")

        assert (mine["origQty"], mine["executedQty"], mine["type"]) == ("0.400", "0.400", "MARKET")


async def test_an_order_whose_id_was_used_again_is_known_behind_a_restart(tmp_path):
    clock = Clock()
    async with rest_desk(clock=clock, data_dir=tmp_path) as desk:
        orders = [await desk.order("BUY", "0.1", newClientOrderId="x") for _ in range(3)]
        before = (await desk.call("GET", "/fapi/v1/allOrders", symbol=BTC)).body

    async with rest_desk(clock=clock, data_dir=tmp_path) as desk:
        for each in orders:
            found = await desk.call("GET", "/fapi/v1/order", symbol=BTC, orderId=each["orderId"])
            assert found["status"] == "FILLED"
        assert (await desk.call("GET", "/fapi/v1/allOrders", symbol=BTC)).body == before


async def test_what_one_account_traded_does_not_crowd_out_what_another_did(tmp_path, monkeypatch):
    monkeypatch.setattr(paper_books, "TRADES_KEPT", 10)
    clock = Clock()
    async with rest_desk(clock=clock, data_dir=tmp_path, keys=KEYS) as desk:
        await of_b(desk).order("BUY", "0.1")
        for number in range(12):
            await desk.order("BUY" if number % 2 else "SELL", "0.01")

    async with rest_desk(clock=clock, data_dir=tmp_path, keys=KEYS) as desk:
        other = of_b(desk)
        trades = (await other.call("GET", "/fapi/v1/userTrades", symbol=BTC)).body
        incomes = (await other.call("GET", "/fapi/v1/income")).body
        busy = (await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC)).body

    assert [each["qty"] for each in trades] == ["0.100"]
    assert [each["incomeType"] for each in incomes] == ["TRANSFER", "COMMISSION"]
    assert len(busy) == 10


async def charged(desk, count=1):
    fees = (await desk.call("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")).body
    rates = (await desk.public("/fapi/v1/fundingRate", symbol=BTC)).body
    assert len(fees) == len(rates) == count
    return fees, rates


async def test_funding_that_was_announced_is_among_the_rates_once_it_is_charged():
    clock = Clock()
    async with rest_desk(clock=clock) as desk:
        mark = MarkPrice(
            symbol=BTC,
            ts=clock(),
            mark_price=50_000.0,
            funding_rate=0.0005,
            next_funding_ts=clock() + 10 * S,
        )
        desk.venue.on_market(mark)
        await desk.order("BUY", "0.1")
        await charged(desk, 0)
        clock.pass_s(11)
        desk.venue.tick()

        _, [rate] = await charged(desk)
        desk.venue.on_market(Funding(symbol=BTC, ts=clock(), rate=0.0005))
        await charged(desk)

    assert (rate["fundingRate"], rate["markPrice"]) == ("0.00050000", "50000.00000000")
    assert rate["fundingTime"] == mark.next_funding_ts // 10**6  # type: ignore[operator]


@pytest.mark.parametrize(("speed", "count"), [(1.0, 1), (3600.0, 3)])
async def test_a_hurried_market_s_fundings_are_each_charged(speed, count):
    clock = Clock()
    feed = FeedSettings(source="none", speed=speed)
    async with rest_desk(clock=clock, feed=feed) as desk:
        desk.venue.on_market(MarkPrice(symbol=BTC, ts=clock(), mark_price=50_000.0))
        await desk.order("BUY", "0.1")
        for _ in range(3):
            clock.pass_s(8)
            desk.venue.on_market(Funding(symbol=BTC, ts=clock(), rate=0.0005))

        await charged(desk, count)


async def test_an_income_s_number_is_the_same_whatever_the_symbols_order(tmp_path):
    clock = Clock()
    async with rest_desk(clock=clock, data_dir=tmp_path, symbols=(BTC, ETH)) as desk:
        desk.venue.on_market(MarkPrice(symbol=BTC, ts=clock(), mark_price=50_000.0))
        desk.venue.on_market(MarkPrice(symbol=ETH, ts=clock(), mark_price=3_000.0))
        desk.quote("3000", "3001", symbol=ETH)
        await desk.order("BUY", "0.1")
        await desk.order("BUY", "1", symbol=ETH)
        ts = clock()
        for symbol in (BTC, ETH):
            desk.venue.on_market(Funding(symbol=symbol, ts=ts, rate=0.0005))
        before = (await desk.call("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")).body

    async with rest_desk(clock=clock, data_dir=tmp_path, symbols=(ETH, BTC)) as desk:
        after = (await desk.call("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")).body

    assert before == after
    assert len({each["tranId"] for each in before}) == 2
    assert all(0 < each["tranId"] < 2**53 for each in before)
