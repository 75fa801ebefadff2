"""Storms at the other venue: whatever went wrong, in the calm behind it the books are the venue's.

What happens is drawn from a seed, but when, is the machine's: to hunt is to play many. HOLDFAST_STORMS
says how many.
"""

from __future__ import annotations

import os

import pytest

from tests.other_venue.killing import ENDED, killing
from tests.other_venue.storm import storm

STORMS = int(os.environ.get("HOLDFAST_STORMS", "3"))
KILLED = max(STORMS // 3, 1)


@pytest.mark.parametrize("seed", range(1, STORMS + 1))
async def test_behind_a_storm_the_books_are_the_venues_and_each_position_has_its_stop(
    tmp_path, seed
):
    async with storm(tmp_path, seed) as one:
        await one.blow()
        await one.calm()

        names = one.market.names_placed()
        assert len(names) == len(set(names))
        assert names
        assert one.unlike() == []


@pytest.mark.e2e
@pytest.mark.parametrize("seed", range(1, KILLED + 1))
async def test_behind_a_storm_with_kills_the_journal_says_what_the_venue_does(tmp_path, seed):
    async with killing(tmp_path, seed) as one:
        await one.blow()
        ours, theirs = await one.calm()

        assert ours == theirs
        assert one.kills >= 2
        assert set(one.codes) <= {ENDED}
        names = one.market.names_placed()
        assert len(names) == len(set(names))
        assert set(names) <= set(one.ledger.orders)
