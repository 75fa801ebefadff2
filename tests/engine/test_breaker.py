"""The circuit breaker's table, tried exhaustively, and its counting."""

from __future__ import annotations

import itertools

import pytest

from holdfast.engine.breaker import FAILURES_KEPT, FAILURES_WINDOW_NS, TRANSITIONS, Breaker
from holdfast.engine.breaker import BreakerState as S
from holdfast.engine.breaker import BreakerTrigger as G

EXPECTED = {
    (S.CLOSED, G.SUCCESS): S.CLOSED,
    (S.CLOSED, G.FAILURE): S.CLOSED,
    (S.CLOSED, G.TRIP): S.OPEN,
    (S.OPEN, G.WAITED): S.HALF_OPEN,
    (S.OPEN, G.FAILURE): S.OPEN,
    (S.OPEN, G.TRIP): S.OPEN,
    (S.HALF_OPEN, G.SUCCESS): S.CLOSED,
    (S.HALF_OPEN, G.FAILURE): S.OPEN,
    (S.HALF_OPEN, G.TRIP): S.OPEN,
}


@pytest.mark.parametrize(("state", "trigger"), list(itertools.product(S, G)))
def test_every_pair_leads_where_the_table_says_or_nowhere(state, trigger):
    assert TRANSITIONS[state].get(trigger) is EXPECTED.get((state, trigger))


def test_it_opens_at_the_failure_that_reaches_the_threshold():
    assert Breaker().after_failure(4, 5) is S.CLOSED
    assert Breaker().after_failure(5, 5) is S.OPEN


def test_one_failure_while_half_open_opens_it_again():
    assert Breaker(state=S.HALF_OPEN).after_failure(1, 5) is S.OPEN


def test_failures_count_for_a_while_and_no_longer():
    breaker = Breaker()
    for ts in (0, 10, FAILURES_WINDOW_NS + 5):
        breaker.count(ts, breaker.count_at(ts))

    assert breaker.failures == [10, FAILURES_WINDOW_NS + 5]
    assert breaker.count_at(FAILURES_WINDOW_NS + 9) == 3
    assert breaker.count_at(FAILURES_WINDOW_NS + 10) == 2


def test_no_more_failures_are_kept_than_can_count():
    breaker = Breaker()
    for ts in range(FAILURES_KEPT + 10):
        breaker.count(ts, breaker.count_at(ts))

    assert breaker.failure_count == len(breaker.failures) == FAILURES_KEPT


def test_a_success_closes_a_half_open_breaker_and_leaves_an_open_one():
    assert Breaker(state=S.HALF_OPEN).after_success() is S.CLOSED
    assert Breaker(state=S.CLOSED).after_success() is S.CLOSED
    assert Breaker(state=S.OPEN).after_success() is S.OPEN


@pytest.mark.parametrize("state", S)
def test_only_an_open_breaker_waits_and_only_until_its_time(state):
    breaker = Breaker(state=state, opened_ts=100)

    assert breaker.after_waiting(159, 60) is state
    assert breaker.after_waiting(160, 60) is (S.HALF_OPEN if state is S.OPEN else state)
