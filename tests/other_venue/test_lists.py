"""What the other venue lists: pages that are cut at either end, numbers that each symbol has of
its own.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.venues.binance_futures.codec import user_events, wallet
from tests.other_venue.street import BTC, session, street

ETH = "ETHUSDT"
MANY = 1005
"""More than a page has rows."""


def trade_much(market):
    """Pay funding, and have another program trade more than a page shows, all of it unheard."""
    books = market.venue.books
    market.venue.users.clear()
    books.fund(BTC, "0.0001")
    for _ in range(MANY):
        books.placed_by_hand(BTC, "BUY", "0.001", "MARKET")


@pytest.mark.parametrize("habit", ["oldest_first", "newest_first"])
async def test_more_than_a_page_of_trades_and_income_is_read_whichever_end_is_cut_off(
    tmp_path, habit
):
    with street(habit) as market:
        async with session(tmp_path, market) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: len(market.books()[2]) == 1)
            await one.agree()
            market.call(lambda: trade_much(market))

            await one.until(lambda: one.books()[1] == {BTC: Decimal("1.015")})
            await one.agree()
            assert one.status == "RUNNING"
            assert not one.state.differences


@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "missed"])
async def test_equal_fundings_at_odd_times_are_each_booked(tmp_path, monkeypatch, is_heard):
    """A venue that is sped up, or told to, pays more than once in an hour."""
    monkeypatch.setattr(wallet, "LISTED_LATE_NS", -wallet.EARLY_NS - 1)  # no time is the hour's
    monkeypatch.setattr(user_events, "TOLD_LATE_NS", -wallet.EARLY_NS - 1)
    with street() as market:
        async with session(tmp_path, market) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: len(market.books()[2]) == 1)
            await one.agree()
            if not is_heard:
                market.call(market.venue.users.clear)
            for _ in range(3):
                market.call(lambda: market.venue.books.fund(BTC, "0.0001"))

            await one.agree()
            assert one.books()[0]["USDT"] == Decimal("9999.75") - 3 * Decimal("0.05")
            assert one.status == "RUNNING"


async def test_symbols_whose_orders_and_trades_have_the_same_numbers_are_told_apart(tmp_path):
    with street("own_numbers", "late_events") as market:
        off = ("correlation",)
        async with session(tmp_path, market, symbols=(BTC, ETH), disabled=off) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.service.place_order(ETH, "BUY", "0.1", stop_loss="1900")
            await one.until(lambda: market.protected() == market.books()[1] and one.books()[1])
            await one.agree()
            ids = {fill.order.symbol: fill.trade_id for fill in market.venue.books.fills}
            assert len(set(ids.values())) == 1 < len(ids)
            market.close("users", 1001)
            market.price(48_900)
            market.price(1890, ETH)

            await one.agree()
            assert one.books()[1:] == ({}, [])
            assert one.status == "RUNNING"
