"""The other venue's dead-man switch: who falls silent has no entries left there, but stops."""

from __future__ import annotations

import asyncio

from tests.other_venue.street import BTC
from tests.other_venue.test_depth import deep, is_protected


async def test_entries_end_at_the_venue_while_we_can_not_be_heard_and_no_sooner(tmp_path):
    async with deep(tmp_path, dead_man_s=1) as (market, one):
        await one.service.place_order(BTC, "BUY", "0.005", stop_loss="49000")
        await one.until(lambda: is_protected(market))
        resting = await one.service.place_order(
            BTC, "BUY", "0.01", "LIMIT", "49900", stop_loss="48000"
        )
        await asyncio.sleep(1.5)
        await one.agree()
        assert resting.id in market.books()[2]
        market.trouble("internal", "POST */countdownCancelAll", 6)
        await one.until(lambda: resting.id not in market.books()[2])
        await one.agree()
        assert is_protected(market)
        await one.service.place_order(BTC, "BUY", "0.01", "LIMIT", "49890", stop_loss="48000")
        await one.until(lambda: market.venue.books.countdowns)
    assert not market.venue.books.countdowns  # an orderly stop leaves none behind


async def test_an_entry_that_rests_since_it_triggered_is_guarded_too(tmp_path):
    async with deep(tmp_path, dead_man_s=60, audit_interval_ns="1s") as (market, one):
        given = {"trigger_price": "50100", "stop_loss": "48000"}
        order = await one.service.place_order(BTC, "BUY", "0.01", "STOP", "50050", **given)
        await one.agree()
        assert not market.venue.books.countdowns
        market.price(50_110)
        await one.until(lambda: BTC in market.venue.books.countdowns)
        await one.service.cancel_order(order.id)
        await one.until(lambda: not market.venue.books.countdowns)
