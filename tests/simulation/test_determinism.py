"""One seed is one history: over runs, hash seeds and versions of Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
OTHERS = os.environ.get("HOLDFAST_PYTHONS", "")
"""More interpreters with Holdfast's dependencies, parted by colons."""

CODE = """
from holdfast.simulation.run import play
from holdfast.simulation.spec import Spec
print([play(Spec(seed=seed, storm_s=15)).head for seed in (1, 11)])
"""


def heads(python=sys.executable, hash_seed="0"):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(SOURCES)}
    made = subprocess.run(
        [python, "-c", CODE], capture_output=True, text=True, env=environment, check=True
    )
    return made.stdout


def test_hash_seeds_change_nothing():
    assert len({heads(hash_seed=seed) for seed in ("0", "4711")}) == 1


@pytest.mark.skipif(not OTHERS, reason="HOLDFAST_PYTHONS names no other interpreters")
def test_versions_of_python_change_nothing():
    assert {heads(python) for python in OTHERS.split(":")} == {heads()}
