"""A disk that is full or fails ends a session in words, with its entries taken back."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import threading
import time
from contextlib import suppress
from decimal import Decimal

import pytest

from holdfast import (
    JournalError,
    LiveTradingService,
    Order,
    OutcomeUnknownError,
    RiskDenied,
    SessionStateError,
    Side,
    TradingSessionStatus,
)
from holdfast.journal import open_journal, upkeep
from holdfast.journal.inspect import verify
from holdfast.journal.sqlite import SqliteStore
from holdfast.journal.stage import Stage
from holdfast.model import messages as msg
from holdfast.model.errors import JournalLocked
from holdfast.model.events import AlarmRaised
from holdfast.runtime import commit_watch
from tests.runtime.session_desk import BTC, config_in, running

ORDERS_MAX = 300


@pytest.fixture
def store(monkeypatch):
    """What holds up the commits of every journal, or makes them fail."""
    holder = Holder()
    honest = SqliteStore.insert

    def insert(self, rows):
        holder.is_inside.set()
        assert holder.may_go.wait(30)
        if holder.fails:
            raise JournalError("the disk is full")
        honest(self, rows)

    monkeypatch.setattr(SqliteStore, "insert", insert)
    return holder


class Holder:
    def __init__(self):
        self.may_go, self.is_inside, self.fails = threading.Event(), threading.Event(), False
        self.may_go.set()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"a file system can't be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"a file system can't be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _fill_up(place):
    """Leave no free byte."""
    with suppress(OSError), (place / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))


async def _trade_until_it_fails(desk):
    for _ in range(ORDERS_MAX):
        with suppress(RiskDenied):
            await desk.service.place_order(BTC, "BUY", "0.003", "LIMIT", 44_000)


def _heard_cancels(venue):
    cancelled, cancel = [], venue.cancel

    def hear(command):
        cancelled.append(command.cl_ord_id)
        cancel(command)

    venue.cancel = hear
    return cancelled


async def test_a_full_disk_stops_the_session_and_the_next_one_reconciles(tmp_path, small_disk):
    where = small_disk / "a.db"
    settings = {"database_url": f"sqlite:///{where}"}
    async with running(tmp_path / "data", **settings) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        cancelled = _heard_cancels(desk.service.live.venue)
        _fill_up(small_disk)
        with pytest.raises((JournalError, SessionStateError), match="the disk is full"):
            await _trade_until_it_fails(desk)
        await desk.service.wait()

        assert desk.status is TradingSessionStatus.ERROR
        assert "the disk is full: free some space, then start again" in desk.service.fault
        assert resting.id in cancelled
        stops = [o for o in desk.state.all_open_orders() if o.role.name == "STOP_LOSS"]
        assert stops
        assert not {o.cl_ord_id for o in stops} & set(cancelled)

    (small_disk / "ballast").unlink()
    assert verify(where).is_ok
    async with running(tmp_path / "data", feed=desk.feed.again(), **settings) as after:
        assert after.status is TradingSessionStatus.RUNNING
        assert after.open_roles() == ["STOP_LOSS"]


async def test_a_disk_that_fails_to_sync_stops_the_session(tmp_path, monkeypatch):
    async with running(tmp_path) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        cancelled = _heard_cancels(desk.service.live.venue)

        def fail(_):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(upkeep, "_sync_file", fail)
        with suppress(JournalError):  # the thread that syncs may be quicker or slower
            await desk.service.place_order(BTC, "BUY", "0.003", "LIMIT", 44_000)
        await desk.service.wait()

        assert desk.status is TradingSessionStatus.ERROR
        assert "the disk failed to sync" in desk.service.fault
        assert resting.id in cancelled
        assert desk.service.restarts == 0


async def test_a_kill_is_answered_when_a_grouped_commit_has_it(tmp_path, store):
    async with running(tmp_path, durability="power") as desk:
        store.may_go.clear()
        killing = asyncio.create_task(desk.service.kill("enough"))
        await desk.until(lambda: desk.state.is_killed)
        assert not killing.done()

        store.may_go.set()
        await asyncio.wait_for(killing, 10)


async def test_a_kill_is_answered_though_later_facts_still_wait_for_their_commit(
    tmp_path, monkeypatch
):
    may_go, is_inside = threading.Semaphore(0), threading.Event()
    honest = SqliteStore.insert

    def insert(self, rows):
        is_inside.set()
        assert may_go.acquire(timeout=30)
        honest(self, rows)

    async with running(tmp_path, durability="power") as desk:
        monkeypatch.setattr(SqliteStore, "insert", insert)
        killing = asyncio.create_task(desk.service.kill("enough"))
        await desk.until(is_inside.is_set)
        desk.service.live.shell.ask(msg.PauseSession(reason="looking"))
        may_go.release()
        await asyncio.wait_for(killing, 10)

        assert desk.service.live.shell.has_uncommitted
        may_go.release(100)


@pytest.mark.parametrize(
    "asked",
    [
        lambda service, _: service.place_order(BTC, "BUY", "0.003", "LIMIT", 44_600),
        lambda service, order: service.cancel_order(order.id),
        lambda service, order: service.modify_order(order.id, 44_400),
        lambda service, _: service.close_position(BTC),
        lambda service, _: service.adjust_position(BTC, "0.005"),
    ],
    ids=["place", "cancel", "modify", "close", "adjust"],
)
async def test_what_no_commit_has_and_so_never_left_is_not_answered_as_done(tmp_path, store, asked):
    async with running(tmp_path, durability="power", auto_restart=False) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        store.fails = True

        with pytest.raises(OutcomeUnknownError, match="the disk is full"):
            await asked(desk.service, resting)
        store.fails = False


async def test_an_amendment_whose_answer_no_commit_has_is_not_told_as_done(tmp_path, monkeypatch):
    async with running(tmp_path, auto_restart=False) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        venue = desk.service.live.venue
        replace = venue.replace

        def fail(*_):
            raise JournalError("the disk is full")

        def fail_behind(command):
            monkeypatch.setattr(Stage, "append", fail)
            replace(command)

        venue.replace = fail_behind
        with pytest.raises(OutcomeUnknownError, match="the disk is full"):
            await desk.service.modify_order(resting.id, 44_400)
        monkeypatch.undo()


async def test_an_order_that_no_commit_has_did_not_succeed(tmp_path, store):
    order = Order(symbol=BTC, side=Side.BUY, quantity=Decimal("0.003"))
    async with running(tmp_path, durability="power", auto_restart=False) as desk:
        store.fails = True
        result = await desk.service.execute_order(order)
        store.fails = False

    assert not result.success
    assert "the disk is full" in result.error


async def test_a_word_under_way_as_its_life_fails_is_not_told_to_be_refused(tmp_path):
    """The commit that it waits for may be made all the same, and it holds."""
    async with running(tmp_path, durability="power") as desk:
        await desk.service.pause("looking")
        life = desk.service.live
        resuming = asyncio.ensure_future(desk.service.resume())
        await asyncio.sleep(0)
        assert life.shell.has_uncommitted
        life.shell.fail(RuntimeError("odd"))

        with pytest.raises(OutcomeUnknownError, match="nobody knows whether it holds"):
            await resuming
        await desk.until(lambda: desk.service.live is not life and desk.service.is_running())
        await desk.until(lambda: desk.status is TradingSessionStatus.RUNNING)


async def test_a_kill_that_no_commit_has_is_not_answered_as_one(tmp_path, store):
    async with running(tmp_path, durability="power", auto_restart=False) as desk:
        store.fails = True

        with pytest.raises(OutcomeUnknownError, match="before this was on record"):
            await desk.service.kill("enough")
        store.fails = False


class Told:
    def __init__(self):
        self.lines = []

    def notify(self, level, text):
        self.lines.append((level, text))

    def has(self, words):
        return any(words in text for _, text in self.lines)


@pytest.fixture
def told():
    return Told()


def _watched(folder, told):
    return LiveTradingService(config=config_in(folder, durability="power"), notifier=told)


async def test_a_commit_that_hangs_is_told_of_and_the_session_given_up(
    tmp_path, store, told, monkeypatch
):
    """Nothing may leave before it: no stop for a fill, no kill, and no alarm of the engine's."""
    monkeypatch.setattr(commit_watch, "LOOK_S", 0.02)
    monkeypatch.setattr(commit_watch, "ALARM_S", 0.2)
    monkeypatch.setattr(commit_watch, "GIVE_UP_S", 1.0)
    async with running(tmp_path, service=_watched(tmp_path, told)) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        await desk.service.live.shell.committed()
        cancelled = _heard_cancels(desk.service.live.venue)
        store.may_go.clear()
        try:
            killing = asyncio.ensure_future(desk.service.kill("enough"))
            await desk.until(lambda: told.has("journal_hangs"))
            assert not desk.service.live.has_failed
            assert cancelled == []
            with pytest.raises(OutcomeUnknownError, match="nobody knows whether it holds"):
                await asyncio.wait_for(killing, 5)
            await asyncio.wait_for(desk.service.wait(), 5)  # and the disk hangs on

            assert resting.id in cancelled
            assert desk.status is TradingSessionStatus.ERROR
            assert "has taken nothing for 1 s" in desk.service.fault
            assert told.has("the session is given up")
        finally:
            store.may_go.set()


async def test_a_commit_that_comes_back_in_time_ends_nothing(tmp_path, store, told, monkeypatch):
    monkeypatch.setattr(commit_watch, "LOOK_S", 0.02)
    monkeypatch.setattr(commit_watch, "ALARM_S", 0.2)
    async with running(tmp_path, service=_watched(tmp_path, told)) as desk:
        store.may_go.clear()
        placing = asyncio.ensure_future(
            desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        )
        await desk.until(lambda: told.has("journal_hangs"))
        store.may_go.set()
        await asyncio.wait_for(placing, 5)
        await desk.until(lambda: told.has("the journal takes facts again"))

        assert desk.status is TradingSessionStatus.RUNNING
        assert [text for level, text in told.lines if level == "alarm"][1:] == []


async def test_a_journal_whose_commit_hangs_is_given_back_once_that_ends(tmp_path, store):
    journal = open_journal(tmp_path / "a.db", durability="power")
    store.may_go.clear()
    try:
        journal.append([AlarmRaised(ts=1, code="x", text="y")])
        assert await asyncio.to_thread(store.is_inside.wait, 5)
        journal.give_up(JournalError("it hangs"))
        began = time.monotonic()
        journal.close()
        assert time.monotonic() - began < 5
        with pytest.raises(JournalLocked):  # what hangs may write to it still
            open_journal(tmp_path / "a.db", durability="power")
    finally:
        store.may_go.set()
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(_is_free, tmp_path / "a.db"):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)


@pytest.fixture
def held(monkeypatch):
    """A disk that takes what is written and holds each sync until `may_go`."""
    may_go, honest = threading.Event(), upkeep._sync_file
    may_go.set()

    def sync(fd):
        assert may_go.wait(30)
        honest(fd)

    monkeypatch.setattr(upkeep, "_sync_file", sync)
    monkeypatch.setattr(commit_watch, "LOOK_S", 0.02)
    monkeypatch.setattr(commit_watch, "ALARM_S", 0.2)
    yield may_go
    may_go.set()


async def test_a_kill_under_a_held_sync_acts_at_once_and_is_answered_behind_it(
    tmp_path, held, told
):
    """What the session guards goes on: the loop waits for no disk."""
    service = LiveTradingService(config=config_in(tmp_path), notifier=told)
    async with running(tmp_path, service=service) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        cancelled = _heard_cancels(desk.service.live.venue)
        held.clear()
        killing = asyncio.ensure_future(desk.service.kill("enough"))
        await desk.until(lambda: told.has("has held a sync for 0.2 s"))

        assert resting.id in cancelled
        assert not killing.done()
        held.set()
        await asyncio.wait_for(killing, 5)
        await desk.until(lambda: told.has("the journal takes facts again"))
        assert desk.state.is_killed


async def test_a_sync_that_is_held_for_long_ends_the_session_and_says_so_of_a_kill(
    tmp_path, held, told, monkeypatch
):
    monkeypatch.setattr(commit_watch, "GIVE_UP_S", 1.0)
    service = LiveTradingService(config=config_in(tmp_path), notifier=told)
    async with running(tmp_path, service=service) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        cancelled = _heard_cancels(desk.service.live.venue)
        held.clear()
        pausing = asyncio.ensure_future(desk.service.pause("looking"))
        with pytest.raises(OutcomeUnknownError, match="nobody knows whether it holds"):
            await asyncio.wait_for(pausing, 10)
        await asyncio.wait_for(desk.service.wait(), 10)  # and the disk holds on

        assert resting.id in cancelled
        assert desk.status is TradingSessionStatus.ERROR
        assert "could sync nothing for 1 s" in desk.service.fault
        held.set()


async def test_an_order_to_be_sent_once_ends_the_session_where_its_sync_is_held(
    tmp_path, held, monkeypatch
):
    """Nothing of it leaves, and the loop waits so long and no longer."""
    monkeypatch.setattr(upkeep, "SYNC_S_MAX", 0.3)
    async with running(tmp_path) as desk:
        sent: list[object] = []
        monkeypatch.setattr(desk.service.live.venue, "submit", sent.append)
        held.clear()
        with pytest.raises((JournalError, OutcomeUnknownError)):
            await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500, request_id="once")
        await asyncio.wait_for(desk.service.wait(), 10)

        assert sent == []
        assert "has held a sync for 0.3 s" in desk.service.fault
        held.set()


async def test_a_journal_whose_sync_is_held_is_given_back_once_that_ends(tmp_path, held):
    journal = open_journal(tmp_path / "a.db")
    held.clear()
    journal.append([AlarmRaised(ts=1, code="x", text="y")])
    async with asyncio.timeout(5):
        while not journal.sync_under_way:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    journal.give_up(JournalError("it hangs"))
    began = time.monotonic()
    journal.close()
    assert time.monotonic() - began < 5
    with pytest.raises(JournalLocked):  # what hangs may write to it still
        open_journal(tmp_path / "a.db")

    held.set()
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(_is_free, tmp_path / "a.db"):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)


def _is_free(where):
    try:
        open_journal(where, durability="power").close()
    except JournalLocked:
        return False
    return True
