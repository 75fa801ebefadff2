"""The simulated disk: the journal's own rows on it, torn, lost, fenced."""

from __future__ import annotations

from random import Random

import pytest

from holdfast.model import events as ev
from holdfast.model.errors import Fenced, JournalError
from holdfast.simulation.disk import Disk, open_disk


def disk_at(now=None):
    return Disk(lots=Random(1), now=lambda: (now or [0.0])[0])


def fact(number):
    return ev.StrategyStarted(ts=number, strategy_id="s", description=str(number))  # type: ignore[arg-type]


def test_what_was_appended_is_there_for_the_next_owner():
    disk = disk_at()
    open_disk(disk, "process").append([fact(1), fact(2)])

    assert [each.ts for each in open_disk(disk, "process").replay()] == [1, 2]


def test_an_owner_that_was_succeeded_is_fenced():
    disk = disk_at()
    first = open_disk(disk, "process")
    open_disk(disk, "process")

    with pytest.raises(Fenced):
        first.append([fact(1)])


def test_a_power_cut_takes_what_was_not_synced_and_nothing_else():
    now = [0.0]
    disk = disk_at(now)
    journal = open_disk(disk, "process")
    journal.append([fact(1)])
    now[0] = 1.0
    journal.append([fact(2)])

    assert disk.cut_power() == 1
    assert [each.ts for each in open_disk(disk, "process").replay()] == [1]


def test_a_torn_fact_is_set_aside_and_told():
    disk = disk_at()
    open_disk(disk, "process").append([fact(1), fact(2)])
    disk.rows[-1] = disk.tear(disk.rows[-1])
    journal = open_disk(disk, "process")

    assert [each.ts for each in journal.replay()] == [1]
    assert journal.findings == ["1 torn facts at the end were set aside"]


@pytest.mark.parametrize("wrong", ["is_full", "fails_to_sync"])
def test_a_disk_that_fails_is_told(wrong):
    disk = disk_at()
    journal = open_disk(disk, "process")
    setattr(disk, wrong, True)

    def write():
        journal.append([fact(1)])
        journal.sync()

    with pytest.raises(JournalError):
        write()


def told_after_a_cut(now, *, promises):
    told: list[str] = []
    disk = disk_at(now)
    disk.on_undurable = told.append
    disk.promises = promises
    journal = open_disk(disk, "process")
    journal.append([fact(1)])
    now[0] += 0.2
    disk.cut_power()
    return told


def test_a_cut_that_takes_what_must_have_been_synced_long_ago_is_told():
    assert told_after_a_cut([0.0], promises=True) == ["1 facts were lost, 0.200 s old"]


def test_what_a_dead_process_left_unsynced_is_nobodys_promise():
    assert told_after_a_cut([0.0], promises=False) == []


@pytest.mark.parametrize(("kept", "is_wrong"), [(1, True), (2, False)])
def test_in_power_mode_only_what_a_write_that_died_half_way_left_may_go(kept, is_wrong):
    disk, told = disk_at(), list[str]()
    disk.on_undurable = told.append
    open_disk(disk, "process").append([fact(1), fact(2), fact(3)])
    disk.syncs_commits, disk.synced, disk.unpromised = True, kept, 2
    disk.lots = Random(0) if kept == 1 else Random(1)
    disk.cut_power()

    assert bool(told) is is_wrong
