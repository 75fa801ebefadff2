"""What a session is after its process has died: from images of its disk, and from real kills."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from holdfast import LiveTradingService, OrderStatus, RiskDenied, TradingSessionStatus
from holdfast.engine.state import State
from holdfast.journal import open_journal
from holdfast.model import messages as msg
from holdfast.model.events import AlarmRaised
from holdfast.model.market import Trade
from holdfast.runtime import beat
from holdfast.runtime import live as live_module
from holdfast.runtime.recovery import StateRecoveryService
from holdfast.runtime.shell import Shell
from holdfast.strategies import Strategy
from tests.runtime.session_desk import (
    BTC,
    PATIENCE_S,
    books_agree,
    config_in,
    crash_image,
    running,
)

S = TradingSessionStatus
KEY = ("main", BTC)


async def test_a_crash_is_gone_on_from_under_the_same_id(tmp_path):
    async with running(tmp_path / "a") as desk:
        session = desk.service.session()
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000, take_profit=46_000)
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 43_000)
        last_ts = desk.state.last_ts
        image = crash_image(tmp_path / "a", tmp_path / "b")

        feed = desk.feed.again()
        async with running(image, feed=feed) as after:
            assert after.service.session().id == session.id
            assert after.service.session().portfolio_id == session.portfolio_id
            assert after.service.session().started_at == session.started_at
            assert after.status is S.RUNNING
            assert after.state.position(KEY).qty == Decimal("0.01")
            assert after.open_roles() == ["ENTRY", "STOP_LOSS", "TAKE_PROFIT"]
            assert await after.service.get_order_status(resting.id) is OrderStatus.NEW
            assert feed.reads == [last_ts]

            await after.feed.price(43_900)
            assert after.state.open_keys() == []
            session = await after.service.stop()
            assert session.total_trades == 1
            assert books_agree(after.service)


@pytest.mark.parametrize("names", ["the same", "another", "none"])
async def test_a_crash_that_is_gone_on_from_under_another_portfolio_is_told(tmp_path, names):
    notes, before, after = [], uuid4(), uuid4()

    class Notes:
        def notify(self, level, text):
            notes.append((level, text))

    async with running(tmp_path / "a", start={"portfolio_id": before}) as desk:
        image = crash_image(tmp_path / "a", tmp_path / "b")
        feed = desk.feed.again()
        service = LiveTradingService(config=config_in(image), notifier=Notes())
        start = {"portfolio_id": {"the same": before, "another": after, "none": None}[names]}
        async with running(None, feed=feed, service=service, start=start):
            assert service.session().portfolio_id == before

    told = [text for level, text in notes if level == "warning" and "portfolio" in text]
    assert len(told) == (names == "another")
    assert all(str(before) in text and str(after) in text for text in told)


async def test_what_was_stopped_in_order_is_not_gone_on_from(tmp_path):
    async with running(tmp_path) as desk:
        first = (await desk.service.stop()).id

    async with running(tmp_path) as desk:
        assert desk.service.session().id != first


async def test_without_auto_restart_a_crash_begins_a_new_session_on_the_same_account(tmp_path):
    async with running(tmp_path / "a") as desk:
        first = desk.service.session().id
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        image = crash_image(tmp_path / "a", tmp_path / "b")

    service = LiveTradingService(config=config_in(image, auto_restart=False))
    async with running(image, service=service) as desk:
        assert desk.service.session().id != first
        assert desk.state.position(KEY).qty == Decimal("0.01")
        assert desk.open_roles() == ["STOP_LOSS"]


@pytest.mark.parametrize("word", ["pause", "stop"])
async def test_without_auto_restart_a_new_session_says_which_word_it_does_not_heed(
    tmp_path, word, monkeypatch
):
    async with running(tmp_path / "a") as desk:
        await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 43_000)
        with monkeypatch.context() as patched:
            patched.setattr(desk.service.live.venue, "cancel", lambda command: None)
            if word == "pause":
                await desk.service.pause("looking")
            else:
                desk.service.live.shell.ask(msg.StopSession(reason="looking"))
            image = crash_image(tmp_path / "a", tmp_path / "b")

    told: list[str] = []
    notifier = SimpleNamespace(notify=lambda level, text: told.append(f"{level}: {text}"))
    config = config_in(image, auto_restart=False)
    service = LiveTradingService(config=config, notifier=notifier)
    async with running(image, service=service) as desk:
        assert desk.status is S.RUNNING
    was = "PAUSED" if word == "pause" else "STOPPING"
    assert (
        f"warning: the session before was left {was} (looking): this is a new one, and does not "
        "heed that"
    ) in told


async def test_paused_stays_paused_also_through_a_crash_while_starting(tmp_path, monkeypatch):
    async with running(tmp_path / "a") as desk:
        await desk.service.pause("looking")
        image = crash_image(tmp_path / "a", tmp_path / "b")

    class Died(BaseException):
        pass

    async def dies(shell, condition, timeout_s):
        raise Died

    service = LiveTradingService(config=config_in(image))
    with monkeypatch.context() as patched:
        patched.setattr(Shell, "until", dies)
        patched.setattr(live_module.LiveSession, "_attach_strategies", lambda self: _raise(Died()))
        with pytest.raises(Died):
            await service.start_session(strategies=[], feed=desk.feed.again())

    async with running(image, feed=desk.feed.again()) as after:
        assert after.status is S.PAUSED
        with pytest.raises(RiskDenied, match="PAUSED"):
            await after.service.place_order(BTC, "BUY", "0.004")


def _raise(error):
    raise error


@pytest.mark.parametrize("flatten", [False, True])
async def test_a_stop_that_a_crash_cut_off_is_carried_out_at_the_next_start(
    tmp_path, flatten, monkeypatch
):
    async with running(tmp_path / "a") as desk:
        first = desk.service.session().id
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 43_000)
        with monkeypatch.context() as patched:
            patched.setattr(desk.service.live.venue, "cancel", lambda command: None)
            desk.service.live.shell.ask(msg.StopSession(reason="enough", flatten=flatten))
            image = crash_image(tmp_path / "a", tmp_path / "b")
        assert desk.status is S.STOPPING

    service = LiveTradingService(config=config_in(image))
    await service.start_session(strategies=[], symbols=[BTC], feed=desk.feed.again())
    async with asyncio.timeout(PATIENCE_S):
        await service.wait()

    assert (service.session().id, service.session().status) == (first, S.STOPPED)
    roles = [order.role.name for order in service.live.engine.state.all_open_orders()]
    assert roles == ([] if flatten else ["STOP_LOSS"])
    assert "start once more" in alarms_in(image)[0]
    async with running(image, feed=desk.feed.again()) as after:
        assert after.service.session().id != first
        assert after.status is S.RUNNING


async def test_a_stop_in_error_that_a_crash_cut_off_flattens_at_the_next_start(
    tmp_path, monkeypatch
):
    async with running(tmp_path / "a") as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        with monkeypatch.context() as patched:
            patched.setattr(desk.service.live.venue, "submit", lambda command: None)
            desk.service.live.shell.ask(msg.FailSession(reason="cannot be"))
            desk.service.live.shell.ask(msg.StopSession(reason="enough", flatten=True))
            image = crash_image(tmp_path / "a", tmp_path / "b")
        assert desk.status is S.ERROR

    service, feed = LiveTradingService(config=config_in(image)), desk.feed.again()
    await service.start_session(strategies=[], symbols=[BTC], feed=feed)
    await feed.price(45_000)
    async with asyncio.timeout(PATIENCE_S):
        await service.wait()

    state = service.live.engine.state
    assert service.session().status is S.STOPPED
    assert (state.open_keys(), state.all_open_orders()) == ([], [])


def alarms_in(folder):
    with closing(open_journal(folder / "holdfast.db", read_only=True)) as journal:
        return [fact.text for fact in journal.replay() if isinstance(fact, AlarmRaised)]


async def test_killed_stays_killed(tmp_path):
    async with running(tmp_path / "a") as desk:
        await desk.service.kill("runaway")
        image = crash_image(tmp_path / "a", tmp_path / "b")

    async with running(image) as after:
        assert (await after.service.get_metrics()).is_killed
        with pytest.raises(RiskDenied, match="runaway"):
            await after.service.place_order(BTC, "BUY", "0.004")


class Once(Strategy):
    """Wishes on every trade, under the trade's own name."""

    def on_trade(self, trade):
        self.signal("BUY", BTC, quantity="0.004", signal_id=str(trade.ts))


async def test_no_signal_is_acted_on_twice_after_a_crash(tmp_path):
    async with running(tmp_path / "a", strategies=[Once()]) as desk:
        await desk.feed.price(45_000)
        held, heard = desk.state.position(KEY).qty, len(desk.state.intents)
        image = crash_image(tmp_path / "a", tmp_path / "b")

        async with running(image, feed=desk.feed.again(), strategies=[Once()]) as after:
            assert after.state.position(KEY).qty == held
            await after.feed.price(45_000)
            assert after.state.position(KEY).qty == held + Decimal("0.004")
            assert len(after.state.intents) == heard + 1


async def test_a_request_id_is_known_after_a_crash(tmp_path):
    async with running(tmp_path / "a") as desk:
        first = await desk.service.place_order(BTC, "BUY", "0.01", request_id="mine-1")
        image = crash_image(tmp_path / "a", tmp_path / "b")

    async with running(image) as after:
        again = await after.service.place_order(BTC, "BUY", "0.01", request_id="mine-1")
        assert again.id == first.id
        assert after.state.position(KEY).qty == Decimal("0.01")


async def test_a_fill_that_the_exchange_kept_and_nobody_heard_is_found(tmp_path):
    async with running(tmp_path / "a") as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        desk.service.live.venue._hear = lambda message: None  # the process dies before it listens
        desk.feed.now += 5_000_000_000
        desk.service.live.venue.on_market(
            Trade(symbol=BTC, ts=desk.feed.now, price=43_000.0, qty=9.0)
        )
        image = crash_image(tmp_path / "a", tmp_path / "b")
        desk.service.live.venue._hear = desk.service.live.shell.hear

        async with running(image, feed=desk.feed.again()) as after:
            assert after.status is S.RUNNING
            assert after.state.open_keys() == []
            await after.service.stop()
            assert books_agree(after.service)


# Snapshots


def _fold(folder: Path) -> State:
    journal = open_journal(folder / "holdfast.db", read_only=True)
    state = State()
    for fact in journal.replay():
        state.apply(fact)
    journal.close()
    return state


async def test_the_save_interval_leaves_snapshots_that_equal_the_fold(tmp_path, monkeypatch):
    monkeypatch.setattr(beat, "HEARTBEAT_S", 0.02)
    async with running(tmp_path / "a", save_state_interval=1) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        journal = desk.service.live.journal
        await desk.until(lambda: journal.load_snapshot() is not None)
        await desk.feed.price(45_100)
        await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        image = crash_image(tmp_path / "a", tmp_path / "b")

    journal = open_journal(image / "holdfast.db", read_only=True)
    recovered = StateRecoveryService(journal).recover()
    journal.close()
    assert recovered.from_snapshot > 0
    assert recovered.facts_folded > 0
    assert recovered.was_running
    assert recovered.engine.state == _fold(image)


async def test_a_damaged_snapshot_is_told_of_and_every_fact_is_folded(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
    with closing(sqlite3.connect(tmp_path / "holdfast.db")) as database, database:
        (count,) = database.execute("SELECT count(*) FROM snapshots").fetchone()
        database.execute("UPDATE snapshots SET payload = x'00112233'")
    assert count == 1

    told = []

    class Notices:
        def notify(self, level, text):
            told.append(text)

    service = LiveTradingService(config=config_in(tmp_path), notifier=Notices())
    async with running(tmp_path, service=service) as desk:
        await desk.until(lambda: any("snapshot" in text for text in told))
        assert desk.state.position(KEY).qty == Decimal("0.01")
        assert desk.open_roles() == ["STOP_LOSS"]


# Real processes

_SESSION = """
import asyncio, json, sys
sys.path[:0] = {path!r}
from decimal import Decimal
from holdfast import *
from tests.runtime.session_desk import *

async def main():
    folder = Path(sys.argv[1])
    async with running(folder, **json.loads(sys.argv[2])) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        print(json.dumps([str(desk.service.session().id), order.id]), flush=True)
        {more}
asyncio.run(main())
"""


def _run(folder: Path, more: str, settings=None, **how) -> subprocess.Popen:
    text = _SESSION.format(path=[p for p in sys.path if p], more=more)
    return subprocess.Popen(
        [sys.executable, "-c", text, str(folder), json.dumps(settings or {})],
        stdout=subprocess.PIPE,
        text=True,
        **how,
    )


async def test_kill_nine_loses_nothing(tmp_path):
    forever = "while True: await desk.feed.price(45_000, seconds=0.1)"
    process = _run(tmp_path, forever)
    assert process.stdout is not None
    session_id, order_id = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()

    async with running(tmp_path) as desk:
        assert str(desk.service.session().id) == session_id
        assert desk.state.orders[order_id].status is OrderStatus.FILLED
        assert desk.state.position(KEY).qty == Decimal("0.01")
        assert desk.open_roles() == ["STOP_LOSS"]


def test_a_full_disk_takes_entries_back_and_says_so(tmp_path):
    """The journal may not grow any more; the exchange's books, elsewhere, may."""
    more = """
        import resource, holdfast.venues.paper_books as books
        from holdfast.journal import upkeep
        books.PaperBooks.commit = lambda self, rows: None  # the exchange has a disk of its own
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        exchange = desk.service.live.venue.exchange
        assert len(list(exchange.open_orders("main"))) == 2
        upkeep.SYNC_EVERY_S = 600  # it is the append that meets the full disk
        (stage,) = Path(folder).glob("holdfast.db.stage-*")
        grown = stage.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (grown, grown))
        try:
            for _ in range(1000):
                await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_400)
                await desk.feed.price(45_000)
        except (JournalError, TimeoutError):
            pass  # the second where a thread met it first
        await desk.service.wait()
        left = [o.cl_ord_id for o in exchange.open_orders("main")]
        session = desk.service.session()
        print(json.dumps([desk.service.fault, session.status.value, desk.service.restarts,
                          resting.id in left, len(left)]), flush=True)
        import os
        os._exit(0)
"""
    process = _run(tmp_path, more.strip(), {"disabled": ["position_size"]})
    out, _ = process.communicate(timeout=60)
    fault, status, restarts, is_left, left = json.loads(out.splitlines()[-1])

    assert fault.startswith("JournalError: ")
    assert str(tmp_path) in fault
    assert status == "ERROR"
    assert restarts == 0
    assert not is_left
    assert left == 1  # the stop stays: it protects


async def test_orders_have_ids_of_their_own_where_an_older_journal_has_taken_the_place(tmp_path):
    """The account has seen those of the sessions between, of which the journal knows nothing."""
    async with running(tmp_path / "a") as desk:
        await desk.service.place_order(BTC, "BUY", "0.004")
        older = crash_image(tmp_path / "a", tmp_path / "b")
        image = crash_image(tmp_path / "a", tmp_path / "c")
    async with running(image, feed=desk.feed.again()) as between:
        await between.feed.price(45_000)
        taken = await between.service.place_order(BTC, "BUY", "0.003", "LIMIT", 43_000)
        late = crash_image(image, tmp_path / "d")
    for path in older.glob("paper.db*"):
        path.unlink()
    for path in late.glob("paper.db*"):
        shutil.copy(path, older)

    async with running(older, feed=between.feed.again()) as after:
        await after.feed.price(45_000)
        resting = await after.service.place_order(BTC, "BUY", "0.005", "LIMIT", 43_500)

        assert resting.id != taken.id
        assert {taken.id, resting.id} <= set(after.state.orders)
    assert books_agree(after.service)
