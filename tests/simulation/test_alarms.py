"""The judge of alarms: how often a person is told of one thing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from holdfast.journal.codec import GENESIS, Chain
from holdfast.journal.stage import as_stored
from holdfast.model.events import AlarmRaised
from holdfast.model.values import MAIN
from holdfast.simulation.alarms import Alarms
from holdfast.simulation.events import strike
from holdfast.simulation.market import SYMBOLS
from holdfast.simulation.spec import Spec
from holdfast.simulation.world import World


@pytest.fixture
def judge() -> Alarms:
    return Alarms(World(Spec(seed=3, accounts=1), strike))


def told(judge: Alarms, code: str, *, is_kept: bool = True) -> None:
    fact = AlarmRaised(ts=1, account=MAIN, code=code, text="so", symbol=SYMBOLS[0])
    if is_kept:
        (row,) = Chain(0, GENESIS, 1).rows([fact])
        judge.world.disk.rows.append(as_stored(row))
    judge.hear_facts([fact])


def begun(judge: Alarms) -> None:
    judge.begin(SimpleNamespace())  # type: ignore[arg-type]  # it looks at the world alone


def test_a_contract_that_is_halted_is_told_of_at_each_start(judge):
    for _ in range(5):
        begun(judge)
        told(judge, "contract_halted")

    assert judge.world.oracles.violations == []


def test_a_contract_that_is_halted_is_not_told_of_again_and_again_in_one_life(judge):
    begun(judge)
    for _ in range(4):
        told(judge, "contract_halted")

    (violation,) = judge.world.oracles.violations
    assert "contract_halted was told 4 times in a minute" in str(violation)


def test_other_alarms_are_not_told_anew_by_a_start(judge):
    for _ in range(3):
        begun(judge)
        told(judge, "close_refused")

    assert "close_refused was told 3 times" in str(judge.world.oracles.violations)


def test_what_did_not_get_on_record_is_told_anew_by_a_start(judge):
    for _ in range(5):
        begun(judge)
        told(judge, "close_refused", is_kept=False)

    assert judge.world.oracles.violations == []
