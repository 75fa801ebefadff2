"""The countdowns of the dead-man switch: who winds them, who lets them go, and at what price."""

from __future__ import annotations

import pytest

from holdfast.model.messages import ExecType
from holdfast.model.values import ClOrdId, OrderRole, OrderStatus, OrderType, Side
from tests.venues.binance_futures.adapter_desk import market_order, order, submit
from tests.venues.binance_futures.adapter_exchange import ACCOUNT, amount, joined, town

HELD, E1, X1, X2 = (
    ClOrdId(name) for name in ("hf.1.1.0.E.x", "hf.1.2.0.E.x", "hf.1.3.0.X.x", "hf.1.4.0.X.x")
)
WITH_AND_WITHOUT = pytest.mark.parametrize("dead_man_s", [120, 0], ids=["wound", "off"])


def entry():
    return order(E1, OrderType.LIMIT, price=amount("49000"))


def resting_exit(name=X1, kind=OrderType.LIMIT, **fields):
    fields |= {"side": Side.SELL, "role": OrderRole.EXIT, "reduce_only": True}
    return order(name, kind, price=amount("51000"), **fields)


async def killed_behind_a_countdown(one, *resting):
    """Leave a position, orders that close it, and a countdown whose entry has filled."""
    async with joined(one, dead_man_s=120) as venue:
        venue.submit(submit(market_order(HELD)))
        await one.report(HELD, status=OrderStatus.FILLED)
        venue.submit(submit(entry()))
        await one.until(lambda: one.core._countdowns)
        for each in resting:
            venue.submit(submit(each))
            await one.report(each.cl_ord_id, exec_type=ExecType.NEW)
        one.price(48_990.0)
        await one.report(E1, status=OrderStatus.FILLED)
        venue._hear = None  # killed: it lets go of nothing
    assert one.core._countdowns


@WITH_AND_WITHOUT
@pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.STOP])
async def test_countdown_of_a_killed_process_does_not_take_what_rests_behind_it(kind, dead_man_s):
    """The next one had no entry in the symbol: it neither wound the countdown nor let it go."""
    async with town() as one:
        more = {} if kind is OrderType.LIMIT else {"trigger_price": amount("48000")}
        await killed_behind_a_countdown(one, resting_exit(kind=kind, **more))
        async with joined(one, dead_man_s=dead_man_s) as venue:
            await one.snapshot(venue)

            await one.until(lambda: not one.core._countdowns)


@WITH_AND_WITHOUT
async def test_countdown_of_a_killed_process_does_not_take_what_is_sent_behind_it(dead_man_s):
    async with town() as one:
        await killed_behind_a_countdown(one)
        async with joined(one, dead_man_s=dead_man_s) as venue:
            await one.snapshot(venue)
            venue.submit(submit(resting_exit(X2)))

            await one.until(lambda: not one.core._countdowns)


async def test_countdown_of_a_killed_process_is_wound_on_where_an_entry_rests():
    async with town() as one:
        async with joined(one, dead_man_s=120) as venue:
            venue.submit(submit(entry()))
            await one.until(lambda: one.core._countdowns)
            venue._hear = None
        [wound] = one.core._countdowns._due.values()
        async with joined(one, dead_man_s=120) as venue:
            await one.snapshot(venue)

            await one.until(lambda: max(one.core._countdowns._due.values()) > wound)
            assert len(one.core.exchange.open_orders(ACCOUNT)) == 1


async def test_countdown_that_can_not_be_let_go_of_is_let_go_of_at_the_next_beat():
    async with town() as one:
        await killed_behind_a_countdown(one, resting_exit())
        place = "POST /fapi/v1/countdownCancelAll"
        one.goes_wrong("service_unavailable", place, count=4)
        async with joined(one, dead_man_s=4, retry_attempts=0) as venue:
            await one.snapshot(venue)

            await one.until(lambda: not one.core._countdowns)
