"""Commits that are slow one after the other are told of, and at last not waited for."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from holdfast.model.values import NS_PER_S
from holdfast.runtime.commit_watch import LOOK_S, CommitWatch


class SlowDisk:
    """A session whose commits take so long, and that appends something between two looks."""

    def __init__(self, commit_s, quiet_s=0.0):
        self.appended_count = self.recorded_count = 0
        self.has_failed = False
        self.sync_under_way = 0
        self.given_up, self.lines = [], []
        self.seen_s = 0.0
        self._commit_s, self._quiet_s = commit_s, quiet_s
        self._next_s = 0.0
        self._commits = None  # when the commit under way ends, and up to which batch

    def give_up(self, error):
        self.has_failed = True
        self.given_up.append(str(error))

    def notify(self, level, text):
        self.lines.append((level, text))

    def pass_time(self):
        self.seen_s += LOOK_S
        if self._commits is not None and self._commits[0] <= self.seen_s:
            self.recorded_count, self._commits = self._commits[1], None
        if self.seen_s >= self._next_s:
            self.appended_count += 1
            self._next_s = self.seen_s + self._quiet_s
        if self._commits is None and self.appended_count > self.recorded_count:
            self._commits = self.seen_s + self._commit_s, self.appended_count


@asynccontextmanager
async def watched(disk):
    watch = CommitWatch(disk, disk, disk, 5 * NS_PER_S)
    try:
        yield watch
    finally:
        watch.close()


async def _see(disk, seconds):
    """Look for so long, or until the session is given up; return when that was."""
    async with watched(disk) as watch:
        while disk.seen_s < seconds and not disk.has_failed:
            disk.pass_time()
            watch.look()
    return disk.seen_s


@pytest.mark.parametrize("commit_s", [5, 6, 8, 10, 14])
async def test_commits_that_let_nothing_leave_in_time_end_the_session(commit_s):
    """Each of them takes something, and each stop is past its fence when it comes to leave."""
    disk = SlowDisk(commit_s)

    ended_s = await _see(disk, 300)

    assert len(disk.given_up) == 1
    assert ended_s <= 25
    assert any("journal_hangs" in text for _, text in disk.lines)


async def test_late_commits_end_a_session_in_which_little_happens_too():
    disk = SlowDisk(6, quiet_s=30)

    await _see(disk, 300)

    assert "3 times in a row" in disk.given_up[0]


@pytest.mark.parametrize("commit_s", [0, 0.5, 1, 2])
async def test_commits_that_are_slow_and_let_orders_leave_end_nothing(commit_s):
    disk = SlowDisk(commit_s)

    await _see(disk, 300)

    assert disk.given_up == []


async def test_commits_that_were_slow_for_a_while_end_nothing():
    disk = SlowDisk(6)
    await _see(disk, 13)

    disk._commit_s = 0.5
    async with watched(disk) as watch:
        while disk.seen_s < 300:
            disk.pass_time()
            watch.look()

    assert disk.given_up == []


async def test_a_journal_that_stays_behind_is_told_of_once():
    disk = SlowDisk(4)

    await _see(disk, 14)

    assert [level for level, _ in disk.lines] == ["alarm"]


async def _see_syncs(seconds, sync_s):
    """Look for so long at a disk that takes so long for each sync, while commits get on."""
    disk = SlowDisk(0)
    async with watched(disk) as watch:
        while disk.seen_s < seconds and not disk.has_failed:
            disk.sync_under_way = 1 + int(disk.seen_s / sync_s)
            disk.pass_time()
            watch.look()
    return disk


async def test_a_sync_that_the_disk_holds_is_told_of_and_ends_the_session():
    disk = await _see_syncs(60, sync_s=1_000)

    (alarm,) = [text for level, text in disk.lines if level == "alarm"]
    assert "has held a sync for 3 s" in alarm
    assert disk.given_up == [
        "the journal could sync nothing for 15 s: see to its disk or server",
    ]
    assert disk.seen_s <= 16


async def test_syncs_that_get_on_are_told_of_at_most():
    disk = await _see_syncs(120, sync_s=5)

    assert disk.given_up == []
    assert disk.lines[0][0] == "alarm"
    assert "the last ones waited" in disk.lines[1][1]


async def test_quick_syncs_are_not_spoken_of():
    disk = await _see_syncs(120, sync_s=2)

    assert disk.lines == []
