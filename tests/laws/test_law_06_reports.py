"""Law 6: a report that is repeated, late, early or out of order never changes a quantity twice.

The key is the venue's trade id: in the end every execution of the venue is booked, once.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.checks import law_6
from tests.laws.road import Road
from tests.laws.scripts import played, scripts
from tests.laws.steps import ORDERS, POSITIONS

messy = st.builds(
    Road,
    seed=st.integers(0, 2**32),
    requests=st.sampled_from([0, 10]),
    lost=st.sampled_from([0, 30]),
    late=st.just(50),
    twice=st.just(40),
)


@settings(max_examples=60)
@given(messy, scripts((*ORDERS, *POSITIONS)))
def test_every_execution_is_booked_once_whatever_the_road_makes_of_its_report(road, steps):
    assert played(road, steps, law_6) == []
