"""Isolated positions at the other venue, margin calls, and what it closes of itself in parts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.values import MAIN
from tests.other_venue.street import BTC
from tests.other_venue.test_depth import deep, is_protected


def same_margin(one, market):
    told = one.service.live.engine.core.market.isolated.get((MAIN, BTC))
    held = market.venue.books.position(BTC)
    return told is not None and (told.wallet, told.qty) == (held.margin, held.qty)


async def test_an_isolated_position_has_the_margin_that_the_venue_keeps(tmp_path):
    async with deep(tmp_path, "batched", "backwards", isolated=True) as (market, one):
        books = market.venue.books
        await one.service.place_order(BTC, "BUY", "0.009", stop_loss="49000")
        await one.until(lambda: is_protected(market))
        assert books.position(BTC).margin > 40
        await one.until(lambda: same_margin(one, market))
        market.call(lambda: books.fund(BTC, "0.001"))
        market.call(lambda: books.move_margin(BTC, "5"))
        await one.until(lambda: same_margin(one, market))
        await one.service.adjust_position(BTC, "0.003")
        await one.until(lambda: market.books()[1] == {BTC: Decimal("0.003")})
        await one.until(lambda: same_margin(one, market))
        await one.agree()
        market.call(lambda: books.move_margin(BTC, "-15.9"))
        await one.until(lambda: not market.books()[1])


PARTS = [("0.003", "48000"), ("0.002", "47990")]


def liquidate_some(books, parts, ends=True):
    if ends:
        books.end_orders(BTC)
    books.closed_by_venue(BTC, "autoclose-17" if ends else "adl_autoclose", parts)
    if ends:
        books.insured(BTC, "-3.5")


@pytest.mark.parametrize(
    ("way", "ends"),
    [("stream down", True), ("cross", False)],
    ids=["liquidated unheard", "deleveraged"],
)
async def test_what_is_left_behind_a_liquidation_of_some_has_its_stop(tmp_path, way, ends):
    habits = ("batched", "backwards", "taken_over_words")
    async with deep(tmp_path, *habits, isolated=way != "cross") as (market, one):
        told: list = []
        one.service.event_bus.subscribe("alarm.raised", told.append)
        await one.service.place_order(BTC, "BUY", "0.009", stop_loss="47000", take_profit="51000")
        await one.until(lambda: is_protected(market))
        await one.agree()
        market.call(lambda: market.venue.books.call_margin(BTC))
        await one.until(lambda: told)
        if way == "stream down":
            market.close("users", 1001)
        market.call(lambda: liquidate_some(market.venue.books, PARTS, ends))
        await one.until(lambda: market.books()[1] == market.protected() == {BTC: Decimal("0.004")})
        await one.agree()
        market.call(lambda: liquidate_some(market.venue.books, [("0.004", "47980")], ends))
        await one.until(lambda: not market.books()[2])
        await one.agree()
        assert {each.code for each in told} >= {"margin_call", "closed_by_venue"}
