"""Many short runs. `HOLDFAST_SEEDS=20000 pytest tests/simulation/test_batches.py` plays more."""

from __future__ import annotations

import os

import pytest

from holdfast.simulation.batch import judge
from holdfast.simulation.spec import Spec

SEEDS = int(os.environ.get("HOLDFAST_SEEDS", "5000"))
BATCHES = 100
FIRST = 60_000_000


@pytest.mark.parametrize("batch", range(BATCHES))
def test_nothing_is_lost_or_doubled_in_a_batch_of_short_storms(batch):
    seeds = range(FIRST + batch, FIRST + SEEDS, BATCHES)

    failed = {
        f"holdfast simulate --seed {seed} --minutes 0.2": said
        for seed in seeds
        if (said := judge(Spec(seed=seed, storm_s=12)).violations)
    }

    assert len(seeds) > 0
    assert failed == {}
