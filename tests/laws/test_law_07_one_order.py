"""Law 7: one intent, at most one order at the venue; never a second id, never a blind resend."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.checks import law_7
from tests.laws.road import Road
from tests.laws.scripts import played, scripts

deaf = st.builds(Road, seed=st.integers(0, 2**32), requests=st.just(45), late=st.just(20))
"""Nearly half of all requests are never answered, whatever became of them."""


@settings(max_examples=60)
@given(deaf, scripts(("signal", "place", "signal", "place", "market", "wait", "crash", "link")))
def test_an_intent_has_one_order_though_answers_are_lost_and_processes_die(road, steps):
    assert played(road, steps, law_7) == []
