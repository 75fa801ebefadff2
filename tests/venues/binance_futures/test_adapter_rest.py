"""Orders over REST against a server that answers what the test says."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
from decimal import Decimal

import pytest
from aiohttp import web

from holdfast.model.messages import (
    ExecType,
    ExecutionReport,
    OrderNotFound,
    OutcomeUnknown,
    Request,
    RequestRefused,
)
from holdfast.model.values import (
    NS_PER_MS,
    NS_PER_S,
    ClOrdId,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
)
from holdfast.ports import NOT_CONNECTED, TOO_LATE
from holdfast.runtime.clock import WallClock
from holdfast.venues.binance_futures import asking, net, rest
from holdfast.venues.binance_futures.codec import reads
from holdfast.venues.binance_futures.turns import ENTRIES_MAX
from holdfast.venues.limits import Urgency
from tests.venues.binance_futures.adapter_desk import (
    BTC,
    KEY,
    SECRET,
    ack,
    cancel,
    desk,
    listening,
    market_order,
    order,
    query,
    scripted,
    submit,
    until,
)

ORDER = "POST__/fapi/v1/order"
BACKOFF_NS = 2 * NS_PER_MS

UNKNOWN = (
    503,
    {"code": -1000, "msg": "Unknown error, please check your request or try again later."},
)
UNAVAILABLE = (503, "Service Unavailable.")
THROTTLED = (503, {"code": -1008, "msg": "Request throttled by system-level protection."})


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Back off as long as the table says, but no longer than a test may."""
    monkeypatch.setattr(asking, "backoff_ns", lambda first, attempt, random: BACKOFF_NS)


async def submitted(*answers, window_s=5.0, retry_attempts=3):
    async with (
        scripted(**{ORDER: list(answers)}) as server,
        desk(server.url, retry_attempts=retry_attempts) as one,
    ):
        command = submit(market_order(), window_s=window_s)
        one.orders.submit(command)
        await one.done()
    return one, server, command


async def test_acknowledged_order_is_reported_new_with_the_venues_id():
    one, server, _command = await submitted((200, ack()))

    (report,) = one.heard
    assert report.exec_type is ExecType.NEW
    assert report.status is OrderStatus.NEW
    assert report.venue_order_id == "77"
    assert len(server.requests) == 1


async def test_commands_own_times_go_on_the_wire():
    _, server, command = await submitted((200, ack()))

    params = server.requests[0][2]
    assert params["timestamp"] == str(command.ts // NS_PER_MS)
    assert params["recvWindow"] == "5000"
    assert params["newClientOrderId"] == command.order.cl_ord_id


async def test_documented_refusal_rejects_the_order_with_code_and_text():
    one, server, _ = await submitted((400, {"code": -2019, "msg": "Margin is insufficient."}))

    (report,) = one.heard
    assert report.status is OrderStatus.REJECTED
    assert (report.code, report.reason) == (-2019, "Margin is insufficient.")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        UNKNOWN,
        (408, {"code": -1007, "msg": "Timeout waiting for response from backend server."}),
        (503, {"code": -1006, "msg": "An unexpected response was received."}),
        (400, '{"code":-10'),
        (400, "<html>Bad Request</html>"),
        (502, "<html>bad gateway</html>"),
        (200, "not json at all"),
        "reset",
    ],
    ids=["503 unknown", "408", "-1006", "torn 400", "page", "502", "torn answer", "reset"],
)
async def test_unknown_outcome_leaves_the_order_in_doubt_and_is_never_sent_again(answer):
    one, server, command = await submitted(answer, (200, ack()))

    (unknown, *_) = one.heard
    assert isinstance(unknown, OutcomeUnknown)
    assert unknown.request is Request.SUBMIT
    assert unknown.cl_ord_id == command.order.cl_ord_id
    assert len(server.requests) == 1


async def test_answer_about_another_order_leaves_ours_in_doubt():
    one, server, _ = await submitted((200, ack("hf.1.9.0.E.x")))

    (unknown, *_) = one.heard
    assert isinstance(unknown, OutcomeUnknown)
    assert "hf.1.9.0.E.x" in unknown.reason
    assert len(server.requests) == 1


async def test_query_answered_about_another_order_tells_nothing():
    async with (
        scripted(**{"GET__/fapi/v1/order": [(200, ack("hf.1.9.0.E.x"))]}) as server,
        desk(server.url) as one,
    ):
        one.orders.query(query("hf.1.1.0.E.x"))
        await one.done()

        assert one.heard == []


async def test_silence_after_the_write_leaves_the_order_in_doubt(monkeypatch):
    monkeypatch.setattr(rest, "ANSWER_S", 0.2)
    async with scripted(**{ORDER: ["hang"]}) as server, desk(server.url) as one:
        one.orders.submit(submit(market_order()))
        await one.done()

        assert isinstance(one.heard[0], OutcomeUnknown)
        assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [UNAVAILABLE, THROTTLED], ids=["unavailable", "throttled"])
async def test_what_was_surely_not_executed_is_sent_again_under_the_same_id_and_time(answer):
    one, server, _ = await submitted(answer, answer, (200, ack()))

    assert one.heard[0].status is OrderStatus.NEW
    assert len(server.requests) == 3
    assert len({(p["newClientOrderId"], p["timestamp"]) for _, _, p in server.requests}) == 1


async def _with_entries_under_way(server, one, count=net.CONNECTIONS_MAX, window_s=5.0):
    """Submit entries of which none is answered, and wait until as many as may have left."""
    for number in range(1, count + 1):
        name = f"hf.1.{number}.0.E.x"
        one.orders.submit(submit(market_order(name), window_s=window_s))
    await until(lambda: len(server.requests) == ENTRIES_MAX)


async def test_a_stop_and_a_cancel_do_not_wait_behind_entries_without_answers(monkeypatch):
    monkeypatch.setattr(net, "CONNECT_S", 0.5)
    answers = {ORDER: ["hang"] * 99, "DELETE__/fapi/v1/order": [(200, ack())]}
    async with scripted(**answers) as server, desk(server.url) as one:
        await _with_entries_under_way(server, one)
        stop = order(
            "hf.1.99.1.S.x",
            OrderType.STOP_MARKET,
            side=Side.SELL,
            role=OrderRole.STOP_LOSS,
            trigger_price=Decimal(48_000),
        )
        one.orders.submit(submit(stop))
        one.orders.cancel(cancel("hf.1.1.0.E.x"))
        await until(lambda: len(server.requests) == ENTRIES_MAX + 2)

        paths = {(verb, path) for verb, path, _ in server.requests[ENTRIES_MAX:]}
        assert paths == {("POST", "/fapi/v1/algoOrder"), ("DELETE", "/fapi/v1/order")}
        await _cancelled(one)


async def test_an_entry_that_finds_no_connection_by_its_fence_was_not_sent():
    async with scripted(**{ORDER: ["hang"] * 99}) as server, desk(server.url) as one:
        await _with_entries_under_way(server, one, ENTRIES_MAX, window_s=30.0)
        one.orders.submit(submit(market_order("hf.1.98.0.E.x"), window_s=0.3))
        await until(lambda: one.heard)

        [told] = one.heard
        assert (told.cl_ord_id, told.status) == ("hf.1.98.0.E.x", OrderStatus.REJECTED)
        assert told.reason.startswith(NOT_CONNECTED)
        assert len(server.requests) == ENTRIES_MAX
        await _cancelled(one)


async def test_entries_whose_waits_were_cut_off_give_their_places_back():
    async with (
        scripted(**{ORDER: ["hang"] * 25 + [(200, ack())]}) as server,
        desk(server.url) as one,
    ):
        await _with_entries_under_way(server, one, 25)
        await _cancelled(one)
        server.answers[ORDER.replace("__", " ")] = [(200, ack())]
        one.orders.submit(submit(market_order()))
        await until(
            lambda: any(getattr(each, "status", "") is OrderStatus.NEW for each in one.heard)
        )


async def _cancelled(one):
    for task in one.tasks:
        task.cancel()
    await asyncio.gather(*one.tasks, return_exceptions=True)
    one.tasks.clear()


async def test_proxys_page_does_not_have_an_order_sent_again():
    page = "<html><body><h1>503 Service Unavailable</h1>No server is available.</body></html>"
    one, server, _ = await submitted((503, page), (200, ack()))

    assert [type(each) for each in one.heard] == [OutcomeUnknown]
    assert len(server.requests) == 1


async def test_tries_are_bounded_and_then_the_order_is_rejected():
    one, server, _ = await submitted(UNAVAILABLE, retry_attempts=2)

    assert one.heard[0].status is OrderStatus.REJECTED
    assert len(server.requests) == 3


async def test_nothing_leaves_at_or_past_the_fence():
    async with scripted(**{ORDER: [(200, ack())]}) as server, desk(server.url) as one:
        late = WallClock().now() - 6_000 * NS_PER_MS
        one.orders.submit(submit(market_order(), ts=late))
        await one.done()

        assert one.heard[0].status is OrderStatus.REJECTED
        assert "not sent" in one.heard[0].reason
        assert server.requests == []


async def test_what_came_off_the_journal_past_its_fence_is_told_as_that():
    """The limits have room: who reads of none would look in the wrong place."""
    late = WallClock().now() - 6_000 * NS_PER_MS
    async with scripted() as server, desk(server.url) as one:
        one.orders.submit(submit(market_order(), ts=late))
        one.orders.cancel(cancel("hf.1.2.0.E.x", ts=late))
        await one.done()

        assert {each.reason for each in one.heard} == {TOO_LATE}


async def test_no_try_is_made_that_would_leave_past_the_fence(monkeypatch):
    monkeypatch.setattr(asking, "backoff_ns", lambda first, attempt, random: 10**9)
    one, server, _ = await submitted(UNAVAILABLE, window_s=0.5)

    assert one.heard[0].status is OrderStatus.REJECTED
    assert len(server.requests) == 1


async def test_refused_connection_is_tried_again_and_then_rejected_as_not_sent():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with desk(url) as one:
        one.orders.submit(submit(market_order()))
        await one.done()

        (report,) = one.heard
        assert report.status is OrderStatus.REJECTED
        assert report.reason.startswith("not sent")
        assert one.outcomes[0].failure == "venue"


async def test_order_outside_the_time_window_is_rejected_and_the_clock_measured():
    one, server, _ = await submitted((400, {"code": -1021, "msg": "outside of the recvWindow"}))

    assert one.heard[0].code == -1021
    assert one.outcomes[0].then.value == "SYNC_CLOCK"
    assert len(server.requests) == 1


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_exit_outside_the_time_window_is_sent_once_more_and_no_oftener(times):
    refusal = (400, {"code": -1021, "msg": "outside of the recvWindow"})
    answers = [*[refusal] * times, (200, ack())]
    async with scripted(**{ORDER: answers}) as server, desk(server.url) as one:
        one.orders.submit(submit(market_order(reduce_only=True)))
        await one.done()

        assert [p["newClientOrderId"] for _, _, p in server.requests] == ["hf.1.1.0.E.x"] * 2
        assert [m.status for m in one.heard] == [
            OrderStatus.NEW if times == 1 else OrderStatus.REJECTED
        ]


@pytest.mark.parametrize(
    ("window_s", "late_s", "unsure_s"), [(0.2, 0.3, 0), (5, 0, 10)], ids=["past fence", "unsure"]
)
async def test_exit_is_not_sent_again_where_its_fence_would_not_hold(window_s, late_s, unsure_s):
    refusal = (400, {"code": -1021, "msg": "outside of the recvWindow"})
    async with scripted(**{ORDER: [refusal]}) as server, desk(server.url) as one:
        measure = one.asker.sync_clock

        async def measured():
            await asyncio.sleep(late_s)
            await measure()
            one.asker.offset.error_ns += unsure_s * NS_PER_S

        one.asker.sync_clock = measured
        one.orders.submit(submit(market_order(reduce_only=True), window_s=window_s))
        await one.done()

        assert len(server.requests) == 1
        assert one.heard[0].status is OrderStatus.REJECTED


async def test_nothing_that_adds_risk_leaves_while_our_clock_is_off_and_exits_do():
    answers = [(200, ack("hf.1.2.0.E.x")), (200, ack("hf.1.3.0.E.x", orderId=78))]
    async with scripted(**{ORDER: answers}) as server, desk(server.url) as one:
        now = one.clock.now()
        one.asker.offset.hear(now, now, (now - 3 * 10**9) // NS_PER_MS)
        one.orders.submit(submit(market_order()))
        one.orders.submit(submit(market_order("hf.1.2.0.E.x", reduce_only=True)))
        await one.done()
        refused, taken = one.heard

        assert refused.status is OrderStatus.REJECTED
        assert "3.0 s ahead of" in refused.reason
        assert taken.status is OrderStatus.NEW
        assert [p["newClientOrderId"] for _, _, p in server.requests] == ["hf.1.2.0.E.x"]

        one.asker.offset.begin()
        one.asker.offset.hear(now, now, now // NS_PER_MS)
        one.orders.submit(submit(market_order("hf.1.3.0.E.x")))
        await one.done()

        assert one.heard[-1].status is OrderStatus.NEW


async def test_question_outside_the_time_window_is_asked_again_with_a_new_time():
    late = (400, {"code": -1021, "msg": "outside of the recvWindow"})
    async with (
        scripted(**{"GET__/fapi/v1/order": [late, (200, ack())]}) as server,
        desk(server.url) as one,
    ):
        one.orders.query(query("hf.1.1.0.E.x"))
        await one.done()

    assert one.heard[0].exec_type is ExecType.STATUS
    assert len(server.requests) == 2


async def test_after_429_nothing_leaves_before_the_time_that_the_venue_named():
    slow = (429, {"code": -1003, "msg": "Too many requests."}, {"Retry-After": "1"})
    async with scripted(**{ORDER: [slow, (200, ack())]}) as server, desk(server.url) as one:
        began = one.clock.now()
        one.orders.submit(submit(market_order()))
        await one.done()

        assert one.heard[0].status is OrderStatus.NEW
        assert one.clock.now() - began >= 1000 * NS_PER_MS
        assert len(server.requests) == 2


async def test_cancel_of_an_unknown_order_is_refused_so_that_the_engine_asks():
    body = {"code": -2011, "msg": "Unknown order sent."}
    async with (
        scripted(**{"DELETE__/fapi/v1/order": [(400, body)]}) as server,
        desk(server.url) as one,
    ):
        one.orders.cancel(cancel("hf.1.1.0.E.x"))
        await one.done()

    assert one.heard == [
        RequestRefused(
            symbol=BTC,
            cl_ord_id=ClOrdId("hf.1.1.0.E.x"),
            request=Request.CANCEL,
            code=-2011,
            reason="Unknown order sent.",
        )
    ]


async def test_cancel_whose_connection_breaks_is_in_doubt_and_not_repeated_by_the_client():
    """aiohttp repeats a DELETE on a kept connection that breaks, unless it is told not to."""
    place = "DELETE__/fapi/v1/order"
    async with (
        scripted(**{ORDER: [(200, ack())], place: ["reset"]}) as server,
        desk(server.url) as one,
    ):
        one.orders.submit(submit(market_order()))
        await one.done()
        one.orders.cancel(cancel("hf.1.1.0.E.x"))
        await one.done()

    assert isinstance(one.heard[-1], OutcomeUnknown)
    assert one.heard[-1].request is Request.CANCEL
    assert [verb for verb, _, _ in server.requests] == ["POST", "DELETE"]


async def test_absent_order_is_reported_with_the_time_of_the_question():
    body = {"code": -2013, "msg": "Order does not exist."}
    async with (
        scripted(**{"GET__/fapi/v1/order": [(400, body)]}) as server,
        desk(server.url) as one,
    ):
        before = one.clock.now()
        one.orders.query(query("hf.1.1.0.E.x"))
        await one.done()

    (answer,) = one.heard
    assert isinstance(answer, OrderNotFound)
    assert before <= answer.asked_ts <= one.clock.now()
    assert server.requests[0][2]["origClientOrderId"] == "hf.1.1.0.E.x"


GONE = (400, {"code": -1121, "msg": "Invalid symbol."})


async def test_order_is_not_taken_for_gone_for_a_moments_gap_in_the_contracts(monkeypatch):
    monkeypatch.setattr(asking, "SECOND_LOOK_S", 0.05)
    script = {"GET__/fapi/v1/order": [GONE, (200, ack())]}
    async with scripted(**script) as server, desk(server.url) as one:
        one.orders.query(query("hf.1.1.0.E.x"))
        await one.done()

    [found] = one.heard
    assert isinstance(found, ExecutionReport)
    assert found.status is OrderStatus.NEW


async def test_order_whose_contract_is_gone_twice_is_gone(monkeypatch):
    monkeypatch.setattr(asking, "SECOND_LOOK_S", 0.05)
    script = {"GET__/fapi/v1/order": [GONE]}
    async with scripted(**script) as server, desk(server.url) as one:
        one.orders.query(query("hf.1.1.0.E.x"))
        await one.done()

    assert [type(each) for each in one.heard] == [OrderNotFound]
    assert len(server.requests) == 2


async def test_same_question_is_not_asked_twice_at_once():
    async with (
        scripted(**{"GET__/fapi/v1/order": [(200, ack())]}) as server,
        desk(server.url) as one,
    ):
        for _ in range(3):
            one.orders.query(query("hf.1.1.0.E.x"))
        await one.done()

    assert len(server.requests) == 1


def algo(status="NEW", child=""):
    return {
        "algoId": 9,
        "clientAlgoId": "hf.1.2.1.S.x",
        "algoStatus": status,
        "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "0.01",
        "triggerPrice": "44000",
        "actualOrderId": child,
        "reduceOnly": True,
        "updateTime": 1_700_000_000_000,
    }


async def test_stop_goes_to_the_algo_service_and_is_asked_after_there():
    places = {
        "POST__/fapi/v1/algoOrder": [(200, algo())],
        "GET__/fapi/v1/algoOrder": [(200, algo())],
    }
    stop = order(
        "hf.1.2.1.S.x",
        OrderType.STOP_MARKET,
        side=Side.SELL,
        role=OrderRole.STOP_LOSS,
        trigger_price=Decimal(44000),
        reduce_only=True,
    )
    async with scripted(**places) as server, desk(server.url) as one:
        one.orders.submit(submit(stop))
        await one.done()
        one.orders.query(query(stop.cl_ord_id, is_conditional=True))
        await one.done()

        placed, status = one.heard
        assert placed.exec_type is ExecType.NEW
        assert status.exec_type is ExecType.STATUS
        assert status.asked_ts
        assert server.requests[0][2]["clientAlgoId"] == stop.cl_ord_id


async def test_triggered_stop_is_asked_after_as_its_child():
    places = {
        "GET__/fapi/v1/algoOrder": [(200, algo("TRIGGERED", "501"))],
        "GET__/fapi/v1/order": [
            (200, ack("x", "FILLED", orderId=501, executedQty="0.01", side="SELL"))
        ],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        one.orders.query(query("hf.1.2.1.S.x", is_conditional=True))
        await one.done()

        (report,) = one.heard
        assert report.cl_ord_id == "hf.1.2.1.S.x"
        assert report.status is OrderStatus.FILLED
        assert report.cum_qty == Decimal("0.01")
        assert server.requests[1][2]["orderId"] == "501"


async def test_child_that_is_not_shown_yet_leaves_the_stop_triggered():
    places = {
        "GET__/fapi/v1/algoOrder": [(200, algo("TRIGGERED", "501"))],
        "GET__/fapi/v1/order": [(400, {"code": -2013, "msg": "Order does not exist."})],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        one.orders.query(query("hf.1.2.1.S.x", is_conditional=True))
        await one.done()

        (report,) = one.heard
        assert isinstance(report, ExecutionReport)
        assert report.status is OrderStatus.TRIGGERED
        assert report.asked_ts


@pytest.mark.parametrize("child", ["501", ""])
@pytest.mark.parametrize(
    ("ago_s", "status"), [(0.2, OrderStatus.TRIGGERED), (2.5, OrderStatus.TRIGGERED), (60, None)]
)
async def test_finished_stop_is_gone_with_its_child_once_that_would_be_shown(ago_s, status, child):
    """2 s the answers may trail, and 1 s the clocks may be off."""
    told_ms = WallClock().now() // NS_PER_MS - int(ago_s * 1000)
    places = {
        "GET__/fapi/v1/algoOrder": [(200, algo("FINISHED", child) | {"updateTime": told_ms})],
        "GET__/fapi/v1/order": [(400, {"code": -2013, "msg": "Order does not exist."})],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        one.orders.query(query("hf.1.2.1.S.x", is_conditional=True))
        await one.done()

        (told,) = one.heard
        assert getattr(told, "status", None) is status
        assert isinstance(told, OrderNotFound) is (status is None)
        if status is not None:
            assert not told.asked_ts  # no proof that it is open: what counts as over stays so


async def test_key_and_secret_are_in_no_text(caplog):
    caplog.set_level(logging.DEBUG)
    one, _server, _ = await submitted("reset", UNKNOWN)
    locked, _, _ = await submitted(
        (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions."})
    )

    shown = f"{one.heard} {one.outcomes} {locked.heard} {locked.outcomes} {caplog.text}"
    shown += repr(one.asker.road) + repr(one.orders)
    assert KEY not in shown
    assert SECRET not in shown
    assert locked.outcomes[0].failure == "auth"


async def test_order_counts_as_left_when_it_was_written_not_when_its_task_came_to_run():
    """Else an event that is heard in between is waited for in vain, and its stream given up."""
    heard_since: list[float] = []

    def start_late(work):
        async def late():
            await asyncio.sleep(0.2)
            await work

        return one._start(late())

    async with scripted(**{ORDER: [(200, ack())]}) as server, desk(server.url) as one:
        one.orders._doors = dataclasses.replace(
            one.orders._doors, start=start_late, acknowledged=heard_since.append
        )
        before = asyncio.get_running_loop().time()
        one.orders.submit(submit(market_order()))
        after = asyncio.get_running_loop().time()
        await one.done()

    assert before <= heard_since[0] <= after


# Answers that are none


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<html>moved</html>", None),
        ("", None),
        ("null", None),
        ('"OK"', None),
        ('{"code":-1001,"msg":"Internal error."}', -1001),
        ('\n {"msg": "no", "code": -2019}', -2019),
    ],
)
async def test_success_whose_body_is_none_is_a_failure(body, code):
    reply = await replied(body)

    assert (reply.is_ok, reply.code) == (False, code)


@pytest.mark.parametrize("body", ["[]", "{}", ' {"code":200,"msg":"done"}', '[{"code":-2011}]'])
async def test_success_that_says_so_is_one(body):
    assert (await replied(body)).is_ok


async def replied(body):
    place = {"GET__/fapi/v3/account": [(200, body)]}
    async with scripted(**place) as server, desk(server.url) as one:
        return await one.asker.road.send(reads.at(reads.account(), one.clock.now(), 5 * NS_PER_S))


async def test_question_whose_answer_is_none_is_asked_again():
    answers = [(200, ""), (200, "<html>"), (200, ack())]
    async with scripted(**{"GET__/fapi/v1/order": answers}) as server, desk(server.url) as one:
        one.orders.query(query("hf.1.1.0.E.x"))
        await one.done()

        assert [m.status for m in one.heard] == [OrderStatus.NEW]


async def test_order_whose_answer_is_none_is_in_doubt_and_not_sent_again():
    async with scripted(**{ORDER: [(200, "<html>")]}) as server, desk(server.url) as one:
        one.orders.submit(submit(market_order()))
        await one.done()

        assert [type(m) for m in one.heard] == [OutcomeUnknown]
        assert len(server.requests) == 1


@pytest.mark.parametrize("urgency", [Urgency.AUDIT, Urgency.RESOLVE])
async def test_an_exit_and_a_question_do_not_wait_behind_reads(urgency):
    """A look at the books of many symbols, or questions after many orders, take their time."""
    found = ack("hf.1.2.0.E.x", "FILLED", executedQty="0.01")
    script = {
        "GET__/fapi/v1/openOrders": ["hang"],
        "GET__/fapi/v1/order": [(200, found)],
        ORDER: [(200, ack(side="SELL", reduceOnly=True))],
    }
    async with scripted(**script) as server, desk(server.url) as one:
        slow = [
            asyncio.create_task(one.asker.read(reads.open_orders(BTC), urgency=urgency))
            for _ in range(60)
        ]
        await until(lambda: len(server.requests) >= 10)
        one.orders.submit(submit(market_order(side=Side.SELL, reduce_only=True)))
        if urgency is not Urgency.RESOLVE:
            one.orders.query(query("hf.1.2.0.E.x"))
        async with asyncio.timeout(3.0):
            await one.done()
        for each in slow:
            each.cancel()

    assert {report.status for report in one.heard} <= {OrderStatus.NEW, OrderStatus.FILLED}
    assert len(one.heard) == (1 if urgency is Urgency.RESOLVE else 2)


async def test_a_read_that_waited_for_its_turn_has_the_time_at_which_it_left():
    release = asyncio.Event()
    ages = []

    async def handler(request):
        if request.path.endswith("/time"):
            return web.json_response({"serverTime": WallClock().now() // NS_PER_MS})
        ages.append(WallClock().now() // NS_PER_MS - int(request.query["timestamp"]))
        await release.wait()
        return web.json_response([])

    async with listening(handler) as port, desk(f"http://127.0.0.1:{port}") as one:
        slow = [
            asyncio.create_task(one.asker.read(reads.open_orders(BTC), urgency=Urgency.AUDIT))
            for _ in range(60)
        ]
        await until(lambda: len(ages) >= 10)
        await asyncio.sleep(1.0)
        release.set()
        await asyncio.gather(*slow)

    assert len(ages) == 60
    assert max(ages) < 900
