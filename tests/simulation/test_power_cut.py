"""The journal's real SQLite files, cut off from the power at any point between two writes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from itertools import pairwise
from random import Random

import pytest

from holdfast.journal.sqlite import open_sqlite
from holdfast.model.errors import TradingError

from .power.replay import build, cut, promised, record

CUTS = int(os.environ.get("HOLDFAST_POWER_CUTS", "60"))
"""How often the power goes in each test; more by hand."""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="writes are written down by a library that a C compiler makes, on Linux",
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("trace"))


def broken_promises(ops, directory, cuts=CUTS):
    """Cut the power at places drawn by lot; return what came back wrong, in words."""
    lots = Random(1)
    found = []
    for number in range(cuts):
        done = ops[: lots.randrange(1, len(ops) + 1)]
        place = directory / f"cut-{number}"
        cut(done, lots, place)
        if problem := _look(place / "j.db", promised(done)):
            found.append(f"after {len(done)} of {len(ops)}: {problem}")
        shutil.rmtree(place)
    return found


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
def test_a_power_cut_takes_nothing_that_was_promised(library, tmp_path, durability):
    ops = record(library, tmp_path, durability)

    assert sum(op.kind == "S" for op in ops) > 10
    assert broken_promises(ops, tmp_path) == []


@pytest.mark.parametrize(
    ("wrong", "durability", "said"),
    [
        ("no_sync", "power", "facts were promised"),
        ("no_epoch_sync", "process", "came again"),
        ("no_epoch_sync", "power", "came again"),
    ],
)
def test_a_sync_that_is_left_out_is_noticed(library, tmp_path, wrong, durability, said):
    ops = record(library, tmp_path, durability, wrong)

    assert any(said in each for each in broken_promises(ops, tmp_path))


def test_epochs_and_facts_are_promised_in_order(library, tmp_path):
    """What the other tests rest on: the child's marks say what the journal has told."""
    ops = record(library, tmp_path, "power")
    marks = [promised(ops[:size]) for size in range(0, len(ops) + 1, 5)]

    assert all(a.facts <= b.facts and a.epoch <= b.epoch for a, b in pairwise(marks))
    assert marks[-1].epoch == 3
