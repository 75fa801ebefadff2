"""Conditional orders that trigger at the other venue: whose their children are, and what of them
is told, and when.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest

from holdfast.harness.ledger import Ledger
from holdfast.model.values import OrderStatus
from tests.other_venue.street import BTC, QUICK, session, street
from tests.runtime.session_desk import crash_image

READ_AGAIN_S = 3.0
"""Executions that are older are not read again: longer than the fence and what lists trail."""


async def hold(one, market, qty="0.01"):
    """Hold so much, with a stop."""
    await one.service.place_order(BTC, "BUY", qty, stop_loss="49000")
    await one.until(lambda: market.protected() == market.books()[1] != {})
    await one.agree()


@pytest.mark.parametrize("way", ["fills first", "stream down"])
async def test_a_child_under_a_name_of_its_own_ends_its_parent_however_it_is_heard_of(
    tmp_path, way
):
    """That it goes by its parent's client id was seen, and is promised nowhere."""
    with street("other_child_names") as market:
        async with session(tmp_path, market) as one:
            await hold(one, market)
            stop = market.books()[2][0]
            told: list = []
            for topic in ("order.filled", "order.fill_recognized"):
                one.service.event_bus.subscribe(topic, told.append)
            if way == "fills first":
                market.venue.habits.add("children_first")
            else:
                market.close("users", 1001)
            market.price(48_900)

            await one.agree()
            await one.until(lambda: one.state.orders[stop].status is OrderStatus.FILLED)
            assert one.state.orders[stop].cum_qty == Decimal("0.01")
            await one.until(
                lambda: [f.qty for f in told if f.cl_ord_id == stop] == [Decimal("0.01")]
            )
            market.price(50_000)
            await one.until(lambda: one.service.live.engine.core.market.price(BTC) == 50_000)
            await hold(one, market, "0.02")  # and no second stop beside it
            assert one.status == "RUNNING"
            assert not one.state.differences


async def test_what_a_child_under_a_name_of_its_own_filled_while_nobody_ran_ends_its_parent(
    tmp_path,
):
    """Its executions are booked as somebody's before it is known whose child it is."""
    with street("other_child_names") as market:
        async with session(tmp_path, market, **QUICK) as one:
            await hold(one, market)
            stop = market.books()[2][0]
        market.price(48_900)
        await asyncio.sleep(READ_AGAIN_S)
        async with session(tmp_path, market, **QUICK) as one:
            await one.agree()
            assert one.state.orders[stop].status is OrderStatus.FILLED
            assert one.state.orders[stop].cum_qty == Decimal("0.01")
            assert not one.state.differences


async def test_a_child_that_was_taken_for_somebody_elses_is_no_order_beside_its_parent(tmp_path):
    """Its fill is heard, then that it is there, then whose it is; its end is lost."""
    with street("other_child_names", "children_first", "fills_first") as market:
        async with session(tmp_path, market, **QUICK) as one:
            await hold(one, market)
            stop = market.books()[2][0]
            lose_what_follows_a_new_order(market.venue)
            market.price(48_900)

            await one.until(lambda: one.state.orders[stop].cum_qty == Decimal("0.01"))
            await one.agree()
            assert one.status == "RUNNING"


def lose_what_follows_a_new_order(venue):
    """Lose what is told of an order once it was told to be there."""
    send, known = venue._send_user, set()

    def send_some(text):
        order = json.loads(text).get("o", {})
        if order.get("i") not in known:
            send(text)
        if order.get("x") == "NEW":
            known.add(order["i"])

    venue._send_user = send_some


@pytest.mark.parametrize("how", ["told", "silent"])
async def test_a_stop_whose_child_the_venue_refused_is_followed_by_a_close(tmp_path, how):
    """Silent: the conditional order is said to have finished, and no child is named."""
    habits = {"refuses_children", *(["silent_refusals"] if how == "silent" else [])}
    with street(*habits) as market:
        async with session(tmp_path, market, **QUICK) as one:
            await hold(one, market)
            market.price(48_900)

            await one.until(lambda: not market.books()[1] and not market.books()[2])
            await one.agree()
            assert one.status == "RUNNING"


@pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
async def test_a_child_that_rests_under_a_name_of_its_own_is_taken_back(tmp_path, over_ws):
    with street("other_child_names") as market:
        given = {"over_ws": over_ws, **QUICK}
        async with session(tmp_path, market, **given) as one:
            order = await rest_as_child(one, market)
            await one.service.cancel_order(order.id)
            await one.agree()
            assert market.books()[2] == []
            await rest_as_child(one, market, "0.02")
            assert one.status == "RUNNING"
        # an orderly stop has taken it back
        assert market.books()[2] == []


async def test_a_child_that_rests_under_a_name_of_its_own_is_taken_back_by_the_next_process(
    tmp_path,
):
    with street("other_child_names") as market:
        async with session(tmp_path / "one", market, **QUICK) as one:
            order = await rest_as_child(one, market)
            image = crash_image(tmp_path / "one", tmp_path / "next")
            async with session(image, market, **QUICK) as following:
                await following.service.cancel_order(order.id)
                await following.agree()
                assert market.books()[2] == []
        assert alarms_of(image) == []  # it is nobody else's


@pytest.mark.parametrize(
    ("way", "policy"),
    [("children first", "halt"), ("stream down", "cancel")],
)
async def test_a_child_that_is_met_before_its_parent_is_asked_is_nobody_else_s(
    tmp_path, way, policy
):
    habits = ["children_first"] if way == "children first" else []
    with street("other_child_names", *habits) as market:
        async with session(tmp_path, market, foreign_order_policy=policy, **QUICK) as one:
            order = await rest_as_child(one, market, cut=way == "stream down")
            await one.running()
            await one.agree()
            assert market.books()[2] == [order.id]
            market.call(
                lambda: market.venue.books.placed_by_hand(BTC, "BUY", "0.01", "LIMIT", "50050")
            )
            await one.until(lambda: len(one.state.orders) == 2)  # another like it is a stranger's
        assert set(alarms_of(tmp_path)) <= {"link_down", "order_adopted", "session_error"}


def alarms_of(folder):
    ledger = Ledger(f"sqlite:///{folder}/holdfast.db")
    ledger.read()
    return [each.code for each in ledger.alarms]


async def rest_as_child(one, market, qty="0.01", *, cut=False):
    """Let an entry trigger above its limit: what it becomes rests."""
    market.price(50_000)
    given = {"trigger_price": "50100", "stop_loss": "48000"}
    await one.until(lambda: one.service.live.engine.core.market.price(BTC) == 50_000)
    order = await one.service.place_order(BTC, "BUY", qty, "STOP", "50050", **given)
    if cut:
        market.close("users", 1001)
    market.price(50_110)
    await one.until(lambda: one.state.orders[order.id].status is OrderStatus.TRIGGERED)
    return order
