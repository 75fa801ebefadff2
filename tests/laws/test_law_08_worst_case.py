"""Law 8: worst case counts: positions, open, in-flight and in-doubt orders, as if each filled.

Judged by the venue's own books at the moment at which each order leaves.
"""

from __future__ import annotations

from hypothesis import given, settings

from tests.laws.checks import law_8
from tests.laws.scripts import played, roads, scripts
from tests.laws.steps import ORDERS


@settings(max_examples=60)
@given(roads, scripts((*ORDERS, "signal", "signal", "signal", "close", "adjust")))
def test_no_order_leaves_that_could_take_the_venue_past_the_limit(road, steps):
    assert played(road, steps, law_8) == []
