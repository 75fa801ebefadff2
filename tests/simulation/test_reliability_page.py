"""docs/reliability.md names tests that there are, each mutant and each adversary."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.simulation.against import ADVERSARIES
from holdfast.simulation.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reliability.md").read_text()


def test_each_test_that_is_named_is_there():
    texts = [path.read_text() for path in (ROOT / "tests").rglob("*.py")]
    there = {name for text in texts for name in re.findall(r"def (test_\w+)", text)}
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert len(named) > 200
    assert named - there == set()


def test_each_mutant_has_its_row():
    part = PAGE.split("\n## Mutants\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.+?) \| \d+", part, re.MULTILINE)

    assert sorted(rows) == sorted(mutant.name for mutant in MUTANTS)
    assert f"All {len(MUTANTS)} are noticed" in part


def test_each_adversary_has_its_row():
    part = PAGE.split("\n## What goes wrong\n", 1)[1].split("\n## ", 1)[0]
    modules = {each.__module__.rpartition(".")[2] for each in ADVERSARIES}

    assert {name for name in modules if f"| `simulation/{name}.py` |" not in part} == set()
