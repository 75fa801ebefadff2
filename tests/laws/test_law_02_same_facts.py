"""Law 2: same messages, same facts. No hash order, no `id()`, no wall clock."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.laws.road import bad
from tests.laws.steps import script
from tests.laws.world import World

ROOT = Path(__file__).resolve().parents[2]


def digest(seed):
    world = World(bad(seed)).run(script(seed))
    return hashlib.sha256(msgspec.json.encode(world.journal.facts)).hexdigest()


@pytest.mark.parametrize("seed", range(8))
def test_the_same_script_gives_the_same_facts(seed):
    assert digest(seed) == digest(seed)


def test_another_script_gives_other_facts():
    assert len({digest(seed) for seed in range(5)}) == 5


def test_the_same_script_gives_the_same_facts_in_another_process_with_another_hash_seed():
    program = (
        "from tests.laws.test_law_02_same_facts import digest;"
        "print(*(digest(seed) for seed in range(5)))"
    )
    found = set()
    for hash_seed in ("1", "2"):
        paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        found.add(done.stdout)

    assert found == {" ".join(digest(seed) for seed in range(5)) + "\n"}
