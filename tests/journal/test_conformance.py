"""What every journal promises, wherever it keeps its facts."""

from __future__ import annotations

import asyncio
import threading

import pytest

from holdfast.journal import open_journal
from holdfast.journal.inspect import verify
from holdfast.model.errors import Fenced, JournalError, JournalLocked
from tests.journal.samples import commit, fill, fills


@pytest.fixture
def journal(place):
    journal = place.open()
    yield journal
    journal.close()


def test_new_journal_is_empty_and_owns_the_first_epoch(journal):
    assert (journal.epoch, journal.sequence) == (1, 0)
    assert list(journal.replay()) == []
    assert journal.load_snapshot() is None
    assert journal.findings == []
    assert journal.failure is None


def test_facts_replay_in_the_order_of_their_appends(journal):
    journal.append(fills(3))
    journal.append([fill(4)])
    journal.append([])

    assert list(journal.replay()) == fills(4)
    assert journal.sequence == 4


def test_replay_begins_behind_the_sequence_it_is_given(journal):
    journal.append(fills(5))

    assert list(journal.replay(after=3)) == fills(2, start=4)
    assert list(journal.replay(after=5)) == []


def test_replay_from_past_the_end_is_refused(journal):
    with pytest.raises(JournalError, match="no fact 1"):
        list(journal.replay(after=1))


def test_more_facts_than_a_page_replay_whole(journal):
    journal.append(fills(2_345))

    assert list(journal.replay()) == fills(2_345)


def test_facts_and_epochs_outlive_the_owner(place):
    for life in range(1, 4):
        journal = place.open()
        assert journal.epoch == life
        journal.append(fills(2, start=2 * life - 1))
        journal.close()

    journal = place.open()
    assert list(journal.replay()) == fills(6)
    journal.close()


def test_an_epoch_is_at_least_what_its_owner_asks_for(database):
    for least, epoch in ((1_000, 1_000), (7, 1_001), (2_000, 2_000)):
        journal = database.open(epoch_min=least)
        assert journal.epoch == epoch
        journal.append(fills(1, start=epoch))
        journal.close()

    assert verify(database.where).problem == ""


def test_equal_histories_have_equal_heads(place, journal):
    journal.append(fills(2))
    reference = open_journal("memory:")
    reference.append(fills(2))

    assert journal.head == reference.head
    journal.append(fills(1))
    assert journal.head != reference.head


async def test_on_commit_is_called_on_the_loops_thread_in_order(journal):
    heard = []
    done = asyncio.Event()
    for number in range(50):
        journal.append(
            [fill(number)], lambda n=number: heard.append((n, threading.current_thread()))
        )
    journal.append([], done.set)
    await done.wait()

    assert heard == [(number, threading.main_thread()) for number in range(50)]


async def test_facts_are_on_record_when_on_commit_is_called(database):
    journal = database.open()
    heard: asyncio.Queue[int] = asyncio.Queue()

    def look():
        reader = open_journal(database.where, read_only=True)
        heard.put_nowait(reader.sequence)
        reader.close()

    for number in range(5):
        journal.append([fill(number)], look)
    counts = [await heard.get() for _ in range(5)]
    journal.close()

    assert all(count >= number for number, count in enumerate(counts, 1))


async def test_on_commit_may_append(journal):
    done = asyncio.Event()
    journal.append([fill(1)], lambda: journal.append([fill(2)], done.set))
    await done.wait()

    assert list(journal.replay()) == fills(2)


def test_synchronous_journal_calls_before_append_returns(journal):
    calls = []
    journal.append([fill(1)], lambda: calls.append(1))

    assert bool(calls) or not journal.is_synchronous
    journal.sync()
    assert calls == [1]  # no loop runs: where commits are grouped `sync` calls


async def test_an_on_commit_that_raises_does_not_silence_the_next(grouped):
    journal = grouped.open()
    raised = []
    done = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    journal.append([fill(1)], lambda: 1 / 0)
    journal.append([fill(2)], done.set)
    await done.wait()
    journal.close()

    assert isinstance(raised[0]["exception"], ZeroDivisionError)


def test_callbacks_left_by_a_closed_loop_are_called_by_sync(database):
    journal = database.open()
    calls = []

    async def run():
        journal.append([fill(1)], lambda: calls.append(1))

    asyncio.run(run())
    journal.sync()
    journal.close()

    assert calls == [1]


def test_sync_waits_for_everything_appended(database):
    journal = database.open()
    for number in range(100):
        journal.append([fill(number)])
    journal.sync()

    assert database.execute("SELECT count(*) FROM facts") == [(100,)]
    journal.close()


async def test_when_synced_calls_on_the_loop_behind_everything_appended(journal):
    calls: list[object] = []
    done = asyncio.Event()
    journal.append([fill(1)], lambda: calls.append("fact"))
    journal.when_synced(lambda: calls.append(threading.get_ident()))
    journal.when_synced(done.set)
    await asyncio.wait_for(done.wait(), 10)

    assert calls == ["fact", threading.get_ident()]


def test_snapshot_is_kept_newest_only(database):
    journal = database.open()
    journal.append(fills(9))
    journal.save_snapshot(4, b"four")
    journal.save_snapshot(9, b"nine \x00\xff")
    journal.close()
    journal = database.open()

    assert journal.load_snapshot() == (9, b"nine \x00\xff")
    assert database.execute("SELECT count(*) FROM snapshots") == [(1,)]
    journal.close()


def test_snapshot_past_the_last_fact_is_refused(journal):
    journal.append(fills(2))

    with pytest.raises(JournalError, match="within 0 to 2"):
        journal.save_snapshot(3, b"")
    journal.save_snapshot(0, b"empty")
    assert journal.load_snapshot() == (0, b"empty")


@pytest.mark.parametrize("what", ["payload", "hash"])
def test_damaged_snapshot_is_ignored_with_a_report(database, what):
    journal = database.open()
    journal.append(fills(3))
    journal.save_snapshot(3, b"state")
    journal.sync()
    database.execute(f"UPDATE snapshots SET {what} = ?", b"damaged")

    assert journal.load_snapshot() is None
    assert "snapshot at 3 is damaged" in journal.findings[0]
    assert list(journal.replay()) == fills(3)
    journal.close()


def test_older_owner_is_fenced(place):
    zombie = place.open()
    zombie.append(fills(2))
    zombie.sync()
    owner = place.open_despite_owner()

    with pytest.raises(Fenced, match="epoch"):
        commit(zombie, [fill(3)])
    with pytest.raises(Fenced):
        zombie.append([fill(3)])
    owner.append([fill(4)])
    assert list(owner.replay()) == [*fills(2), fill(4)]
    zombie.close()
    owner.close()


def test_older_owner_keeps_no_snapshot(place):
    """A start folds from the newest one: an older state there needs facts that may be archived."""
    zombie = place.open()
    commit(zombie, fills(2))
    owner = place.open_despite_owner()
    commit(owner, fills(2, start=3))
    owner.save_snapshot(4, b"new")
    owner.sync()

    def save_older():
        zombie.save_snapshot(1, b"old")
        zombie.sync()

    with pytest.raises(Fenced, match="epoch 1"):
        save_older()
    assert owner.load_snapshot() == (4, b"new")
    zombie.close()
    owner.close()


def test_second_owner_is_told_who_the_first_is(database, monkeypatch):
    monkeypatch.setattr("holdfast.journal.postgres.LOCK_WAIT_S", 0.1)
    first = database.open()

    with pytest.raises(JournalLocked, match=r"owned by process \d+ on .* \(since 20"):
        database.open()
    first.close()
    database.open().close()


def test_readers_work_beside_the_owner_and_change_nothing(database):
    owner = database.open()
    owner.append(fills(3))
    owner.save_snapshot(3, b"state")
    owner.sync()
    reader = open_journal(database.where, read_only=True)

    assert (reader.epoch, reader.sequence, reader.head) == (1, 3, owner.head)
    assert list(reader.replay()) == fills(3)
    assert reader.load_snapshot() == (3, b"state")
    owner.append([fill(4)])
    owner.sync()
    assert list(reader.replay(after=3)) == [fill(4)]
    for refused in (lambda: reader.append([fill(5)]), lambda: reader.save_snapshot(1, b"")):
        with pytest.raises(JournalError, match="reading only"):
            refused()
    reader.close()
    owner.close()


def test_readers_find_a_closed_journal_whole(database):
    owner = database.open()
    owner.append(fills(3))
    owner.close()

    assert verify(database.where).is_ok
    reader = open_journal(database.where, read_only=True)
    assert list(reader.replay()) == fills(3)
    reader.close()


def test_closed_journal_takes_no_facts_and_closes_again(journal):
    journal.close()
    journal.close()

    with pytest.raises(JournalError, match="closed"):
        journal.append([fill(1)])


def test_closing_commits_what_was_appended(database):
    journal = database.open()
    for number in range(1, 51):
        journal.append([fill(number)])
    journal.close()
    journal = database.open()

    assert list(journal.replay()) == fills(50)
    journal.close()
