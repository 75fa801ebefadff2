"""Every fault that the exchange can make of a request: what is told, and what is true after it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.commands import ReplaceOrder
from holdfast.model.messages import ExecType, OrderNotFound, OutcomeUnknown, Request, RequestRefused
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    ClOrdId,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
)
from holdfast.runtime.clock import WallClock
from holdfast.venues.binance_futures import orders_ws, rest
from holdfast.venues.limits import Urgency
from tests.venues.binance_futures.adapter_desk import BTC, cancel, order, query, submit
from tests.venues.binance_futures.adapter_exchange import ACCOUNT, joined, town

E1, S1 = ClOrdId("hf.1.1.0.E.x"), ClOrdId("hf.1.2.1.S.x")
ROADS = pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])

DONE_UNKNOWN = ("unknown_executed", "status_unknown_executed", "timeout_after", "reset_after")
LOST_UNKNOWN = (
    "unknown_not_executed",
    "status_unknown_not_executed",
    "timeout_before",
    "reset_before",
)
SENT_AGAIN = ("banned", "overloaded")
LATE = ("delay", "delay_answer")
FAILED = ("internal_error", "service_unavailable")  # in words of which one does not make sure
OTHERS = ("bad_timestamp", "read_lag", "too_many_requests")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(rest, "ANSWER_S", 1.0)
    monkeypatch.setattr(orders_ws, "ANSWER_S", 1.0)


def resting(name=E1):
    return order(name, OrderType.LIMIT, price=Decimal(49_000))


def stop():
    return order(
        S1,
        OrderType.STOP_MARKET,
        side=Side.SELL,
        role=OrderRole.STOP_LOSS,
        trigger_price=Decimal(48_000),
        reduce_only=True,
    )


def amend(price="49100"):
    return ReplaceOrder(
        account=MAIN,
        symbol=BTC,
        cl_ord_id=E1,
        side=Side.BUY,
        qty=Decimal("0.01"),
        price=Decimal(price),
        ts=WallClock().now(),
        recv_window_ns=5 * NS_PER_S,
    )


def at_the_exchange(one):
    return {each.cl_ord_id for each in one.core.exchange.open_orders(ACCOUNT)}


@pytest.mark.parametrize("kind", DONE_UNKNOWN)
@ROADS
async def test_order_that_was_taken_without_a_word_is_in_doubt_and_found(kind, over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        one.goes_wrong(kind, "POST /fapi/v1/order")
        venue.submit(submit(resting()))
        await one.has(lambda m: isinstance(m, OutcomeUnknown) and m.request is Request.SUBMIT)
        venue.query(query(E1))
        await one.report(E1, exec_type=ExecType.STATUS, status=OrderStatus.NEW)

        assert at_the_exchange(one) == {E1}


@pytest.mark.parametrize("kind", [*LOST_UNKNOWN, *FAILED])
@ROADS
async def test_order_that_was_lost_without_a_word_is_in_doubt_and_absent(kind, over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        one.goes_wrong(kind, "POST /fapi/v1/order")
        venue.submit(submit(resting()))
        await one.has(lambda m: isinstance(m, OutcomeUnknown) and m.request is Request.SUBMIT)
        venue.query(query(E1))
        await one.has(lambda m: isinstance(m, OrderNotFound))

        assert at_the_exchange(one) == set()


@pytest.mark.parametrize("kind", [*SENT_AGAIN, *LATE])
@ROADS
async def test_order_that_was_put_off_arrives_once(kind, over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        one.goes_wrong(kind, "POST /fapi/v1/order", delay_ms=300)
        venue.submit(submit(resting()))
        await one.report(E1, status=OrderStatus.NEW)
        await one.until(lambda: not venue._desk._under_way)

        assert at_the_exchange(one) == {E1}
        assert not [m for m in one.heard if isinstance(m, OutcomeUnknown)]


@ROADS
async def test_order_that_came_too_late_is_rejected_and_nothing_rests(over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        one.goes_wrong("bad_timestamp", "POST /fapi/v1/order")
        venue.submit(submit(resting()))
        rejected = await one.report(E1, status=OrderStatus.REJECTED)

        assert rejected.code == -1021
        assert at_the_exchange(one) == set()


@ROADS
async def test_order_refused_for_its_weight_waits_as_told_but_never_past_its_fence(over_ws):
    """The exchange names the full minute: it may be near, or far behind the fence."""
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        one.goes_wrong("too_many_requests", "POST /fapi/v1/order")
        command = submit(resting())
        venue.submit(command)
        told = await one.has(lambda m: getattr(m, "cl_ord_id", None) == E1)

        now = one.core.now()
        assert venue._asker.budget.when((1, 0, 0), Urgency.PROTECT, command.ts) > command.ts
        if told.status is OrderStatus.REJECTED:
            assert told.code == -1003
            assert at_the_exchange(one) == set()
        else:
            assert now < command.ts + command.recv_window_ns + NS_PER_S


async def test_order_that_is_not_shown_yet_is_not_found_with_the_time_of_the_question():
    """The engine believes it only when it was asked after the fence."""
    async with town() as one, joined(one) as venue:
        one.goes_wrong("read_lag", "GET /fapi/v1/order", delay_ms=3000)
        command = submit(resting())
        venue.submit(command)
        await one.report(E1, status=OrderStatus.NEW)
        venue.query(query(E1))
        absent = await one.has(lambda m: isinstance(m, OrderNotFound))

        assert absent.asked_ts < command.ts + command.recv_window_ns


@pytest.mark.parametrize("kind", [*DONE_UNKNOWN, *LOST_UNKNOWN])
async def test_stop_in_doubt_is_asked_after_at_the_algo_service(kind):
    async with town() as one, joined(one) as venue:
        one.goes_wrong(kind, "POST /fapi/v1/algoOrder")
        venue.submit(submit(stop()))
        await one.has(lambda m: isinstance(m, OutcomeUnknown) and m.cl_ord_id == S1)
        venue.query(query(S1, is_conditional=True))
        if kind in DONE_UNKNOWN:
            await one.report(S1, exec_type=ExecType.STATUS, status=OrderStatus.NEW)
        else:
            await one.has(lambda m: isinstance(m, OrderNotFound))

        assert (S1 in at_the_exchange(one)) == (kind in DONE_UNKNOWN)


@pytest.mark.parametrize("kind", [*DONE_UNKNOWN, *LOST_UNKNOWN])
async def test_cancel_in_doubt_is_told_by_the_order(kind):
    async with town() as one, joined(one) as venue:
        venue.submit(submit(resting()))
        await one.report(E1, status=OrderStatus.NEW)
        one.goes_wrong("drop_frame", "ORDER_TRADE_UPDATE")  # the stream must not help
        one.goes_wrong(kind, "DELETE /fapi/v1/order")
        venue.cancel(cancel(E1))
        await one.has(lambda m: isinstance(m, OutcomeUnknown) and m.request is Request.CANCEL)
        venue.query(query(E1))
        told = await one.report(E1, exec_type=ExecType.STATUS)

        is_gone = kind in DONE_UNKNOWN
        assert told.status is (OrderStatus.CANCELED if is_gone else OrderStatus.NEW)


@pytest.mark.parametrize("kind", [*DONE_UNKNOWN, *LOST_UNKNOWN])
async def test_amendment_in_doubt_is_told_by_the_order(kind):
    async with town() as one, joined(one) as venue:
        venue.submit(submit(resting()))
        await one.report(E1, status=OrderStatus.NEW)
        one.goes_wrong(kind, "PUT /fapi/v1/order")
        venue.replace(amend())
        await one.has(lambda m: isinstance(m, OutcomeUnknown) and m.request is Request.REPLACE)
        venue.query(query(E1))
        told = await one.report(E1, exec_type=ExecType.STATUS)

        assert told.price == Decimal(49_100 if kind in DONE_UNKNOWN else 49_000)


async def test_amendment_that_changes_nothing_is_a_success():
    async with town() as one, joined(one) as venue:
        venue.submit(submit(resting()))
        await one.report(E1, status=OrderStatus.NEW)
        venue.replace(amend("49000"))
        told = await one.report(E1, exec_type=ExecType.REPLACED)

        assert told.price == Decimal(49_000)
        assert not [m for m in one.heard if isinstance(m, RequestRefused)]


# The stream


@pytest.mark.parametrize("kind", ["trade_lite_first", "events_before_reply", "duplicate_frame"])
async def test_fill_is_told_whatever_the_order_of_its_events(kind):
    async with town() as one, joined(one) as venue:
        one.goes_wrong(kind, "*", count=20)
        venue.submit(submit(order(E1, OrderType.MARKET)))
        fill = await one.report(E1, exec_type=ExecType.TRADE)
        await one.until(lambda: not venue._desk._under_way)

        fills = [m for m in one.heard if getattr(m, "exec_type", None) is ExecType.TRADE]
        assert {each.trade_id for each in fills} == {fill.trade_id}


# The switch


async def test_dead_mans_switch_takes_entries_back_and_leaves_stops_alone():
    async with town() as one, joined(one, dead_man_s=1) as venue:
        venue.submit(submit(order("hf.1.3.0.E.x", OrderType.MARKET)))
        await one.report("hf.1.3.0.E.x", status=OrderStatus.FILLED)
        venue.submit(submit(stop()))
        venue.submit(submit(resting()))
        await one.until(lambda: at_the_exchange(one) == {S1, E1} and one.core._countdowns)

        await venue._background.close()  # we fall silent

        await one.until(lambda: E1 not in at_the_exchange(one))
        assert at_the_exchange(one) == {S1}
        assert not one.core._countdowns


async def test_entry_that_is_not_shown_yet_stays_guarded():
    async with town() as one, joined(one, dead_man_s=2) as venue:
        one.goes_wrong("read_lag", "GET /fapi/v1/order", count=2, delay_ms=3000)
        venue.submit(submit(resting()))
        await one.report(E1, status=OrderStatus.NEW)
        await one.until(lambda: one.core._countdowns)
        for _ in range(2):
            one.heard.clear()
            venue.query(query(E1))
            await one.has(lambda m: isinstance(m, OrderNotFound))

        await venue._background.close()  # we fall silent

        assert one.core._countdowns
        await one.until(lambda: at_the_exchange(one) == set())


async def test_entry_that_never_arrived_is_let_go_once_that_is_sure():
    async with town() as one, joined(one, dead_man_s=4) as venue:
        one.goes_wrong("reset_before", "POST /fapi/v1/order")
        command = submit(resting(), window_s=0.2)
        venue.submit(command)
        await one.until(lambda: one.core._countdowns)
        sure_ts = command.ts + command.recv_window_ns + 2 * NS_PER_S
        await one.until(lambda: WallClock().now() > sure_ts)
        venue.query(query(E1))
        await one.has(lambda m: isinstance(m, OrderNotFound))

        await one.until(lambda: not one.core._countdowns)
