"""Law 3: position == sum of fills, exactly; balance == deposits + realized - fees + funding.

Both as the venue has them, as Decimals, once things have come to rest.
"""

from __future__ import annotations

from hypothesis import given, settings

from tests.laws.checks import law_3
from tests.laws.scripts import played, roads, scripts
from tests.laws.steps import POSITIONS


@settings(max_examples=40)
@given(roads, scripts((*POSITIONS, "stranger", "stranger", "place", "close")))
def test_the_books_are_the_venues_also_where_another_program_trades(road, steps):
    assert played(road, steps, law_3) == []


@settings(max_examples=60)
@given(roads, scripts((*POSITIONS, "funding", "close")))
def test_the_books_are_the_sum_of_what_was_booked_and_the_venues(road, steps):
    assert played(road, steps, law_3) == []
