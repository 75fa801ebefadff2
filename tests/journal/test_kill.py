"""Real processes and kill -9: nothing acknowledged is lost, and the lock goes with its owner."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest

from holdfast.journal import open_journal
from holdfast.journal.inspect import verify
from holdfast.model.errors import JournalLocked
from tests.journal.nursery import ROOT, Nursery
from tests.journal.samples import commit, fills

LIVES = {"process": 14, "power": 6}


@pytest.fixture
def nursery_of():
    nurseries = []

    def start(where, durability="process"):
        nurseries.append(Nursery(where, durability))
        return nurseries[-1]

    yield start
    for nursery in nurseries:
        nursery.close()


def _kill_at_random(nursery, chance):
    """Let a child live for some commits; return what it acknowledged last."""
    pid = nursery.start()
    last = 0
    for _ in range(chance.randint(1, 120)):
        last = nursery.acknowledged()
    os.kill(pid, signal.SIGKILL)
    while sequence := nursery.acknowledged():  # said before it died
        last = sequence
    return last


@pytest.mark.e2e
def test_killed_owner_loses_nothing_acknowledged(sqlite, nursery_of):
    nursery = nursery_of(sqlite.where, sqlite.durability)
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for life in range(1, LIVES[sqlite.durability] + 1):
        acknowledged = _kill_at_random(nursery, chance)
        report = verify(sqlite.where)
        assert report.is_ok, (seed, report)
        assert report.last_sequence >= acknowledged, seed
        assert report.epochs == life
    journal = sqlite.open()
    assert list(journal.replay()) == fills(journal.sequence)
    assert journal.sequence >= acknowledged
    journal.close()


@pytest.mark.e2e
@pytest.mark.postgres
def test_killed_owner_of_a_server_journal_loses_nothing_acknowledged(postgres, nursery_of):
    nursery = nursery_of(postgres.where)
    chance = random.Random()
    for _ in range(3):
        acknowledged = _kill_at_random(nursery, chance)
        assert verify(postgres.where).last_sequence >= acknowledged
    journal = postgres.open()
    assert list(journal.replay()) == fills(journal.sequence)
    assert journal.epoch == 4
    journal.close()


@pytest.mark.e2e
def test_lock_names_a_living_owner_and_dies_with_a_killed_one(sqlite, nursery_of):
    nursery = nursery_of(sqlite.where, sqlite.durability)
    pid = nursery.start()

    with pytest.raises(JournalLocked, match=f"owned by process {pid} on .*: stop that one first"):
        sqlite.open()
    assert open_journal(sqlite.where, read_only=True).epoch == 1
    os.kill(pid, signal.SIGKILL)
    while nursery.acknowledged():
        pass
    journal = sqlite.open()
    assert journal.epoch == 2
    journal.close()


_WITH_A_WORKER = """
import os, sys, time
from holdfast.journal import open_journal

journal = open_journal(sys.argv[1])
if not os.fork():
    print("forked", flush=True)
    sys.stdin.read()
    os._exit(0)
time.sleep(600)
"""


def _fork_and_be_killed(where):
    """Own a journal, fork a worker, and be killed; return what ends the worker."""
    owner = subprocess.Popen(
        [sys.executable, "-c", _WITH_A_WORKER, str(where)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    with owner.stdout:
        assert owner.stdout.readline() == b"forked\n"
        with pytest.raises(JournalLocked):  # the worker has not given it back for its parent
            open_journal(where)
        owner.kill()
        owner.wait()
    return owner.stdin


@pytest.mark.e2e
def test_forked_worker_that_outlives_a_killed_owner_does_not_keep_its_lock(tmp_path):
    """A pool of processes, which a strategy may have made, is left behind by kill -9."""
    with _fork_and_be_killed(tmp_path / "a.db"):
        open_journal(tmp_path / "a.db").close()


@pytest.mark.e2e
@pytest.mark.postgres
def test_forked_worker_does_not_keep_the_connection_of_a_killed_owner(postgres):
    with _fork_and_be_killed(postgres.where):
        postgres.open().close()


@pytest.mark.e2e
@pytest.mark.postgres
def test_owner_that_slept_through_a_takeover_is_fenced(postgres, nursery_of):
    """Its server took it for dead and gave the journal away; then it wakes, mid-sentence."""
    nursery = nursery_of(postgres.where)
    pid = nursery.start()
    for _ in range(20):
        acknowledged = nursery.acknowledged()
    os.kill(pid, signal.SIGSTOP)
    owner = postgres.open_despite_owner()
    taken_over = owner.sequence
    commit(owner, fills(5, start=taken_over + 1))
    os.kill(pid, signal.SIGCONT)
    while (sequence := nursery.acknowledged()) > 0:  # said before it slept
        acknowledged = sequence
    commit(owner, fills(2, start=taken_over + 6))

    assert sequence == -1
    assert nursery.acknowledged() == 0
    assert acknowledged <= taken_over
    assert list(owner.replay()) == fills(taken_over + 7)
    after = "SELECT DISTINCT epoch FROM facts WHERE sequence > ?"
    assert postgres.execute(after, taken_over) == [(2,)]
    owner.close()


@pytest.mark.e2e
def test_owner_that_stands_still_keeps_its_lock(sqlite, nursery_of):
    nursery = nursery_of(sqlite.where, sqlite.durability)
    pid = nursery.start()
    os.kill(pid, signal.SIGSTOP)

    with pytest.raises(JournalLocked, match=f"owned by process {pid} on .*: stop that one first"):
        sqlite.open()
    os.kill(pid, signal.SIGCONT)
    assert nursery.acknowledged() > 0
    os.kill(pid, signal.SIGKILL)
    while nursery.acknowledged():
        pass
    assert verify(sqlite.where).epochs == 1
