"""Fills of which the other venue tells less than it should, or later."""

from __future__ import annotations

import pytest

from tests.other_venue.street import BTC, session, street


@pytest.mark.parametrize(
    "habit",
    ["no_trade_events", "late_trades"],
    ids=["the stream tells of the end alone", "their list trails"],
)
async def test_fills_that_are_named_and_not_told_are_fetched_each_once(tmp_path, habit):
    with street(habit, "three_trades") as market:
        async with session(tmp_path, market, read_lag_s=1.0) as one:
            await one.service.place_order(BTC, "BUY", "0.03", stop_loss="49000")
            await one.until(lambda: market.protected() == market.books()[1] != {})
            await one.agree()
            if habit == "late_trades":
                market.close("users", 1001)
            market.price(48_900)

            await one.until(lambda: not one.books()[1])
            await one.agree()
            assert one.status == "RUNNING"
            assert not one.state.differences


async def test_a_liquidation_whose_event_names_no_trade_is_fetched(tmp_path):
    with street("no_trade_ids") as market:
        async with session(tmp_path, market) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: len(market.books()[2]) == 1)
            await one.agree()
            market.call(lambda: market.venue.books.taken_over(BTC, "autoclose-17", 49_500))

            await one.until(lambda: not one.books()[1] and not one.books()[2])
            await one.agree()
            assert one.status == "RUNNING"
