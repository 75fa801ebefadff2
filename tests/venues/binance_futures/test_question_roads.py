"""Questions after orders: over REST, and over the WebSocket API where REST fails."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from holdfast.model.messages import ExecType, OrderNotFound
from holdfast.model.values import NS_PER_S, ClOrdId, OrderStatus, OrderType
from holdfast.venues.binance_futures import rest
from holdfast.venues.binance_futures.settings import endpoints
from tests.venues.binance_futures.adapter_desk import order, query, submit
from tests.venues.binance_futures.adapter_exchange import amount, joined, town
from tests.venues.binance_futures.adapter_mangler import Manner, mangled

E1, NOBODY = ClOrdId("hf.1.1.0.E.x"), ClOrdId("hf.1.9.0.E.x")


class Failing(Manner):
    """Fails what is asked over REST, once it is on."""

    def __init__(self, way, on="/"):
        super().__init__()
        self.way, self.on, self.is_on = way, on, False
        self.asked = []

    def instead(self, verb, path):
        self.asked.append(f"{verb} {path}")
        if not path.startswith(self.on):
            return None
        self.struck += 1
        return self.way


BROKEN = (502, b"<html>bad gateway</html>")


@asynccontextmanager
async def beside(manner, **settings):
    """An account whose REST goes through the manner, and its WebSocket API to the exchange."""
    async with town() as one, mangled(one.server.urls["rest"], manner) as proxy:
        api = one.server.urls["rest"].replace("http", "ws", 1) + "/ws-fapi/v1"
        where = endpoints(testnet=True, rest_url=proxy.url, ws_api_url=api)
        async with joined(one, where=where, **settings) as venue:
            await one.until(lambda: not venue._books.awaits)
            yield one, venue


async def resting(one, venue):
    venue.submit(submit(order(E1, OrderType.LIMIT, price=amount("49000"))))
    await one.report(E1, status=OrderStatus.NEW)
    await one.until(lambda: not venue._wire._pool.under_way)  # as the dead man's switch is
    one.heard.clear()


async def test_an_order_is_found_over_the_websocket_where_rest_fails():
    manner = Failing(BROKEN)
    async with beside(manner) as (one, venue):
        await resting(one, venue)
        manner.is_on = True
        asked_ts = one.core.now()
        venue.query(query(E1))
        found = await one.report(E1, exec_type=ExecType.STATUS)

        assert (found.status, manner.struck > 0) == (OrderStatus.NEW, True)
        assert found.asked_ts >= asked_ts


async def test_an_order_is_found_over_the_websocket_where_rest_does_not_answer(monkeypatch):
    monkeypatch.setattr(rest, "ANSWER_S", 0.3)
    manner = Failing(BROKEN, on="/nothing")
    manner.drip_s = 5.0
    async with beside(manner) as (one, venue):
        await resting(one, venue)
        manner.is_on = True
        venue.query(query(E1))
        found = await one.report(E1, exec_type=ExecType.STATUS)

        assert (found.status, "GET /fapi/v1/order" in manner.asked) == (OrderStatus.NEW, True)


async def test_an_unknown_order_is_so_from_when_the_question_left_that_was_answered(monkeypatch):
    """One that was lost on REST before proves nothing, nor does the time of the answer."""
    monkeypatch.setattr(rest, "ANSWER_S", 0.5)
    async with beside(Failing(BROKEN)) as (one, venue):
        one.goes_wrong("timeout_before", "GET /fapi/v1/order")
        one.goes_wrong("delay_answer", "GET /fapi/v1/order", delay_ms=800)
        began = one.core.now()
        venue.query(query(NOBODY))
        absent = await one.has(lambda m: isinstance(m, OrderNotFound))
        ended = one.core.now()

        assert absent.cl_ord_id == NOBODY
        assert began + 0.5 * NS_PER_S <= absent.asked_ts <= ended - 0.8 * NS_PER_S


async def test_where_rest_has_failed_before_a_question_begins_on_the_websocket():
    manner = Failing(BROKEN)
    async with beside(manner) as (one, venue):
        await resting(one, venue)
        manner.is_on = True
        venue.query(query(E1))
        await one.report(E1, exec_type=ExecType.STATUS)
        one.heard.clear()
        before = manner.asked.count("GET /fapi/v1/order")
        venue.query(query(E1))
        await one.report(E1, exec_type=ExecType.STATUS)

        assert manner.asked.count("GET /fapi/v1/order") == before


async def test_questions_take_rest_again_once_it_answers():
    manner = Failing(BROKEN)
    async with beside(manner) as (one, venue):
        await resting(one, venue)
        manner.is_on = True
        venue.query(query(E1))
        await one.report(E1, exec_type=ExecType.STATUS)
        manner.is_on, manner.on, manner.asked = True, "/nothing", []
        await one.snapshot(venue)
        one.heard.clear()
        venue.query(query(E1))
        await one.report(E1, exec_type=ExecType.STATUS)

        assert manner.asked.count("GET /fapi/v1/order") == 1


async def test_a_question_that_fails_on_the_websocket_is_asked_over_rest():
    manner = Failing(BROKEN)
    async with beside(manner) as (one, venue):
        await resting(one, venue)
        venue._rest.is_failing = True
        one.goes_wrong("service_unavailable", "GET /fapi/v1/order")
        manner.is_on, manner.on = True, "/nothing"
        venue.query(query(E1))
        await one.report(E1, exec_type=ExecType.STATUS)

        assert manner.asked.count("GET /fapi/v1/order") == 1


async def test_each_try_is_counted_whichever_road_it_takes():
    manner = Failing(BROKEN)
    async with beside(manner) as (one, venue):
        await resting(one, venue)
        await one.until(lambda: not venue._asker.awaits)
        used = venue._asker.budget.used(one.core.now())["weight of a minute"]
        manner.is_on = True
        venue.query(query(E1))
        await one.report(E1, exec_type=ExecType.STATUS)

        now_used = venue._asker.budget.used(one.core.now())["weight of a minute"]
        assert now_used == used + 2
        assert manner.struck == 1


@pytest.mark.parametrize("is_conditional", [True, False])
async def test_without_the_websocket_all_tries_take_rest(is_conditional):
    manner = Failing(BROKEN)
    async with beside(manner, orders_over_ws=is_conditional, retry_attempts=1) as (one, venue):
        manner.is_on = True
        venue.query(query(NOBODY, is_conditional=is_conditional))
        await one.until(lambda: manner.struck == 2)
        await one.until(lambda: not venue._asker.awaits and not venue._desk._asked_after)

        assert not [m for m in one.heard if isinstance(m, OrderNotFound)]
