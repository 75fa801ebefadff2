"""Adversaries: each strikes, a seed without any is left as it was, and what each found is held."""

from __future__ import annotations

import re

import pytest

from holdfast.model.ids import epoch_at
from holdfast.simulation.against import ADVERSARIES
from holdfast.simulation.run import play
from holdfast.simulation.spec import Spec
from holdfast.simulation.world import START_NS


@pytest.fixture
def only(monkeypatch):
    """Have one adversary alone in every seed."""

    def choose(name):
        for each in ADVERSARIES:
            monkeypatch.setattr(each, "share", 1.0 if each.name == name else 0.0)

    return choose


@pytest.mark.parametrize("name", [each.name for each in ADVERSARIES])
def test_an_adversary_strikes_and_nothing_is_lost(only, name):
    only(name)
    accounts = 2 if name == "one_cut_off" else 0
    verdict = play(Spec(seed=60_000_001, storm_s=18, accounts=accounts))

    assert verdict.violations == ()
    assert verdict.fired[name] > 0


def test_one_fault_that_is_judged_alone_has_no_adversary_beside_it(only):
    only("contracts")

    assert "contracts" not in play(Spec(seed=1, storm_s=18, kinds=frozenset({"drop_frame"}))).fired


def test_a_journal_that_was_lost_gives_no_epoch_anew(only):
    # It began with the first one again: an order had the id of one that had been cancelled.
    only("amnesia")
    verdict = play(Spec(seed=60_000_001, storm_s=18, keeps_log=True))
    told = re.compile(r"  EpochStarted epoch=([0-9]+) ")
    epochs = [int(found[1]) for line in verdict.log if (found := told.search(line))]

    assert "amnesia: no journal" in verdict.counts
    assert len(epochs) > 1
    assert epochs == sorted(set(epochs))
    assert epochs[0] >= epoch_at(START_NS)
