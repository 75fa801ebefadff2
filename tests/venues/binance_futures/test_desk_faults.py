"""What the laws of orders and roads have found, each by itself."""

from __future__ import annotations

import asyncio
import json

import pytest

from holdfast.model.commands import CancelOrder, QueryOrder
from holdfast.model.messages import (
    AddressBanned,
    ExecType,
    ExecutionReport,
    OutcomeUnknown,
    RequestRefused,
)
from holdfast.model.values import MAIN, NS_PER_MS, NS_PER_S, ClOrdId, OrderStatus
from holdfast.venues.binance_futures.codec.envelope import read_error
from holdfast.venues.binance_futures.codec.wire import quote
from holdfast.venues.binance_futures.dead_man import BEATS
from holdfast.venues.binance_futures.orders_ws import FAILURES_MAX
from tests.venues.binance_futures.desk_floor import (
    ALGO_PLACE,
    BASE_MS,
    KEY,
    PLACE,
    QUESTIONS,
    SECRET,
    STATUS,
)
from tests.venues.binance_futures.desk_roads import ApiLine
from tests.venues.binance_futures.desk_trader import ED25519, TRIES, WINDOW_S, alone, joined

WALL = (403, "<html>Forbidden</html>")
TIMEOUT = (408, -1007)
BAN = (418, -1003)
GATEWAY = (502, "")
LOGON = "session.logon"


def told(trader, kind):
    return [message for _, message in trader.heard if isinstance(message, kind)]


@pytest.mark.parametrize("body", ["{}", '{"data": {"code": "200"}}', '{"msg": "success"}'])
@pytest.mark.parametrize("is_over_ws", [True, False])
def test_a_cancel_whose_answer_does_not_say_that_it_was_done_is_in_doubt(body, is_over_ws):
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            if not is_over_ws:
                trader.roads.api_ill = lambda method: "unopened"
                trader.roads.drop_api()
            await asyncio.sleep(0.1)
            trader.place(is_algo=True)
            await asyncio.sleep(1.0)
            trader.roads.rest_ill = trader.roads.api_ill = lambda method: (
                (200, body) if method == "algoOrder.cancel" else ""
            )
            trader.cancel(trader.asked[0])
            await asyncio.sleep(1.0)

            assert len(told(trader, OutcomeUnknown)) == 1
            trader.roads.rest_ill = trader.roads.api_ill = lambda method: ""
            await trader.settle()
        return trader

    trader = alone(main)
    assert not trader.wrong
    assert trader.floor.orders["hf.1.1.0.S.x"].is_open


def test_behind_the_wall_of_one_road_a_question_takes_the_other_at_once():
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            trader.roads.api_ill = lambda method: "" if method in QUESTIONS else TIMEOUT
            trader.roads.rest_ill = lambda method: WALL
            trader.place(is_algo=False)
            await trader.settle()
        return trader

    trader = alone(main)
    doubt = trader.asked[0]
    assert doubt.doubted
    assert doubt.doubt_over < doubt.at + 12.0
    assert not trader.wrong


def test_a_question_before_a_wall_takes_the_other_road_once_that_is_up():
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            trader.roads.api_ill = lambda method: "unopened" if method == "open" else TIMEOUT
            trader.roads.rest_ill = lambda method: WALL
            trader.place(is_algo=False)
            await asyncio.sleep(1.0)
            trader.roads.drop_api()
            await asyncio.sleep(10.0)
            trader.roads.api_ill = lambda method: ""
            await trader.settle()
        return trader

    trader = alone(main)
    doubt = trader.asked[0]
    assert doubt.doubt_over < doubt.at + 30.0
    assert not trader.wrong


def test_where_both_roads_have_a_wall_before_them_few_questions_are_asked():
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            trader.roads.api_ill = lambda method: WALL if method in QUESTIONS else TIMEOUT
            trader.roads.rest_ill = lambda method: WALL
            trader.place(is_algo=False)
            await asyncio.sleep(60.0)
        return trader

    trader = alone(main)
    assert sum(sent.method == STATUS for sent in trader.floor.log) <= 2 * TRIES


def test_an_order_that_the_wall_before_the_websocket_api_refuses_takes_rest():
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            trader.roads.api_ill = lambda method: WALL
            trader.place(is_algo=True)
            await asyncio.sleep(1.0)
            await trader.settle()
        return trader

    trader = alone(main)
    assert [sent.road for sent in trader.asked[0].sent] == ["WS", "REST"]
    assert trader.floor.orders
    assert not trader.wrong


def test_a_refusal_of_the_address_is_heard_from_a_question_after_the_time_too():
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            trader.floor.is_storm, trader.floor.chance = True, 0.0
            trader.roads.rest_ill = lambda method: "banned"
            await trader.venue._asker.sync_clock()
            sent = len(trader.floor.log)
            trader.roads.rest_ill = lambda method: ""
            trader.place(is_algo=False)
            await asyncio.sleep(1.0)

            assert len(trader.floor.log) == sent
            await trader.settle()
        return trader

    assert not alone(main).wrong


def test_a_stop_refused_for_its_time_is_told_before_its_fence_where_no_time_is_to_be_had():
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            trader.roads.api_ill = lambda method: "late" if method == ALGO_PLACE else ""
            trader.roads.rest_ill = lambda method: "mute"
            trader.place(is_algo=True)
            await asyncio.sleep(WINDOW_S + 0.1)

            refused = told(trader, ExecutionReport)
            assert [report.status for report in refused] == [OrderStatus.REJECTED]
            trader.roads.rest_ill = lambda method: ""
            await trader.settle()
        return trader

    assert not alone(main).wrong


def test_all_that_ends_risk_waits_for_the_one_measurement_of_the_clock():
    """The first of several stops had the time measured; the others were refused meanwhile."""

    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            await asyncio.sleep(1.0)
            trader.floor.off_ms -= 3_000
            for _ in range(3):
                trader.place(is_algo=True)
            await trader.settle()

            open_ones = [order for order in trader.floor.orders.values() if order.is_open]
            assert len(open_ones) == 3
        return trader

    assert not alone(main).wrong


BANNED = (-1003, f"Way too many requests; IP banned until {BASE_MS + 60_000}.")


def test_a_ban_that_answers_a_request_which_was_given_up_is_heard():
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            roads, began = trader.roads, loop.time()
            roads.latency = lambda: 10.4 if 0.001 < loop.time() - began < 0.5 else 0.01
            roads.api_ill = lambda method: (418, BANNED) if method == ALGO_PLACE else ""
            trader.place(is_algo=True)
            await asyncio.sleep(1.0)
            trader.place(is_algo=False)
            await asyncio.sleep(10.0)

            assert told(trader, AddressBanned)
            assert trader.venue.order_room_at(trader.clock.now()) > (BASE_MS + 59_000) * NS_PER_MS
        return trader

    assert not alone(main).wrong


@pytest.mark.parametrize("status", [418, 429])
def test_a_refusal_of_the_address_that_answers_no_request_is_heard(status):
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            line = next(each for each in trader.roads.sockets if isinstance(each, ApiLine))
            error = {"code": BANNED[0], "msg": BANNED[1]}
            line.ears.on_frame(json.dumps({"id": None, "status": status, "error": error}).encode())

            assert bool(told(trader, AddressBanned)) == (status == 418)
            assert trader.venue.order_room_at(trader.clock.now()) > (BASE_MS + 59_000) * NS_PER_MS

        return trader

    assert not alone(main).wrong


@pytest.mark.parametrize("over_rest", [True, False])
@pytest.mark.parametrize(
    ("status", "code"), [(418, -1015), (418, -1003), (429, -1003), (400, -1003), (200, -1003)]
)
def test_a_refusal_of_the_address_holds_everything_back_however_it_is_written(
    status, code, over_rest
):
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            await asyncio.sleep(1.0)
            if over_rest:
                trader.roads.drop_api()
            ill = (status, (code, BANNED[1]))
            trader.roads.rest_ill = trader.roads.api_ill = lambda method: ill
            trader.place(is_algo=False)
            await asyncio.sleep(1.7)
            sent = len(trader.floor.log)
            trader.cancel(trader.asked[0])
            await asyncio.sleep(10.0)

            assert len(trader.floor.log) == sent
            assert bool(told(trader, AddressBanned)) == (status == 418)
        return trader

    assert not alone(main).wrong


def test_a_count_is_measured_by_the_limit_that_the_same_answer_tells():
    """It was more than the limit that was known, and not believed."""

    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            row = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
            told_of = ({**row, "limit": 6000, "count": 5999},)
            trader.roads.rate_limits = lambda sent: told_of
            trader.place(is_algo=False)
            await asyncio.sleep(2.0)

            budget, now = trader.venue._asker.budget, trader.clock.now()
            assert budget.used(now)["weight of a minute"] >= 5999
        return trader

    assert not alone(main).wrong


COUNTDOWN = "POST /fapi/v1/countdownCancelAll"


def test_entries_that_come_and_go_wind_no_countdown_each():
    """An order a second took half of the weight of a minute, and audits found none."""

    async def main(loop, lots):
        async with joined(loop, lots, dead_man=(60,)) as trader:
            for _ in range(40):
                trader.place(is_algo=False)
                await asyncio.sleep(1.0)
                for each in [o for o in trader.floor.orders.values() if o.is_open]:
                    trader.floor.fill(each)
                await asyncio.sleep(1.0)

            wound = sum(sent.method == COUNTDOWN for sent in trader.floor.log)
            assert 1 <= wound <= 2 * (loop.time() / (60 / BEATS) + 1)
            await trader.settle()
        return trader

    assert not alone(main).wrong


def test_a_session_is_logged_on_once_a_ban_is_over():
    async def main(loop, lots):
        async with joined(loop, lots, secret=ED25519) as trader:
            await asyncio.sleep(1.0)

            def ban(method):
                if method == "open":
                    budget, now = trader.venue._asker.budget, trader.clock.now()
                    budget.hear_refusal(418, now, retry_after_s=5.0)
                return ""

            trader.roads.api_ill = ban
            trader.roads.drop_api()
            await asyncio.sleep(10.0)
            logons = [sent.at for sent in trader.floor.log if sent.method == LOGON]

            assert len(logons) == 2
            assert logons[1] - logons[0] > 5.0
            trader.roads.api_ill = lambda method: ""
            await trader.settle()
        return trader

    assert not alone(main).wrong


def test_a_ban_that_answers_a_logon_is_heard():
    async def main(loop, lots):
        async with joined(loop, lots, secret=ED25519) as trader:
            trader.roads.api_ill = lambda method: BAN if method == LOGON else ""
            trader.roads.drop_api()
            await asyncio.sleep(5.0)
            sent = len(trader.floor.log)
            trader.place(is_algo=False)
            await asyncio.sleep(1.0)

            assert len(trader.floor.log) == sent
            trader.roads.api_ill = lambda method: ""
            await trader.settle()
        return trader

    assert not alone(main).wrong


@pytest.mark.parametrize(
    "text",
    [
        f'{{"id":1,"status":200,"result":{{"apiKey":"{KEY}","authorizedSi',
        f'{{"e":"listenKeyExpired","E":1,"listenKey" : "{KEY}',
        f"<p>/fapi/v1/order?symbol=BTCUSDT&signature={KEY}</p>",
        f"wss://venue/private/ws?listenKey={KEY} can't be had",
    ],
)
def test_what_is_quoted_of_the_venue_has_no_key_in_it(text):
    assert KEY not in quote(text)
    assert KEY not in quote(text.encode())
    assert KEY not in read_error(text).msg
    assert quote(text)[:8] == text[:8]


@pytest.mark.parametrize("secret", [SECRET, ED25519])
def test_an_api_whose_connection_breaks_with_each_order_is_left(secret):
    async def main(loop, lots):
        async with joined(loop, lots, secret=secret) as trader:
            await asyncio.sleep(1.0)
            trader.roads.api_ill = lambda method: "lost_with_all" if method == PLACE else ""
            for _ in range(FAILURES_MAX + 1):
                trader.place(is_algo=False)
                trader.place(is_algo=False)
                await asyncio.sleep(5.0)
            await trader.settle()
        return trader

    trader = alone(main)
    roads = [asked.sent[0].road for asked in trader.asked]
    assert roads == ["WS"] * 2 * FAILURES_MAX + ["REST"] * 2
    assert not trader.wrong


@pytest.mark.parametrize("secret", [SECRET, ED25519])
def test_an_api_that_answers_questions_and_fails_orders_is_left(secret):
    async def main(loop, lots):
        async with joined(loop, lots, secret=secret) as trader:
            await asyncio.sleep(1.0)
            trader.roads.api_ill = lambda method: GATEWAY if method == PLACE else ""
            trader.venue._rest.is_failing = True
            for _ in range(FAILURES_MAX + 1):
                trader.place(is_algo=False)
                await asyncio.sleep(2.0)
            await trader.settle()
        return trader

    trader = alone(main)
    roads = [asked.sent[0].road for asked in trader.asked]
    assert roads == ["WS"] * FAILURES_MAX + ["REST"]
    assert not trader.wrong


def test_what_became_of_a_triggered_stop_is_asked_of_its_child_where_rest_is_down():
    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            trader.place(is_algo=True)
            await asyncio.sleep(1.0)
            order = trader.floor.orders["hf.1.1.0.S.x"]
            trader.floor.trigger(order)
            await asyncio.sleep(0.3)
            assert order.child is not None
            trader.roads.rest_ill = lambda method: "unopened"
            trader.query(trader.asked[0])
            await asyncio.sleep(3.0)

            found = [m for m in told(trader, ExecutionReport) if m.exec_type is ExecType.STATUS]
            assert found[-1].venue_order_id == str(order.child.number)
            trader.roads.rest_ill = lambda method: ""
            await trader.settle()
        return trader

    assert not alone(main).wrong


@pytest.mark.parametrize("is_algo", [True, False])
def test_an_order_that_has_another_s_name_is_found_and_taken_back_by_its_number(is_algo):
    """What the session calls it (`order-N`) the exchange has never heard of."""

    async def main(loop, lots):
        async with joined(loop, lots) as trader:
            lots.random = lambda: 0.5  # a limit order, that rests
            trader.place(is_algo=is_algo)
            await asyncio.sleep(1.0)
            order = trader.floor.orders[trader.asked[0].name]
            number = str(order.number)
            where = {
                "account": MAIN,
                "symbol": "BTCUSDT",
                "cl_ord_id": ClOrdId(f"order-{number}"),
                "is_conditional": is_algo,
                "venue_order_id": number,
            }
            trader.heard.clear()
            trader.floor.note = lambda sent: None  # the session's word is that of no order of ours
            trader.venue.query(QueryOrder(**where))
            await asyncio.sleep(1.0)
            now, window = trader.clock.now(), int(WINDOW_S * NS_PER_S)
            trader.venue.cancel(CancelOrder(**where, ts=now, recv_window_ns=window))
            await asyncio.sleep(2.0)
            found.append((where["cl_ord_id"], order.is_open))
        return trader

    found: list[tuple[str, bool]] = []
    trader = alone(main)
    [(name, is_open)] = found
    answers = [(m.cl_ord_id, m.status) for m in told(trader, ExecutionReport)]
    assert not told(trader, OutcomeUnknown) + told(trader, RequestRefused)
    assert (name, OrderStatus.NEW) in answers
    assert (name, OrderStatus.CANCELED) in answers
    assert not is_open
