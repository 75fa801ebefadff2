"""A fold that came to rest goes on as if it had never stopped."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.errors import InputError
from holdfast.model.events import EpochStarted
from holdfast.model.values import SessionId
from holdfast.stats import SessionFold, latency
from tests.laws.road import bad
from tests.laws.steps import script
from tests.laws.world import World

S, T = SessionId("s"), SessionId("t")


@pytest.fixture(scope="module")
def facts():
    return World(bad(7)).run(script(7, 120)).journal.facts


def _folded(facts, fold):
    for fact in facts:
        fold.apply(fact)
    return fold


@given(data=st.data())
def test_fold_that_rested_anywhere_gives_the_same_figures(facts, data):
    at = data.draw(st.integers(0, len(facts)))
    whole = _folded(facts, SessionFold(S))
    woken = SessionFold.wake(_folded(facts[:at], SessionFold(S)).rest(), S)
    _folded(facts[at:], woken)

    assert woken.stats() == whole.stats()
    assert woken.curve.points == whole.curve.points
    assert woken.rest() == whole.rest()
    assert whole.stats().fills


def test_a_new_session_goes_on_from_what_an_earlier_one_left_open(facts):
    first = next(fact for fact in facts if isinstance(fact, EpochStarted))
    begun = msgspec.structs.replace(first, ts=facts[-1].ts, epoch=99, session_id=T)
    after = [fact for fact in facts if not isinstance(fact, EpochStarted)]
    whole = _folded([*facts, begun, *after], SessionFold(T))
    woken = SessionFold.wake(_folded(facts, SessionFold(S)).rest(), T, is_new=True)
    _folded([begun, *after], woken)

    assert woken.rest() == whole.rest()


def test_a_fold_of_another_session_or_other_bytes_are_refused(facts):
    resting = _folded(facts, SessionFold(S)).rest()

    with pytest.raises(InputError, match="is of session s, not t"):
        SessionFold.wake(resting, T)
    with pytest.raises(InputError, match="no fold of a session"):
        SessionFold.wake(b"\x81" + resting, S)


def test_times_are_kept_in_a_ring(monkeypatch):
    monkeypatch.setattr(latency, "LATENCIES_KEPT", 3)
    times = latency.Times()
    for time in range(8):
        times.append(time)

    assert sorted(times.kept) == [5, 6, 7]
