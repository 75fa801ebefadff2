"""A market with depth at the other venue: orders fill in parts, over levels, bit by bit, or not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from holdfast.harness.ledger import Ledger
from holdfast.model.errors import VenueRefused
from holdfast.model.values import OrderStatus
from tests.other_venue.depth import LEVELS
from tests.other_venue.street import BTC, QUICK, session, street

ORDERS = ("batched backwards", "fills_first backwards late_events")
"""In which order the frames of a match come."""


@asynccontextmanager
async def deep(folder, *habits, **settings):
    """Trade where there is depth; in the end each execution is booked once, and nothing else."""
    with street("depth", *habits) as market:
        async with session(folder, market, disabled=("duplicate",), **QUICK, **settings) as one:
            yield market, one
            await one.agree()
            assert one.status == "RUNNING"
            await one.until(lambda: not one.state.differences)
            names = market.names_placed()
            assert len(names) == len(set(names))
            await one.until(lambda: booked(folder) == executed(market))


def booked(folder):
    ledger = Ledger(f"sqlite:///{folder}/holdfast.db")
    ledger.read()
    return sorted(name for name, each in ledger.fills.items() for _ in each)


def executed(market):
    fills = market.call(lambda: list(market.venue.books.fills))
    return sorted((each.order.symbol, str(each.trade_id)) for each in fills)


def is_protected(market):
    return market.protected() == market.books()[1] != {}


@pytest.mark.parametrize("habits", ORDERS)
async def test_what_fills_in_parts_is_booked_once_and_protected_all_the_way(tmp_path, habits):
    """Over several levels, bit by bit at rest, by a target and by a stop that runs out of takers."""
    async with deep(tmp_path, *habits.split()) as (market, one):
        await one.service.place_order(BTC, "BUY", "0.009", stop_loss="49000", take_profit="50500")
        await one.until(lambda: is_protected(market))
        assert len(executed(market)) == 3
        await one.agree()
        market.venue.books.part = Decimal("0.1")
        await one.service.place_order(BTC, "BUY", "0.02", "LIMIT", "49900", stop_loss="49000")
        market.price(49_899)
        await one.until(lambda: market.books()[1] == {BTC: Decimal("0.029")})
        await one.until(lambda: is_protected(market))
        await one.agree()
        market.call(lambda: run_to_and_fro(market.venue.books))
        await one.until(lambda: not market.books()[1] and not market.books()[2])


def run_to_and_fro(books):
    """Touch the target, fill some of it, and fall through the stop before anybody can act."""
    books.thin(2)
    books.price(BTC, 50_501)
    books.price(BTC, 48_900)
    books.thin(LEVELS)


async def test_what_may_not_rest_fills_as_far_as_it_may_and_no_further(tmp_path):
    async with deep(tmp_path) as (market, one):
        given = {"order_type": "LIMIT", "price": "50010", "stop_loss": "49000"}
        higher = {**given, "price": "50020"}
        await one.service.place_order(BTC, "BUY", "0.02", time_in_force="IOC", **given)
        await one.until(lambda: is_protected(market))
        assert market.books()[1] == {BTC: Decimal("0.005")}
        with pytest.raises(VenueRefused, match="FOK"):
            await one.service.place_order(BTC, "BUY", "0.02", time_in_force="FOK", **given)
        with pytest.raises(VenueRefused, match="Post Only"):
            await one.service.place_order(BTC, "BUY", "0.02", time_in_force="GTX", **higher)
        await one.agree()
        await one.service.place_order(BTC, "BUY", "0.004", time_in_force="FOK", **higher)
        await one.service.place_order(BTC, "BUY", "0.03", stop_loss="49000")  # takers for less
        assert Decimal("0.009") < market.books()[1][BTC] < Decimal("0.03")
        await one.until(lambda: is_protected(market))


async def test_what_rests_and_would_take_or_meet_its_own_account_ends_and_what_filled_has_its_stop(
    tmp_path,
):
    async with deep(tmp_path, "batched") as (market, one):
        books, given = market.venue.books, {"stop_loss": "48500"}
        order = await one.service.place_order(
            BTC, "BUY", "0.009", "LIMIT", "49900", time_in_force="GTX", **given
        )
        with pytest.raises(VenueRefused, match="the order had ended"):
            await one.service.modify_order(order.id, new_price="50020")
        order = await one.service.place_order(BTC, "BUY", "0.008", "LIMIT", "49900", **given)
        await one.agree()
        market.call(lambda: meet_oneself(books))
        await one.until(lambda: is_protected(market))
        await one.until(lambda: one.state.orders[order.id].status is OrderStatus.EXPIRED)


def meet_oneself(books):
    (order,) = books.open_orders()
    books._fill(order, Decimal("0.003"), order.price, is_maker=True)
    books.prevented(order, "TRADE_PREVENTION")
