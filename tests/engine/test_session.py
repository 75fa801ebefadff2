"""The session's table, tried exhaustively."""

from __future__ import annotations

import itertools

import pytest

from holdfast.engine.session import TRANSITIONS, check_move
from holdfast.model.errors import SessionStateError
from holdfast.model.values import TradingSessionStatus as S

PAIRS = list(itertools.product(S, S))
LEGAL = [(s, t) for s, t in PAIRS if t in TRANSITIONS[s]]
ILLEGAL = [pair for pair in PAIRS if pair not in LEGAL]


def names(pairs):
    return [f"{status.value}-{target.value}" for status, target in pairs]


def test_every_state_has_a_row():
    assert set(TRANSITIONS) == set(S)


def test_the_size_of_the_table_is_deliberate():
    assert (len(LEGAL), len(ILLEGAL)) == (14, 22)


@pytest.mark.parametrize(("status", "target"), LEGAL, ids=names(LEGAL))
def test_a_move_of_the_table_is_allowed(status, target):
    check_move(status, target)


@pytest.mark.parametrize(("status", "target"), ILLEGAL, ids=names(ILLEGAL))
def test_any_other_move_is_refused_and_says_what_is_possible(status, target):
    with pytest.raises(SessionStateError) as caught:
        check_move(status, target)

    text = str(caught.value)
    assert status.value in text
    assert target.value in text
    assert all(possible.value in text for possible in TRANSITIONS[status])


def test_every_state_can_be_reached_and_left_again():
    for start in S:
        reached, frontier = {start}, [start]
        while frontier:
            for target in TRANSITIONS[frontier.pop()] - reached:
                reached.add(target)
                frontier.append(target)
        assert reached == set(S)


def test_only_starting_and_paused_lead_to_running():
    assert {s for s in S if S.RUNNING in TRANSITIONS[s]} == {S.STARTING, S.PAUSED}


def test_nothing_moves_to_where_it_is():
    assert not any(status in TRANSITIONS[status] for status in S)
