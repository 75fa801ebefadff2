"""Conditional orders that trigger at the other venue: whose their children are, and what of them
is told, and when.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.values import OrderStatus
from tests.other_venue.street import BTC, QUICK, session, street


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
            if way == "fills first":
                market.venue.habits.add("children_first")
            else:
                market.close("users", 1001)
            market.price(48_900)

            await one.agree()
            await one.until(lambda: one.state.orders[stop].status is OrderStatus.FILLED)
            assert one.state.orders[stop].cum_qty == Decimal("0.01")
            market.price(50_000)
            await one.until(lambda: one.service.live.engine.core.market.price(BTC) == 50_000)
            await hold(one, market, "0.02")  # and no second stop beside it
            assert one.status == "RUNNING"
            assert not one.state.differences


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
