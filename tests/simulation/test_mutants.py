"""The simulation notices: some mutants here, all of them by `holdfast-dev mutants`."""

from __future__ import annotations

import pytest

from holdfast.simulation.batch import judge
from holdfast.simulation.dev import hunt
from holdfast.simulation.mutants import MUTANTS
from holdfast.simulation.shrink import shrink
from holdfast.simulation.spec import Spec
from holdfast.simulation.story import replay_command, story_of
from holdfast.simulation.tally import oracle_of

SOON = (
    "trade-id dedupe",
    "intent before the send",
    "no second id in doubt",
    "open orders count",
    "the journal remembers everything",
    "funding is booked",
    "torn facts are set aside",
    "a trade comes once",
    "a lost market is told",
    "a bar has each of its trades",
    "a stop is tried again",
    "the margin is spent before it is saved",
)
"""Those that die within a few runs."""

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


def test_there_are_mutants_enough_and_no_two_of_one_name():
    assert len(BY_NAME) == len(MUTANTS) >= 14


@pytest.mark.parametrize("name", SOON)
def test_a_missing_mechanism_is_noticed(name):
    kill = hunt(BY_NAME[name], jobs=1, storm_s=40, seeds=25)

    assert kill.is_ok, kill


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.known], ids=lambda m: m.name)
def test_what_is_rare_is_noticed_in_the_run_that_is_known_for_it(mutant):
    kill = hunt(mutant, jobs=1, storm_s=40, seeds=0)

    assert kill.is_ok, kill


def test_a_failure_is_made_smaller_and_told():
    name = "funding is booked"
    kill = hunt(BY_NAME[name], jobs=1, storm_s=40, seeds=25)
    assert kill.seed is not None
    from holdfast.simulation.faults import chosen

    failed = judge(Spec(seed=kill.seed, storm_s=40, kinds=chosen(BY_NAME[name].kinds)), name)
    small = shrink(failed, name)

    assert oracle_of(small.violations[0]) == oracle_of(failed.violations[0])
    assert len(small.spec.without) > 0
    assert any("VIOLATION" in line for line in story_of(small, name))
    assert f"--seed {kill.seed}" in replay_command(small.spec)


def test_a_holding_without_a_stop_is_noticed_while_the_storm_lasts():
    """What is seen at rest alone would be seen too late."""
    failed = judge(Spec(seed=3, storm_s=90, accounts=1), "stops are placed")

    assert any(each.startswith("stops: parent ") for each in failed.violations)
