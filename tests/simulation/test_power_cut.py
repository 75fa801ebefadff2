"""The journal's real SQLite files, cut off from the power at any point between two writes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from holdfast.journal.sqlite import open_sqlite
from holdfast.model.errors import TradingError

from .power.replay import build, cut, promised, record

CUTS = int(os.environ.get("HOLDFAST_POWER_CUTS", "60"))
"""How often the power goes in each test; more by hand."""

pytestmark = [
    pytest.mark.timeout(max(120, CUTS)),  # seconds: one for each cut, where more are asked for
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("cc") is None,
        reason="writes are written down by a library that a C compiler makes, on Linux",
    ),
]


@pytest.fixture
def place():
    """A directory in memory where there is one: what a sync means is the test's affair."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("trace"))


def broken_promises(ops, directory, cuts=CUTS):
    """Cut the power at places drawn by lot; yield what came back wrong, in words."""
    lots = Random(1)
    for number in range(cuts):
        done = ops[: lots.randrange(1, len(ops) + 1)]
        left = directory / f"cut-{number}"
        cut(done, lots, left)
        if problem := _look(left / "j.db", promised(done)):
            yield f"after {len(done)} of {len(ops)}: {problem}"
        shutil.rmtree(left)


def _look(path, promise):
    try:
        journal = open_sqlite(path)
    except (TradingError, sqlite3.Error) as error:
        return f"it can't be opened: {error}" if promise.epoch else ""
    try:
        facts = [fact.ts for fact in journal.replay()]
    except TradingError as error:
        return f"it can't be read: {error}"
    finally:
        journal.close()
    if facts != list(range(1, len(facts) + 1)):
        return f"the facts are {facts}"
    if len(facts) < promise.facts:
        return f"{promise.facts} facts were promised, {len(facts)} are there"
    if journal.epoch <= promise.epoch:
        return f"epoch {journal.epoch} came again"
    return ""


@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_power_cut_takes_nothing_that_was_promised(library, place, durability):
    ops = record(library, place, durability)

    assert sum(op.kind == "S" for op in ops) > 10
    assert list(broken_promises(ops, place)) == []


@pytest.mark.parametrize(
    ("wrong", "durability", "said"),
    [
        ("no_sync", "power", "facts were promised"),
        ("no_epoch_sync", "process", "came again"),
        ("no_epoch_sync", "power", "came again"),
    ],
)
def test_a_sync_that_is_left_out_is_noticed(library, place, wrong, durability, said):
    ops = record(library, place, durability, wrong)

    # Where it shows hangs on how the writes fell, so it is looked for longer than what holds.
    assert any(said in each for each in broken_promises(ops, place, 10 * CUTS))


def test_epochs_and_facts_are_promised_in_order(library, place):
    """What the other tests rest on: the child's marks say what the journal has told."""
    ops = record(library, place, "power")
    marks = [promised(ops[:size]) for size in range(0, len(ops) + 1, 5)]

    assert all(a.facts <= b.facts and a.epoch <= b.epoch for a, b in pairwise(marks))
    assert marks[-1].epoch == 3
