"""Books of a venue whose answers trail: no difference is seen where there is none."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.engine.account import OPENING
from holdfast.model import events as ev
from holdfast.model.values import MAIN
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.rig import BTC
from tests.engine.trailing_venue import TrailingVenue


@given(
    seed=st.integers(0, 2**64),
    lag_s=st.sampled_from((0.0, 0.3, 1.9)),
    dropped=st.sampled_from((0.0, 0.3, 0.7, 1.0)),
    rate=st.sampled_from((0.1, 0.3, 0.6)),
    steps=st.integers(0, 3),
)
@settings(max_examples=1000)
def test_answers_that_trail_halt_nothing_and_the_books_agree_in_the_end(
    seed, lag_s, dropped, rate, steps
):
    lots = random.Random(seed)
    venue = TrailingVenue(lots, lag_s=lag_s, dropped=dropped, rate=rate)
    venue.run(lots.uniform(3, 40), steps)

    rig = venue.rig
    assert (rig.session(), rig.alarms()) == (Status.RUNNING, [])
    assert (rig.qty(BTC), rig.state.account(MAIN).wallet("USDT")) == (venue.qty, venue.wallet)
    assert not rig.state.differences
    assert {each.reason for each in rig.ever(ev.PositionAdopted)} <= {OPENING}
