"""The thread beside an SQLite journal: syncs in time, and keeps the log from growing."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.journal import open_journal, stage, upkeep
from holdfast.model.errors import Fenced, JournalError
from tests.journal.samples import commit, fill, fills


def _upkeep(journal):
    return vars(journal)["_sync"].__self__


def test_commit_is_synced_within_50_ms_without_asking(tmp_path, monkeypatch):
    assert upkeep.SYNC_EVERY_S < 0.05
    synced = threading.Event()
    threads = set()

    def sync(fd):
        os.fdatasync(fd)
        threads.add(threading.current_thread().name)
        synced.set()

    monkeypatch.setattr(upkeep, "_sync_file", sync)
    journal = open_journal(tmp_path / "a.db")
    journal.append([fill(1)])

    assert synced.wait(5)
    assert threads == {"journal-upkeep"}
    journal.close()


def test_nothing_new_needs_no_sync(tmp_path, monkeypatch):
    calls: list[int] = []
    monkeypatch.setattr(upkeep, "_sync_file", calls.append)
    journal = open_journal(tmp_path / "a.db")
    journal.append([fill(1)])
    journal.sync()
    count = len(calls)
    journal.sync()

    assert count >= 1
    assert len(calls) == count
    journal.close()


@pytest.mark.parametrize(("durability", "level"), [("process", 1), ("power", 2)])
def test_durability_is_what_sqlite_is_told(tmp_path, durability, level):
    journal = open_journal(tmp_path / "a.db", durability=durability)
    store = vars(journal)["_committer"]._store

    assert store.pragma("synchronous") == (level,)
    assert store.pragma("journal_mode") == ("wal",)
    assert store.pragma("wal_autocheckpoint") == (0,)
    journal.close()


def test_log_starts_over_once_it_has_been_moved(tmp_path):
    journal = open_journal(tmp_path / "a.db")
    log = tmp_path / "a.db-wal"
    sizes = []
    for round_ in range(5):
        for fact in fills(100, start=100 * round_ + 1):
            journal.append([fact])
        journal.sync()
        _upkeep(journal).checkpoint()
        sizes.append(log.stat().st_size)

    assert sizes[0] > 0
    assert max(sizes) < 1.5 * sizes[0]
    assert list(journal.replay()) == fills(500)
    journal.close()


def test_thread_moves_the_log_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(upkeep, "CHECKPOINT_FACTS", 10)
    moved = threading.Event()
    checkpoint = upkeep.Upkeep.checkpoint

    def checkpoint_and_tell(self):
        checkpoint(self)
        moved.set()

    monkeypatch.setattr(upkeep.Upkeep, "checkpoint", checkpoint_and_tell)
    journal = open_journal(tmp_path / "a.db")
    for fact in fills(20):
        journal.append([fact])

    assert moved.wait(5)
    journal.close()


def test_log_past_its_limit_is_made_to_start_over_under_fire(tmp_path, monkeypatch):
    """A writer that never pauses would keep a polite checkpoint from ever finishing."""
    monkeypatch.setattr(upkeep, "WAL_BYTES_LIMIT", 200_000)
    monkeypatch.setattr(upkeep, "CHECKPOINT_FACTS", 20)
    monkeypatch.setattr(upkeep, "SYNC_EVERY_S", 0.001)
    journal = open_journal(tmp_path / "a.db")
    for fact in fills(5_000):
        journal.append([fact])
    size = (tmp_path / "a.db-wal").stat().st_size
    assert list(journal.replay()) == fills(5_000)
    journal.close()

    assert size < 8_000_000  # 5,000 commits write more than 20 MB


def test_snapshots_alone_make_the_log_start_over(tmp_path, monkeypatch):
    """A quiet session keeps one of megabytes each minute beside a fact or two."""
    monkeypatch.setattr(upkeep, "CHECKPOINT_BYTES", 500_000)
    monkeypatch.setattr(upkeep, "SYNC_EVERY_S", 0.001)
    checkpoint, has_moved = upkeep.Upkeep.checkpoint, threading.Event()

    def checkpoint_and_tell(self):
        checkpoint(self)
        has_moved.set()

    monkeypatch.setattr(upkeep.Upkeep, "checkpoint", checkpoint_and_tell)
    journal = open_journal(tmp_path / "a.db")
    journal.append([fill(1)])
    for _ in range(10):
        has_moved.clear()
        for _ in range(5):
            journal.save_snapshot(1, os.urandom(100_000))
        assert has_moved.wait(5)
    size = (tmp_path / "a.db-wal").stat().st_size
    journal.close()

    assert size < 2_000_000  # 50 snapshots write more than 5 MB


class Moves:
    """A connection of upkeep's beside which something happens at each checkpoint."""

    def __init__(self, connection, beside):
        self._connection, self._beside = connection, beside

    def execute(self, query):
        found = self._connection.execute(query)
        self._beside()
        return found

    def close(self):
        self._connection.close()


def test_commits_beside_a_checkpoint_are_no_foreign_reader(tmp_path, monkeypatch):
    """All pages were moved; the log only did not start over yet."""
    monkeypatch.setattr(upkeep, "SYNC_EVERY_S", 600)
    monkeypatch.setattr(upkeep, "WAL_BYTES_LIMIT", 50_000)
    monkeypatch.setattr(upkeep, "WAL_BYTES_MAX", 100_000)
    monkeypatch.setattr(upkeep, "HELD_S", 0)
    journal = open_journal(tmp_path / "a.db", durability="power")
    thread, log = _upkeep(journal), tmp_path / "a.db-wal"
    journal.append([fill(1)])
    facts = iter(fills(100, start=2))
    thread._connection = Moves(thread._connection, lambda: commit(journal, [next(facts)]))
    for _ in range(3):
        while log.stat().st_size < 200_000:
            commit(journal, [next(facts)])
        thread.checkpoint()

    commit(journal, [next(facts)])
    journal.close()


def test_long_log_that_is_let_go_in_time_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(upkeep, "SYNC_EVERY_S", 600)
    monkeypatch.setattr(upkeep, "WAL_BYTES_LIMIT", 50_000)
    monkeypatch.setattr(upkeep, "WAL_BYTES_MAX", 100_000)
    monkeypatch.setattr(upkeep, "HELD_S", 0)
    journal = open_journal(tmp_path / "a.db", durability="power")
    thread = _upkeep(journal)
    readers = [sqlite3.connect(tmp_path / "a.db", isolation_level=None) for _ in range(3)]
    start = 1
    for before, reader in zip([None, *readers], readers, strict=False):
        for fact in fills(40, start=start):
            commit(journal, [fact])
        start += 40
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM facts").fetchall()
        if before is not None:
            before.execute("COMMIT")
        commit(journal, [fill(start)])
        start += 1
        thread.checkpoint()  # each time somebody holds the log, and each time somebody else

    assert journal.failure is None
    for reader in readers:
        reader.close()
    journal.close()


async def test_log_that_a_foreign_reader_holds_ends_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(upkeep, "WAL_BYTES_LIMIT", 50_000)
    monkeypatch.setattr(upkeep, "WAL_BYTES_MAX", 100_000)
    monkeypatch.setattr(upkeep, "HELD_S", 0.1)
    monkeypatch.setattr(upkeep, "CHECKPOINT_FACTS", 10)
    journal = open_journal(tmp_path / "a.db")
    journal.append([fill(1)])
    reader = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM facts").fetchall()
    told = asyncio.get_running_loop().create_future()
    journal.on_failure = told.set_result
    with suppress(JournalError):
        for fact in fills(100, start=2):
            commit(journal, [fact])

    assert "another program keeps a transaction open" in str(await told)
    with pytest.raises(JournalError, match="close that program"):
        journal.append([fill(1)])
    reader.close()
    journal.close()


async def test_thread_that_meets_what_nobody_foresaw_ends_the_journal(tmp_path, monkeypatch):

    def unforeseen(*_, **__):
        raise ValueError("nobody foresaw it")

    monkeypatch.setattr(stage, "STAGE_BYTES", 600)
    journal = open_journal(tmp_path / "a.db")
    told = asyncio.get_running_loop().create_future()
    journal.on_failure = told.set_result
    monkeypatch.setattr(Path, "unlink", unforeseen)
    for fact in fills(6):
        journal.append([fact])

    assert "nobody foresaw it" in str(await asyncio.wait_for(told, 10))
    with pytest.raises(JournalError, match="its thread failed"):
        journal.append([fill(7)])
    journal.close()


def test_one_commit_is_quick(tmp_path):
    """Thirty microseconds are the aim; a busy machine gets some room."""
    journal = open_journal(tmp_path / "a.db")
    costs = []
    for fact in fills(2_000):
        start = time.perf_counter_ns()
        journal.append([fact])
        costs.append(time.perf_counter_ns() - start)
    journal.close()

    assert sorted(costs)[len(costs) // 4] < 150_000


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("is_restored", [False, True])
def test_owner_whose_folder_gave_way_to_another_hears_of_it(
    tmp_path, monkeypatch, durability, is_restored
):
    """What it writes goes on to the folder's old files, which no start would read."""
    path = tmp_path / "live" / "a.db"
    path.parent.mkdir()
    journal = open_journal(path, durability=durability)
    delivery, failed = vars(journal)["_delivery"], threading.Event()
    fail = delivery.fail

    def fail_and_tell(error, **how):
        fail(error, **how)
        failed.set()

    monkeypatch.setattr(delivery, "fail", fail_and_tell)
    shutil.copytree(path.parent, tmp_path / "backup")
    path.parent.rename(tmp_path / "elsewhere")
    if is_restored:
        (tmp_path / "backup").rename(path.parent)

    assert failed.wait(5)
    with pytest.raises(Fenced, match="moved away"):
        journal.append([fill(1)])
    with suppress(Fenced):
        journal.close()


def test_who_waits_for_the_store_waits_so_long_and_no_longer(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.journal.commit.FLUSH_S_MAX", 0.05)
    journal = open_journal(tmp_path / "a.db")
    committer = vars(journal)["_committer"]

    with vars(committer)["_lock"], pytest.raises(JournalError, match="has taken nothing"):
        committer.move()

    with suppress(JournalError):  # its thread may have waited as long
        journal.close()
