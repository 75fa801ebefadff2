"""All laws at once over many scripts; more of them by HOLDFAST_LAW_SEEDS."""

from __future__ import annotations

import os

import pytest

from tests.laws.checks import violations
from tests.laws.road import GOOD, bad
from tests.laws.steps import ALL, ORDERS, POSITIONS, script
from tests.laws.world import World

SEEDS = int(os.environ.get("HOLDFAST_LAW_SEEDS", "50"))
PROFILES = {"all": ALL, "orders": ORDERS, "positions": POSITIONS}


@pytest.mark.slow
@pytest.mark.timeout(20 + SEEDS * 2)
@pytest.mark.parametrize("profile", PROFILES)
def test_no_script_violates_any_law(profile):
    """A failing seed is played alone by `World(road).run(script(seed, 80, PROFILES[profile]))`."""
    found = {}
    for seed in range(1_000, 1_000 + SEEDS):
        road = bad(seed) if seed % 4 else GOOD._replace(seed=seed)
        wrong = violations(World(road).run(script(seed, 80, PROFILES[profile])))
        if wrong:
            found[seed] = wrong

    assert found == {}
