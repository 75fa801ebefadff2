"""What all doors share: books that outlive the process, the back door, the feed's way in."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest

from holdfast.exchange_server import (
    ServerSettings,
    Venue,
    archive,
    create_server,
    kept,
    levels,
    venue,
)
from holdfast.exchange_server.driver import Redater, listed
from holdfast.feeds import FeedSettings
from holdfast.model.errors import ConfigError, VenueError
from holdfast.model.market import Bar, MarkPrice, Quote, Trade
from holdfast.model.values import NS_PER_S, Symbol
from tests.exchange_server.rest_desk import BTC, Clock, rest_desk

ALL = ("/fapi/v1/allOrders", "/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders", "/fapi/v1/income")


async def books(desk):
    found = {path: (await desk.call("GET", path)).body for path in ALL}
    found["trades"] = (await desk.call("GET", "/fapi/v1/userTrades", symbol=BTC)).body
    found["leverage"] = (await desk.call("GET", "/fapi/v1/symbolConfig")).body
    found["balance"] = (await desk.call("GET", "/fapi/v3/balance")).body[0]["balance"]
    return found


async def test_the_books_outlive_the_process(tmp_path):
    async with rest_desk(data_dir=tmp_path) as desk:
        await desk.order(qty="0.02")
        await desk.order(price="49000", newClientOrderId="resting")
        await desk.order(price="48000", timeInForce="IOC")
        await desk.stop(quantity=None, closePosition="true", clientAlgoId="close")
        await desk.call("POST", "/fapi/v1/leverage", symbol=BTC, leverage=5)
        before = await books(desk)
    async with rest_desk(data_dir=tmp_path) as desk:
        after = await books(desk)
        desk.quote("48990", "48991")
        desk.trade("48995")
        child = await desk.call("GET", "/fapi/v1/order", symbol=BTC, origClientOrderId="close")

    assert before == after
    assert (child["status"], child["executedQty"]) == ("FILLED", "0.030")


async def test_listen_keys_outlive_the_process_as_long_as_they_are_good(tmp_path):
    clock = Clock()
    async with rest_desk(data_dir=tmp_path, clock=clock) as desk:
        key = (await desk.raw("POST", "/fapi/v1/listenKey"))["listenKey"]
    clock.pass_s(1800)
    async with rest_desk(data_dir=tmp_path, clock=clock) as desk:
        url = f"{desk.server.urls['streams']}/private/ws?listenKey={key}"
        async with desk.session.ws_connect(url) as stream:
            await desk.order(qty="0.02")
            told = await stream.receive_json(timeout=5)
        assert told["e"] in ("ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE")
        assert (await desk.raw("PUT", "/fapi/v1/listenKey"))["listenKey"] == key
    clock.pass_s(3590)
    async with rest_desk(data_dir=tmp_path, clock=clock) as desk:
        assert (await desk.raw("POST", "/fapi/v1/listenKey"))["listenKey"] == key
    clock.pass_s(3601)
    async with rest_desk(data_dir=tmp_path, clock=clock) as desk:
        assert (await desk.raw("PUT", "/fapi/v1/listenKey")).code == -1125
        other = (await desk.raw("POST", "/fapi/v1/listenKey"))["listenKey"]
        assert other != key
        await desk.raw("DELETE", "/fapi/v1/listenKey")
    async with rest_desk(data_dir=tmp_path, clock=clock) as desk:
        assert (await desk.raw("PUT", "/fapi/v1/listenKey")).code == -1125


@pytest.mark.parametrize(("renewed_ms", "rests"), [(None, False), (60_000, True), (0, True)])
async def test_countdowns_run_on_while_the_exchange_is_away(tmp_path, renewed_ms, rests):
    clock = Clock()
    place = ("POST", "/fapi/v1/countdownCancelAll")
    async with rest_desk(data_dir=tmp_path, clock=clock) as desk:
        await desk.order(price="49000")
        await desk.call(*place, symbol=BTC, countdownTime=30_000)
    clock.pass_s(20)
    async with rest_desk(data_dir=tmp_path, clock=clock) as desk:
        desk.venue.tick()
        assert len((await desk.call("GET", "/fapi/v1/openOrders")).body) == 1
        if renewed_ms is not None:
            await desk.call(*place, symbol=BTC, countdownTime=renewed_ms)
    clock.pass_s(20)
    async with rest_desk(data_dir=tmp_path, clock=clock) as desk:
        desk.venue.tick()
        assert len((await desk.call("GET", "/fapi/v1/openOrders")).body) == rests


async def test_amendments_outlive_the_process_and_are_numbered_on(tmp_path):
    async def amended(desk, **new):
        await desk.call("PUT", "/fapi/v1/order", symbol=BTC, side="BUY", **new)
        return (await desk.call("GET", "/fapi/v1/orderAmendment", symbol=BTC)).body

    async with rest_desk(data_dir=tmp_path) as desk:
        placed = await desk.order(price="49000")
        of = {"orderId": placed["orderId"], "quantity": "0.01"}
        before = await amended(desk, **of, price="48500", modifyId="m7")
    async with rest_desk(data_dir=tmp_path) as desk:
        again = (await desk.call("GET", "/fapi/v1/orderAmendment", symbol=BTC)).body
        after = await amended(desk, **of, price="48000")

    assert again == before
    assert [row["amendmentId"] for row in after] == [1, 2]
    assert after[-1]["amendment"]["price"] == {"before": "48500.0", "after": "48000.0"}
    assert after[-1]["amendment"]["count"] == 2


async def test_the_oldest_amendments_are_forgotten_in_storage_too(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "RECORDS_KEPT", 3)
    monkeypatch.setattr(archive, "RECORDS_KEPT", 3)
    async with rest_desk(data_dir=tmp_path) as desk:
        placed = await desk.order(price="49000")
        of = {"orderId": placed["orderId"], "quantity": "0.01"}
        for number in range(5):
            price = str(48_000 + number)
            await desk.call("PUT", "/fapi/v1/order", symbol=BTC, side="BUY", **of, price=price)
        rows = kept.split(desk.venue._storage.rows())[1]

    assert [each.number for each in kept.read(rows).amendments] == [3, 4, 5]


async def test_the_deposit_is_put_in_once(tmp_path):
    for _ in range(2):
        async with rest_desk(data_dir=tmp_path) as desk:
            balance = (await desk.call("GET", "/fapi/v3/balance")).body[0]["balance"]

            assert balance == "10000.00000000"


async def test_books_that_another_process_holds_are_refused(tmp_path):
    async with rest_desk(data_dir=tmp_path):
        with pytest.raises(ConfigError, match="another process holds them"):
            create_server(ServerSettings(feed=FeedSettings(source="none"), data_dir=tmp_path))


async def test_a_port_in_use_is_said_to_be():
    async with rest_desk() as desk:
        port = int(desk.server.urls["rest"].rpartition(":")[2])
        second = create_server(ServerSettings(feed=FeedSettings(source="none"), port=port))

        with pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1 is in use"):
            await second.start()
        await second.stop()


async def test_the_truth_has_everything_of_every_account():
    async with rest_desk() as desk:
        await desk.order(qty="0.02")
        await desk.order(price="49000")
        await desk.stop()
        truth = (await desk.raw("GET", "/admin/truth"))["accounts"]["test"]

        assert truth["positions"] == {
            BTC: {"qty": "0.02", "entryPrice": "50001", "isolatedWallet": "0"}
        }
        assert truth["balances"] == {"USDT": "9999.49999"}
        assert [len(truth[n]) for n in ("orders", "openOrders", "algoOrders", "trades")] == [
            2,
            1,
            1,
            1,
        ]


async def test_the_market_and_money_move_by_hand():
    async with rest_desk() as desk:
        trade = Trade(symbol=BTC, ts=0, price=51_000.0, qty=1.0)
        body = msgspec.json.encode([trade]).decode()
        moved = await desk.raw("POST", "/admin/market", body=body)
        price = (await desk.public("/fapi/v1/ticker/price", symbol=BTC))["price"]
        money = await desk.raw(
            "POST", "/admin/deposit", body='{"account":"test","amount":"-500.5"}'
        )
        nobody = await desk.raw("POST", "/admin/deposit", body='{"account":"x","amount":"1"}')

        assert (moved.body, price) == ({"count": 1}, "51000.0")
        assert money["balances"] == {"USDT": "9499.5"}
        assert (nobody.status, nobody["error"]) == (400, "there is no account x")


async def test_the_back_door_wants_its_token_where_it_has_one():
    async with rest_desk(admin_token="open sesame") as desk:
        closed = await desk.raw("GET", "/admin/truth")
        wrong = await desk.raw("GET", "/admin/truth", headers={"Authorization": "Bearer x"})
        right = await desk.raw(
            "GET", "/admin/truth", headers={"Authorization": "Bearer open sesame"}
        )

        assert [each.status for each in (closed, wrong, right)] == [401, 401, 200]


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Host": ""}]
)
async def test_a_page_in_a_browser_of_this_machine_can_not_use_the_back_door(headers):
    async with rest_desk() as desk:
        body = '{"account":"test","amount":"-9000"}'
        asked = await desk.raw("POST", "/admin/deposit", body=body, headers=headers)
        read = await desk.raw("GET", "/admin/truth", headers=headers)
        balance = (await desk.call("GET", "/fapi/v3/balance")).body[0]["balance"]

        assert [asked.status, read.status] == [401, 401]
        assert Decimal(balance) == 10_000


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:1", "[::1]:9000"])
async def test_the_back_door_opens_to_each_name_of_the_loopback(host):
    async with rest_desk() as desk:
        read = await desk.raw("GET", "/admin/truth", headers={"Host": host})

        assert read.status == 200


async def test_what_one_request_sets_off_is_heard_whole_and_in_order():
    async with rest_desk() as desk:
        heard = []
        desk.venue.sinks.append(lambda outputs, now: heard.append(list(map(type, outputs))))
        await desk.order()
        await desk.order(qty="1000000")

        assert [[kind.__name__ for kind in each] for each in heard] == [
            ["OrderUpdate", "AccountUpdate", "OrderUpdate"],
            ["ExecutionReport"],  # an answer to the asker alone
        ]


async def test_a_made_up_market_runs_in_the_walls_time():
    settings = ServerSettings(symbols=(BTC,), feed=FeedSettings(seed=1))
    server = create_server(settings)
    heard = asyncio.Event()

    def hear(message):
        if isinstance(message, Quote):
            heard.set()

    server.venue.market_sinks.append(hear)
    await server.start()
    async with asyncio.timeout(20):
        await heard.wait()
    tape = server.venue.tape(BTC)
    await server.stop()

    assert tape.quote is not None
    assert abs(tape.quote.ts - server.venue.now()) < 20 * NS_PER_S
    assert len(tape.series("1m").candles) >= 400
    assert levels.bids(server.venue.exchange, tape, 5)


def test_another_time_is_moved_to_the_walls_at_the_feeds_pace():
    redater = Redater(lambda: 1_000 * NS_PER_S, speed=2.0)
    first = Trade(symbol=BTC, ts=50 * NS_PER_S, price=1.0, qty=1.0)
    mark = MarkPrice(
        symbol=BTC,
        ts=60 * NS_PER_S,
        mark_price=1.0,
        funding_rate=0.0,
        next_funding_ts=70 * NS_PER_S,
    )
    bar = Bar(
        symbol=BTC, timeframe="1m", open_ts=60 * NS_PER_S, ts=120 * NS_PER_S,
        open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0,
    )  # fmt: skip

    moved = [redater.redate(each) for each in (first, mark, bar)]
    _, moved_mark, moved_bar = moved

    assert [each.ts // NS_PER_S for each in moved] == [1000, 1005, 1035]
    assert isinstance(moved_mark, MarkPrice)
    assert moved_mark.next_funding_ts == 1010 * NS_PER_S
    assert isinstance(moved_bar, Bar)
    assert moved_bar.open_ts == 1005 * NS_PER_S


def test_contracts_that_nobody_knows_have_brackets_all_the_same():
    known, unknown = listed(None, (BTC, Symbol("FOOUSDT")))

    assert known.brackets[0].max_leverage == 150
    assert unknown.brackets


def test_time_never_goes_back():
    clock = Clock()
    venue = Venue(ServerSettings(feed=FeedSettings(source="none")), listed(None, ()), clock=clock)
    first = venue.now()
    clock.ahead = -10 * NS_PER_S

    assert venue.now() >= first


@pytest.mark.parametrize("name", ["tick", "on_market"])
async def test_an_exchange_whose_clock_or_market_stops_says_so(name, monkeypatch):
    def stumble(*_):
        raise ArithmeticError("a number of no kind")

    monkeypatch.setattr(venue.Venue, name, stumble)
    async with rest_desk(feed=FeedSettings(source="synthetic")) as desk:
        await asyncio.wait_for(desk.server.failed.wait(), 5)

        assert "a number of no kind" in str(desk.server.failure)


async def test_a_countdown_that_ran_out_is_forgotten_only_once_its_orders_are_gone(tmp_path):
    async with rest_desk(data_dir=tmp_path) as desk:
        await desk.order(price="49000")
        await desk.call("POST", "/fapi/v1/countdownCancelAll", symbol=BTC, countdownTime=5000)
        storage = desk.venue._storage
        written: list = []

        def commit_once(rows, commit=storage.commit):
            if written:
                raise VenueError("the disk is full")
            if rows:
                written.append(rows)
            commit(rows)

        storage.commit = commit_once
        desk.clock.pass_s(6)
        await asyncio.wait_for(desk.server.failed.wait(), 5)
    async with rest_desk(data_dir=tmp_path, clock=desk.clock) as desk:
        desk.venue.tick()

        assert (await desk.call("GET", "/fapi/v1/openOrders")).body == []
