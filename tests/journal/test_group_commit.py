"""Commits on a thread: what is committed is let go of, whatever the thread does next."""

from __future__ import annotations

import asyncio
import threading

import pytest

from holdfast.journal.codec import GENESIS, Chain
from holdfast.journal.commit import GroupCommit
from holdfast.journal.delivery import Delivery
from holdfast.model.errors import JournalError

PATIENCE_S = 5.0


class SlowSnapshots:
    """A store that commits rows at once, and a snapshot when it is let."""

    def __init__(self):
        self.may_go = threading.Event()
        self.sequences = []
        self.fails = False

    def insert(self, rows):
        self.sequences += [row[0] for row in rows]

    def keep_snapshot(self, sequence, payload):
        assert self.may_go.wait(PATIENCE_S)
        if self.fails:
            raise JournalError("the disk is full")


def row(sequence):
    return (sequence, 1, 0, 1, "k", "{}", bytes([sequence] * 32))


@pytest.fixture
def store():
    return SlowSnapshots()


@pytest.fixture
def delivery():
    return Delivery()


@pytest.fixture
def commits(store, delivery, monkeypatch):
    """A committer whose first group has all that a test appends before it begins."""
    begun = threading.Event()
    take = GroupCommit._take

    def wait(self):
        assert begun.wait(PATIENCE_S)
        return take(self)

    monkeypatch.setattr(GroupCommit, "_take", wait)
    made = GroupCommit(store, Chain(0, GENESIS, 1), delivery)
    yield made, begun.set
    begun.set()
    store.may_go.set()
    made.close()


async def test_what_was_committed_does_not_wait_for_the_snapshot_behind_it(store, commits):
    (commits, begin), kept = commits, asyncio.Event()
    commits.rows([row(1)], kept.set)
    commits.snapshot(1, b"x")
    begin()
    await asyncio.wait_for(kept.wait(), PATIENCE_S)

    assert not store.may_go.is_set()


async def test_a_snapshot_that_fails_takes_nothing_back_and_is_told(store, delivery, commits):
    commits, begin = commits
    kept, failed = asyncio.Event(), asyncio.Event()
    store.fails = True
    delivery.listener = lambda error: failed.set()
    commits.rows([row(1)], kept.set)
    commits.snapshot(1, b"x")
    begin()
    await asyncio.wait_for(kept.wait(), PATIENCE_S)
    store.may_go.set()
    await asyncio.wait_for(failed.wait(), PATIENCE_S)

    assert store.sequences == [1]
