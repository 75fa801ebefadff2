"""Order books at the other venue: snapshots that trail, gaps, and connections that end."""

from __future__ import annotations

import asyncio

from holdfast import Strategy
from tests.other_venue.depth import LEVELS
from tests.other_venue.street import BTC
from tests.other_venue.test_depth import deep


class Reader(Strategy):
    """Keeps what it was shown last."""

    shown: tuple = ()
    torn = 0

    def on_book(self, book):
        if not book.is_whole:
            self.torn += 1
        self.shown = (book.is_whole, book.bids(), book.asks())


async def test_a_book_is_the_venues_again_behind_gaps_and_cuts(tmp_path):
    reader = Reader()
    async with deep(tmp_path, "reordered", strategies=(reader,)) as (market, one):

        def is_same():
            sides = market.venue.books.depths[BTC].sides
            theirs = [[(float(p), float(q)) for p, q in sides[sign]] for sign in (-1, 1)]
            return reader.shown == (True, *theirs)

        for trouble in (nothing, busy, cut):
            await run(one, market, trouble)
            await one.until(is_same)
        assert reader.torn >= 2


async def run(one, market, trouble):
    """Let the market move while something goes wrong, and until whoever was cut off is back."""
    for turn in range(6):
        market.venue.books.thin(1 + turn % LEVELS)
        market.price(50_000 + turn * 7)
        if turn == 2:
            trouble(market)
        await asyncio.sleep(0.06)
    market.call(lambda: setattr(market.venue, "is_book_lost", False))
    market.call(lambda: market.venue.habits.discard("old_snapshots"))
    market.venue.books.thin(LEVELS)
    await one.until(lambda: sum(each.is_open for each in market.venue.markets) == 2)
    market.price(50_001)
    await asyncio.sleep(0.1)
    market.price(50_002)


def nothing(market):
    """Let the first snapshot do."""


def cut(market):
    market.call(lambda: market.venue.habits.add("old_snapshots"))
    market.close("markets", 1001)


def busy(market):
    market.call(lambda: setattr(market.venue, "is_book_lost", True))
    market.trouble("too_many", "GET */depth")
    market.trouble("page", "GET */depth")
