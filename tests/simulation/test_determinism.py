"""One seed is one history: over runs, hash seeds and versions of Python.

`heads.txt` has the journal's last hash of some seeds: each Python that the tests are run with must
come to the same. Who changes what the engine or the simulation does writes it anew:

    HOLDFAST_RECORD_HEADS=1 python -m pytest tests/simulation/test_determinism.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
RECORDED = Path(__file__).with_name("heads.txt")
OTHERS = [each for each in os.environ.get("HOLDFAST_PYTHONS", "").split(":") if each]
"""More interpreters with Holdfast's dependencies, parted by colons: the same at once."""

CODE = """
from holdfast.simulation.run import play
from holdfast.simulation.spec import Spec
for seed in (1, 3, 11, 7):
    print(seed, play(Spec(seed=seed, storm_s=15)).head)
"""


def heads(python=sys.executable, hash_seed="0"):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(SOURCES)}
    made = subprocess.run(
        [python, "-c", CODE], capture_output=True, text=True, env=environment, check=True
    )
    return made.stdout


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_every_python_and_hash_seed_comes_to_the_recorded_hashes(hash_seed):
    found = heads(hash_seed=hash_seed)
    if os.environ.get("HOLDFAST_RECORD_HEADS"):
        RECORDED.write_text(found)

    assert found == RECORDED.read_text(), (
        "another history than recorded: where the change is meant, record it anew (see above)"
    )


@pytest.mark.parametrize("python", OTHERS or [sys.executable])
def test_other_interpreters_come_to_the_recorded_hashes(python):
    assert heads(python, hash_seed="77") == RECORDED.read_text()
