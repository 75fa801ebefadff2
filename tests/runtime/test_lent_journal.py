"""A session that waits between two lives, and a program that has its journal meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import psycopg
import pytest

from holdfast import LiveTradingService, NetworkError, OrderStatus, TradingSessionStatus
from holdfast.journal import Owner, open_journal
from holdfast.journal.owner import FileLock
from holdfast.journal.server import lock_key
from holdfast.model.values import NS_PER_S
from holdfast.runtime import lives
from tests.runtime.session_desk import BTC, Away, ScriptedFeed, running

S = TradingSessionStatus
SOMEBODY = Owner(pid=1, host="elsewhere", started=1)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.01)


@contextmanager
def archived(folder):
    """Have the journal as `holdfast journal archive` has it that nobody owns at that moment."""
    lock = FileLock(folder / "holdfast.db.lock", Owner.here())
    try:
        yield
    finally:
        lock.release()


@contextmanager
def archived_on_server(where):
    """Have the lock of a journal on a server, as a connection that it has not yet dropped."""
    with psycopg.connect(where, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (lock_key("holdfast holdfast"),))
        yield


async def away(desk, monkeypatch):
    """Have the session fail and wait for an exchange that can't be reached."""
    there = Away(monkeypatch)
    desk.service.live.shell.fail(NetworkError("the connection was lost"))
    await desk.until(lambda: desk.service._lives._is_away)
    return there


async def met(desk):
    """Wait until the session has found that somebody has its journal."""
    await desk.until(lambda: "JournalLocked" in desk.service.fault)


async def test_a_session_waits_for_its_journal_that_is_archived(tmp_path, monkeypatch):
    async with running(tmp_path) as desk:
        session = desk.service.session().id
        there = await away(desk, monkeypatch)
        there.most = 0
        with archived(tmp_path):
            await met(desk)
        await desk.until(lambda: desk.status is S.RUNNING)

        assert desk.service.session().id == session
        order = await desk.service.place_order(BTC, "BUY", "0.01")
        assert order.status is OrderStatus.FILLED


@pytest.mark.postgres
async def test_a_session_waits_for_its_journals_lock_on_a_server(
    tmp_path, monkeypatch, postgres_url
):
    monkeypatch.setattr("holdfast.journal.postgres.LOCK_WAIT_S", 0.0)
    async with running(tmp_path, database_url=postgres_url) as desk:
        there = await away(desk, monkeypatch)
        there.most = 0
        with archived_on_server(postgres_url):
            await met(desk)
        await desk.until(lambda: desk.status is S.RUNNING)


async def test_a_session_whose_journal_somebody_else_owns_now_is_given_up(tmp_path, monkeypatch):
    async with running(tmp_path) as desk:
        await away(desk, monkeypatch)
        other = open_journal(tmp_path / "holdfast.db", owner=SOMEBODY)
        await desk.service.wait()
        other.close()

        assert "is owned by process 1 on elsewhere" in desk.service.fault
        assert desk.status is S.ERROR


async def test_a_stop_between_two_lives_waits_for_a_journal_that_is_archived(tmp_path, monkeypatch):
    async with running(tmp_path) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        there = await away(desk, monkeypatch)
        with archived(tmp_path):
            await met(desk)
            stop = asyncio.create_task(desk.service.stop("enough"))
            await desk.until(lambda: desk.service._lives._stop_word)
            done, _ = await asyncio.wait({stop}, timeout=0.3)
            assert not done
        session = await asyncio.wait_for(stop, 10)
        later = ScriptedFeed(start_ts=desk.feed.now + NS_PER_S)
    assert session.status is S.STOPPING
    there.most = 0

    service = LiveTradingService(config=desk.service.config)
    async with running(tmp_path, service=service, feed=later) as desk:
        await desk.until(lambda: desk.status is S.STOPPED)
        assert desk.state.orders[resting.id].status is OrderStatus.CANCELED
