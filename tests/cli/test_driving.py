"""One session from its start to its end, with signals in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest

from holdfast import LiveTradingService, TradingSessionStatus
from holdfast.cli import main
from holdfast.cli.driving import drive
from holdfast.cli.happenings import Happenings, Silent
from holdfast.model.errors import JournalError, NetworkError, SessionStateError
from holdfast.runtime import assembly, books, lives, outage
from holdfast.runtime.control import ControlServer
from holdfast.runtime.live import LiveSession
from holdfast.venues import PaperVenue
from tests.runtime.session_desk import (
    BTC,
    Away,
    ScriptedFeed,
    config_in,
    crash_image,
    running,
)


@pytest.fixture(autouse=True)
def _signals():
    """Give back what a session takes for good."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_a_signal_before_the_first_price_stops_a_session_that_runs(tmp_path, monkeypatch):
    service = LiveTradingService(config=config_in(tmp_path))
    silent = partial(service.start_session, symbols=[BTC], feed=ScriptedFeed(is_live=True))
    monkeypatch.setattr(service, "start_session", silent)
    control = ControlServer(service, tmp_path)
    driving = asyncio.create_task(
        drive(service, control, Silent(), Happenings(), strategies=(), seconds=None)
    )
    async with asyncio.timeout(10):
        while not service.is_running():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    ending = await asyncio.wait_for(driving, 30)

    assert (ending.reason, ending.is_error) == ("terminated", False)
    assert service.session().status is TradingSessionStatus.STOPPED


@pytest.mark.parametrize("is_late", [False, True])
async def test_signals_of_one_moment_are_one_wish(tmp_path, monkeypatch, is_late):
    """`timeout` sends SIGTERM twice, the end of a login SIGHUP and SIGTERM: nobody asked twice."""
    left: list[int] = []
    monkeypatch.setattr("holdfast.cli.driving.os._exit", left.append)
    monkeypatch.setattr("holdfast.cli.driving.MOMENT_S", 0.0 if is_late else 60.0)
    service = LiveTradingService(config=config_in(tmp_path))
    feed = ScriptedFeed(is_live=True)
    silent = partial(service.start_session, symbols=[BTC], feed=feed)
    monkeypatch.setattr(service, "start_session", silent)
    control = ControlServer(service, tmp_path)
    driving = asyncio.create_task(
        drive(service, control, Silent(), Happenings(), strategies=(), seconds=None)
    )
    async with asyncio.timeout(10):
        while not service.is_running():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGHUP)
        before = signal.getsignal(signal.SIGTERM)
        while signal.getsignal(signal.SIGTERM) is before:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    ending = await asyncio.wait_for(driving, 30)

    assert left == ([130] if is_late else [])
    assert (ending.reason, ending.is_error) == ("the terminal was closed", False)


async def test_a_stop_while_the_venue_is_away_is_no_error_of_the_session(tmp_path, monkeypatch):
    """The stop is on record, and the next start carries it out."""
    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.01)
    service = LiveTradingService(config=config_in(tmp_path))
    start = partial(service.start_session, symbols=[BTC], feed=ScriptedFeed(is_live=True))
    monkeypatch.setattr(service, "start_session", start)
    control = ControlServer(service, tmp_path)
    work = drive(service, control, Silent(), Happenings(), strategies=(), seconds=None)
    driving = asyncio.create_task(work)
    async with asyncio.timeout(10):
        while not service.is_running():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0)
        away = Away(monkeypatch)
        service.live.shell.fail(NetworkError("the connection was lost"))
        while away.tries < 3:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    ending = await asyncio.wait_for(driving, 30)

    assert service.session().status is TradingSessionStatus.STOPPING
    assert not ending.is_error
    assert ending.reason.startswith("terminated")


@asynccontextmanager
async def starting(folder, monkeypatch):
    """A session that starts and waits for the venue's books, which do not come; and its driving."""
    service = LiveTradingService(config=config_in(folder))
    feed = ScriptedFeed(is_live=True)
    start = partial(service.start_session, symbols=[BTC], feed=feed)
    monkeypatch.setattr(service, "start_session", start)
    control = ControlServer(service, folder)
    with monkeypatch.context() as silent:
        silent.setattr(PaperVenue, "resync", lambda _, command: None)
        work = drive(service, control, Silent(), Happenings(), strategies=(), seconds=None)
        driving = asyncio.create_task(work)
        async with asyncio.timeout(10):
            while not (folder / "control.json").exists():  # noqa: ASYNC110 - no event
                await asyncio.sleep(0)
        yield service, driving
    async with asyncio.timeout(10):  # the books come now
        while not (service.is_running() or driving.done()):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0)
    if not driving.done():
        os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(driving, 30)


async def told(capsys, *words):
    """Run a command, as another process would, and return its code and its document."""
    code = await asyncio.to_thread(main, [*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


async def test_a_session_that_starts_says_so(tmp_path, monkeypatch, capsys):
    kinds, here = ("orders", "positions"), ("--data-dir", tmp_path)
    async with starting(tmp_path, monkeypatch):
        code, status = await told(capsys, "status", *here)
        listed = [await told(capsys, kind, *here) for kind in kinds]
        refused = [await told(capsys, *w, *here) for w in (["metrics"], ["cancel", "--all"])]

    assert code == 0
    assert (status["is_running"], status["session"]["status"]) == (False, "STARTING")
    assert "not running yet" in status["note"]
    for (answer, found), kind in zip(listed, kinds, strict=True):
        assert (answer, found[kind], found["note"]) == (0, [], status["note"])
    assert [answer for answer, _ in refused] == [2, 2]


async def test_a_kill_reaches_a_session_that_starts(tmp_path, monkeypatch, capsys):
    async with starting(tmp_path, monkeypatch) as (service, _):
        code, killed = await told(capsys, "kill", "--data-dir", tmp_path)

        assert (code, killed["is_running"], killed["is_killed"]) == (0, True, True)
        assert service.live.engine.state.is_killed


async def test_a_stop_ends_a_session_that_starts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(books, "READ_PATIENCE_S", 0.5)
    async with starting(tmp_path, monkeypatch) as (_, driving):
        code, stopped = await told(capsys, "stop", "--data-dir", tmp_path)
        ending = await asyncio.wait_for(driving, 30)

    assert (code, stopped["session"]["status"]) == (0, "STOPPED")
    assert (ending.reason, ending.is_error) == ("operator", False)


async def driven(service, folder):
    """Drive a session; one that ended before it ran has no ending. It would end the tests too."""
    control = ControlServer(service, folder)
    with suppress(KeyboardInterrupt):
        return await drive(service, control, Silent(), Happenings(), strategies=(), seconds=None)


class Gate:
    """Holds up a life that opens."""

    def __init__(self, monkeypatch):
        self.may_go, self.error = asyncio.Event(), None
        self.may_go.set()
        honest = LiveSession.open

        async def opened(live):
            await self.may_go.wait()
            if self.error:
                raise self.error
            await honest(live)

        monkeypatch.setattr(LiveSession, "open", opened)


@pytest.fixture
def gate(monkeypatch):
    return Gate(monkeypatch)


async def cut_off(folder, monkeypatch):
    """A session that goes on behind a crash, an entry of it resting, once it is started."""
    feed = ScriptedFeed(is_live=True, start_ts=time.time_ns())
    async with running(folder / "a", feed=feed) as desk:
        await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        crash_image(folder / "a", folder / "b")
        feed = desk.feed.again()
    service = LiveTradingService(config=config_in(folder / "b"))
    start = partial(service.start_session, symbols=[BTC], feed=feed)
    monkeypatch.setattr(service, "start_session", start)
    return service


class Contracts:
    """The feed's list of contracts, which is on its way until it may come, or is not to be had."""

    def __init__(self, monkeypatch):
        self.asked, self.may_come, self.error = asyncio.Event(), asyncio.Event(), None

        async def fetched(feed):
            self.asked.set()
            await self.may_come.wait()
            if self.error:
                raise self.error

        monkeypatch.setattr(assembly, "fetch_instruments", fetched)


@asynccontextmanager
async def going_on(folder, monkeypatch, gate=None):
    """A session that goes on behind a crash, an entry of it resting, and waits for the books."""
    service = await cut_off(folder, monkeypatch)
    if gate:
        gate.may_go.clear()
    late = []
    with monkeypatch.context() as silent:
        silent.setattr(PaperVenue, "resync", lambda *asked: late.append(asked))
        driving = asyncio.create_task(driven(service, folder / "b"))
        async with asyncio.timeout(10):
            while not (folder / "b" / "control.json").exists():  # noqa: ASYNC110 - no event
                await asyncio.sleep(0)
        yield service, driving
    for venue, command in late:
        venue.resync(command)


@pytest.mark.parametrize("has_begun", [False, True])
async def test_a_signal_takes_back_what_an_earlier_life_has_left(
    tmp_path, monkeypatch, gate, has_begun
):
    monkeypatch.setattr(books, "READ_PATIENCE_S", 0.5)
    async with going_on(tmp_path, monkeypatch, None if has_begun else gate) as (service, driving):
        async with asyncio.timeout(10):
            while has_begun and not service.live.shell.has_begun:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0)
        live = service.live
        assert live.shell.has_begun is has_begun
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
    gate.may_go.set()
    ending = await asyncio.wait_for(driving, 30)

    assert ending, "it was ended in the middle of its start"
    assert (ending.reason, ending.is_error) == ("terminated", False)
    assert service.session().status is TradingSessionStatus.STOPPED
    assert live.engine.state.all_open_orders() == []


async def test_a_start_that_fails_once_it_was_to_stop_says_why(tmp_path, monkeypatch, gate):
    async with going_on(tmp_path, monkeypatch, gate) as (_, driving):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
        gate.error = NetworkError("the connection was lost")
        gate.may_go.set()
        with pytest.raises(NetworkError, match="the connection was lost"):
            await asyncio.wait_for(driving, 30)


async def test_a_signal_before_anything_was_begun_ends_the_start_at_once(tmp_path, gate):
    gate.may_go.clear()
    service = LiveTradingService(config=config_in(tmp_path))
    driving = asyncio.create_task(driven(service, tmp_path))
    async with asyncio.timeout(10):
        while not (tmp_path / "control.json").exists():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)

    assert await asyncio.wait_for(driving, 5) is None


async def test_a_signal_takes_back_what_is_left_though_no_life_is_made_yet(tmp_path, monkeypatch):
    service = await cut_off(tmp_path, monkeypatch)
    contracts = Contracts(monkeypatch)
    driving = asyncio.create_task(driven(service, tmp_path / "b"))
    await asyncio.wait_for(contracts.asked.wait(), 10)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.1)
    contracts.may_come.set()
    ending = await asyncio.wait_for(driving, 30)

    assert ending, "it was ended in the middle of its start"
    assert (ending.reason, ending.is_error) == ("terminated", False)
    assert service.session().status is TradingSessionStatus.STOPPED
    assert service.live.engine.state.all_open_orders() == []


async def test_a_stop_of_a_start_that_fails_is_left_to_the_next(tmp_path, monkeypatch):
    service = await cut_off(tmp_path, monkeypatch)
    contracts = Contracts(monkeypatch)
    driving = asyncio.create_task(driven(service, tmp_path / "b"))
    await asyncio.wait_for(contracts.asked.wait(), 10)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.1)
    contracts.error = NetworkError("no route to the exchange")
    contracts.may_come.set()
    with pytest.raises(NetworkError, match="no route"):
        await asyncio.wait_for(driving, 30)
    contracts.error = None

    ending = await asyncio.wait_for(driven(service, tmp_path / "b"), 30)
    assert not ending.is_error
    assert service.session().status is TradingSessionStatus.STOPPED
    assert service.live.engine.state.all_open_orders() == []


async def test_a_signal_before_a_first_life_is_made_ends_the_start_at_once(tmp_path, monkeypatch):
    service = LiveTradingService(config=config_in(tmp_path))
    contracts = Contracts(monkeypatch)
    driving = asyncio.create_task(driven(service, tmp_path))
    await asyncio.wait_for(contracts.asked.wait(), 10)
    os.kill(os.getpid(), signal.SIGTERM)

    assert await asyncio.wait_for(driving, 5) is None


@pytest.mark.parametrize("words", [[], ["--flatten"]], ids=["keep", "flatten"])
async def test_a_stop_by_command_of_a_start_that_fails_is_left_to_the_next(
    tmp_path, monkeypatch, gate, capsys, words
):
    async with going_on(tmp_path, monkeypatch, gate) as (service, driving):
        command = ["stop", "--data-dir", str(tmp_path / "b"), *words]
        stopping = asyncio.create_task(asyncio.to_thread(main, command))
        async with asyncio.timeout(10):
            while not service._lives._heard._waiters:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0)
        gate.error = NetworkError("the connection was lost")
        gate.may_go.set()
        with pytest.raises(NetworkError):
            await asyncio.wait_for(driving, 30)
        assert await asyncio.wait_for(stopping, 30) == 4
    assert "the stop is on record: the next start carries it out" in capsys.readouterr().err
    gate.error = None

    ending = await asyncio.wait_for(driven(service, tmp_path / "b"), 30)
    assert not ending.is_error
    assert service.session().status is TradingSessionStatus.STOPPED
    assert service.live.engine.state.all_open_orders() == []


async def test_a_stop_by_command_of_a_first_start_that_fails_leaves_nothing(tmp_path, monkeypatch):
    service = LiveTradingService(config=config_in(tmp_path))
    contracts = Contracts(monkeypatch)
    driving = asyncio.create_task(driven(service, tmp_path))
    await asyncio.wait_for(contracts.asked.wait(), 10)
    stopping = asyncio.create_task(service.stop("enough"))
    await asyncio.sleep(0)
    contracts.error = NetworkError("no route to the exchange")
    contracts.may_come.set()
    with pytest.raises(NetworkError, match="no route"):
        await asyncio.wait_for(driving, 30)
    with pytest.raises(SessionStateError, match="left nothing to stop"):
        await stopping


async def test_a_stop_that_can_not_be_put_on_record_is_told(tmp_path, monkeypatch, gate):
    async with going_on(tmp_path, monkeypatch, gate) as (service, driving):
        stopping = asyncio.create_task(service.stop("enough"))
        await asyncio.sleep(0)

        def full(*_):
            raise JournalError("the disk is full")

        monkeypatch.setattr(outage, "record_end", full)
        gate.error = NetworkError("the connection was lost")
        gate.may_go.set()
        with pytest.raises(NetworkError):
            await asyncio.wait_for(driving, 30)
        with pytest.raises(JournalError, match="THE STOP IS NOT ON RECORD: the disk is full"):
            await stopping
