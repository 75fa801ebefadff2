"""What ends a life of a session, and what goes on after it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from contextlib import closing
from decimal import Decimal

import pytest

from holdfast import (
    Fenced,
    IllegalTransition,
    JournalError,
    LiveTradingService,
    NetworkError,
    OrderStatus,
    RiskDenied,
    SessionStateError,
    TradingSessionStatus,
    VenueError,
    journal,
)
from holdfast.model.commands import SubmitOrder
from holdfast.model.events import EpochStarted, SessionChanged
from holdfast.model.messages import FailSession, PauseSession, ResetSession
from holdfast.model.values import MAIN, NS_PER_S, SessionId
from holdfast.runtime import assembly, feeding, last_words, lives
from holdfast.runtime.live import LiveSession
from holdfast.runtime.starting import Start
from holdfast.runtime.trading_state import TradingState
from holdfast.strategies import Strategy
from holdfast.venues import PaperVenue
from tests.runtime.session_desk import BTC, Away, ScriptedFeed, books_agree, config_in, running

S = TradingSessionStatus


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch):
    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.0)


class Notices:
    def __init__(self):
        self.lines = []

    def notify(self, level, text):
        self.lines.append((level, text))


class Brittle:
    """A journal whose next append fails, once it is told to."""

    def __init__(self, journal):
        self._journal = journal
        self.error: Exception | None = None

    def append(self, facts, on_commit=None):
        if self.error is not None:
            raise self.error
        self._journal.append(facts, on_commit)

    def __getattr__(self, name):
        return getattr(self._journal, name)

    def __setattr__(self, name, value):
        if name in ("_journal", "error"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._journal, name, value)


@pytest.fixture
def brittle(monkeypatch):
    made = []
    open_journal = journal.open_journal

    def open_brittle(*args, **kwargs):
        made.append(Brittle(open_journal(*args, **kwargs)))
        return made[-1]

    monkeypatch.setattr(assembly, "open_journal", open_brittle)
    return made


async def failed(desk, order):
    """Break the engine and wait until the session has drawn its conclusions."""
    before = desk.service.live
    desk.overfill(order)
    await desk.until(lambda: desk.service.live is not before or not desk.service.is_running())
    await desk.until(lambda: desk.status in (S.RUNNING, S.PAUSED, S.ERROR))


async def test_an_engine_failure_begins_a_new_life_which_reconciles(tmp_path):
    notices = Notices()
    service = LiveTradingService(config=config_in(tmp_path), notifier=notices)
    async with running(tmp_path, service=service) as desk:
        session = desk.service.session()
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        epoch = desk.state.epoch
        await failed(desk, order)

        assert desk.status is S.RUNNING
        assert desk.service.session().id == session.id
        assert desk.service.session().started_at == session.started_at
        assert desk.state.epoch == epoch + 1
        assert desk.service.restarts == 1
        assert desk.service.fault == ""
        assert desk.state.position(("main", BTC)).qty == Decimal("0.01")
        assert desk.open_roles() == ["STOP_LOSS"]
        assert any(
            level == "alarm" and "IllegalTransition" in text for level, text in notices.lines
        )

        await desk.feed.price(45_000)
        await desk.service.close_position(BTC)
        session = await desk.service.stop()
        assert session.total_trades == 1
        assert books_agree(desk.service)


async def test_what_the_venue_did_while_a_life_was_failing_is_found_by_the_next(tmp_path):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        live = desk.service.live
        live.shell.fail(IllegalTransition("by design"))
        feed = desk.feed
        feed.tape.append(_trade(feed, 43_000))
        live.venue.on_market(feed.tape[-1])  # the stop goes off, and nobody hears of it
        await desk.until(lambda: desk.service.live is not live and desk.status is S.RUNNING)

        assert desk.state.open_keys() == []
        assert desk.state.orders[order.id].status is OrderStatus.FILLED
        await desk.service.stop()
        assert books_agree(desk.service)


def _trade(feed, price):
    from holdfast.model.market import Trade

    feed.now += 1_000_000_000
    return Trade(symbol=BTC, ts=feed.now, price=float(price), qty=1.0)


async def test_the_feed_goes_on_behind_the_last_fact(tmp_path):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01")
        last_ts = desk.state.last_ts
        await failed(desk, order)

        assert desk.feed.reads == [0, last_ts]


async def test_a_paused_session_is_paused_after_a_failure(tmp_path):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01")
        await desk.service.pause()
        await failed(desk, order)

        assert desk.status is S.PAUSED
        await desk.service.resume()


async def test_restarts_are_bounded_and_end_in_error_on_record(tmp_path):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        for _ in range(lives.RESTARTS_MAX + 1):
            assert desk.service.is_running()
            await failed(desk, order)
        await desk.service.wait()

        assert not desk.service.is_running()
        assert desk.service.restarts == lives.RESTARTS_MAX
        assert desk.status is S.ERROR
        assert "IllegalTransition" in desk.service.fault
        session_id = desk.service.session().id
        later = ScriptedFeed(start_ts=desk.feed.now + NS_PER_S)

    async with running(
        tmp_path, feed=later
    ) as desk:  # the lock is free, and what ended in ERROR has ended
        assert desk.service.session().id != session_id
        assert desk.open_roles() == ["STOP_LOSS"]


async def test_a_long_healthy_life_forgives_earlier_failures(tmp_path, monkeypatch):
    monkeypatch.setattr(lives, "HEALTHY_AFTER_S", 0.0)
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01")
        for _ in range(lives.RESTARTS_MAX + 2):
            await failed(desk, order)

        assert desk.status is S.RUNNING


async def test_without_auto_restart_a_failure_leaves_error_and_gives_the_journal_back(tmp_path):
    async with running(tmp_path, auto_restart=False) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        await failed(desk, order)
        await desk.service.wait()

        assert desk.status is S.ERROR
        assert not desk.service.is_running()
        assert desk.service.session().stopped_at is not None

        other = LiveTradingService(config=config_in(tmp_path, auto_restart=False))
        later = ScriptedFeed(start_ts=desk.feed.now + NS_PER_S)
        async with running(tmp_path, service=other, feed=later) as after:
            assert after.state.orders[resting.id].status is OrderStatus.CANCELED
            assert after.state.position(("main", BTC)).qty == Decimal("0.01")
            assert after.open_roles() == ["STOP_LOSS"]
            assert after.service.session().id != desk.service.session().id


async def test_an_entry_that_was_triggered_is_taken_back_where_it_rests(tmp_path):
    async with running(tmp_path, auto_restart=False) as desk:
        held = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        waiting = await desk.service.place_order(
            BTC, "BUY", "0.004", "TAKE_PROFIT", 44_500, trigger_price=44_900
        )
        await desk.feed.price(44_890.0)
        assert desk.state.orders[waiting.id].status is OrderStatus.TRIGGERED
        await failed(desk, held)
        await desk.service.wait()

        other = LiveTradingService(config=config_in(tmp_path, auto_restart=False))
        later = ScriptedFeed(start_ts=desk.feed.now + NS_PER_S)
        async with running(tmp_path, service=other, feed=later) as after:
            assert after.state.orders[waiting.id].status is OrderStatus.CANCELED
            assert after.open_roles() == ["STOP_LOSS"]


async def test_stop_resets_an_error_that_ended_the_session(tmp_path):
    async with running(tmp_path, auto_restart=False) as desk:
        await failed(desk, await desk.service.place_order(BTC, "BUY", "0.01"))
        await desk.service.wait()
        assert desk.status is S.ERROR

        assert (await desk.service.stop("looked at")).status is S.STOPPED
        assert (await desk.service.stop()).status is S.STOPPED


async def test_a_stop_between_two_lives_stops_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.05)
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        desk.overfill(order)
        assert desk.status is S.ERROR
        assert desk.service.is_running()
        with pytest.raises(SessionStateError, match="failed"):
            await desk.service.pause()
        session = await asyncio.wait_for(desk.service.stop("enough"), 5)

        assert session.status is S.STOPPED
        assert session.reason == "enough"
        assert books_agree(desk.service)


async def test_what_is_asked_while_a_life_opens_waits_for_its_epoch_or_is_refused(
    tmp_path, monkeypatch
):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        connects, may_open = LiveSession.open, asyncio.Event()

        async def slow(live):
            await may_open.wait()
            await connects(live)

        monkeypatch.setattr(LiveSession, "open", slow)
        before = desk.service.live
        desk.overfill(order)
        await desk.until(lambda: desk.service.live is not before)
        with pytest.raises(SessionStateError, match="starting"):
            await desk.service.place_order(BTC, "BUY", "0.01")
        killing = asyncio.create_task(desk.service.kill("enough"))
        await asyncio.sleep(0)
        assert not killing.done()
        may_open.set()
        await asyncio.wait_for(killing, 5)

        assert desk.state.is_killed
        assert desk.state.epoch == desk.service.live.journal.epoch


async def test_a_kill_while_a_life_opens_does_not_wait_for_the_venues_books(tmp_path, monkeypatch):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        opens, reached = LiveSession.open, Start.reached
        may_open, may_reach = asyncio.Event(), asyncio.Event()

        async def slow_open(live):
            await may_open.wait()
            await opens(live)

        async def slow_start(start):
            await may_reach.wait()
            await reached(start)

        monkeypatch.setattr(LiveSession, "open", slow_open)
        monkeypatch.setattr(Start, "reached", slow_start)
        before = desk.service.live
        desk.overfill(order)
        await desk.until(lambda: desk.service.live is not before)
        pausing = asyncio.create_task(desk.service.pause("looking"))
        killing = asyncio.create_task(desk.service.kill("enough"))
        await asyncio.sleep(0)
        may_open.set()

        await asyncio.wait({killing}, timeout=5)
        done = killing.done(), pausing.done()
        may_reach.set()

        assert done == (True, False)
        assert desk.state.is_killed
        assert (await asyncio.wait_for(pausing, 5)).status is S.PAUSED


async def test_a_stop_while_a_life_opens_stops_it_once_it_has_begun(tmp_path, monkeypatch):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        connects, may_open = LiveSession.open, asyncio.Event()

        async def slow(live):
            await may_open.wait()
            await connects(live)

        monkeypatch.setattr(LiveSession, "open", slow)
        before = desk.service.live
        desk.overfill(order)
        await desk.until(lambda: desk.service.live is not before)
        stopping = asyncio.create_task(desk.service.stop("enough"))
        await asyncio.sleep(0)
        assert not stopping.done()
        may_open.set()
        session = await asyncio.wait_for(stopping, 5)

        assert (session.status, session.reason) == (S.STOPPED, "enough")


async def test_a_restart_that_fails_is_tried_again(tmp_path, monkeypatch):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01")
        open_life = LiveSession.open
        tries: list[LiveSession] = []

        async def unreachable(live):
            tries.append(live)
            if len(tries) < 3:
                raise VenueError("its books can't be read")
            await open_life(live)

        monkeypatch.setattr(LiveSession, "open", unreachable)
        desk.overfill(order)
        await desk.until(lambda: desk.status is S.RUNNING)

        assert len(tries) == 3
        assert desk.service.restarts == 3
        assert desk.state.position(("main", BTC)).qty == Decimal("0.01")


async def test_a_market_that_is_away_is_waited_for_in_the_life_that_holds_the_position(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(feeding, "AWAY_DELAY_S", 0.0)
    feed, notices = ScriptedFeed(is_live=True, start_ts=time.time_ns()), Notices()
    service = LiveTradingService(config=config_in(tmp_path), notifier=notices)
    async with running(tmp_path, feed=feed, service=service) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        before, opened = desk.service.live, len(feed.reads)
        for tries in range(1, 3 * lives.RESTARTS_MAX):
            feed.end(NetworkError("the streams did not open"))
            await desk.until(lambda most=opened + tries: len(feed.reads) == most)
        feed._is_over = False
        assert desk.service.live is before
        assert (desk.status, desk.service.restarts) == (S.RUNNING, 0)
        assert desk.open_roles() == ["STOP_LOSS"]

        await feed.price(43_000)  # the stop goes off
        assert desk.state.open_keys() == []
    told = [text for level, text in notices.lines if "market" in text]
    assert [text for text in told if "can't be heard" in text] == told[:1]
    assert "heard again" in told[-1]


async def test_a_live_feed_that_breaks_begins_a_new_life(tmp_path):
    feed = ScriptedFeed(is_live=True)
    async with running(tmp_path, feed=feed) as desk:
        before = desk.service.live
        feed.end(RuntimeError("a bug"))
        await desk.until(lambda: desk.service.live is not before and desk.status is S.RUNNING)

        assert desk.service.restarts == 1
        feed._is_over = False


async def test_a_session_that_is_given_up_after_restarts_takes_its_entries_back(
    tmp_path, monkeypatch
):
    async with running(tmp_path) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        held = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        open_life, told = LiveSession.open, []

        async def differing(live):
            await open_life(live)
            monkeypatch.setattr(live.venue, "cancel", lambda c: told.append(c.cl_ord_id))
            raise VenueError("the venue's books can't be read")

        monkeypatch.setattr(LiveSession, "open", differing)
        desk.overfill(held)
        await desk.service.wait()

        assert desk.status is S.ERROR
        assert desk.service.restarts == lives.RESTARTS_MAX
        assert told == [resting.id]  # once, and the stop stays


# A venue that is away


async def test_a_venue_that_is_away_is_no_bug_and_is_waited_for(tmp_path, monkeypatch):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        away = Away(monkeypatch, 4 * lives.RESTARTS_MAX)
        await failed(desk, order)

        assert desk.status is S.RUNNING
        assert away.tries == 4 * lives.RESTARTS_MAX
        assert desk.service.restarts == 1
        assert desk.open_roles() == ["STOP_LOSS"]

        for _ in range(lives.RESTARTS_MAX):  # of which the first is counted already
            assert desk.service.is_running()
            await failed(desk, order)
        await desk.service.wait()
        assert desk.service.session().status is S.ERROR


async def test_a_venue_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(lives, "OUTAGE_S_MAX", 0.0)
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01")
        away = Away(monkeypatch)
        await failed(desk, order)
        await desk.service.wait()

        assert desk.status is S.ERROR
        assert away.tries == lives.RESTARTS_MAX


async def test_a_stop_while_the_venue_is_away_is_on_record_and_carried_out_later(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.01)
    async with running(tmp_path) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        away = Away(monkeypatch)
        desk.overfill(order)
        await desk.until(lambda: away.tries > 2)
        session = await asyncio.wait_for(desk.service.stop("enough"), 5)

        assert session.status is S.STOPPING
        assert not desk.service.is_running()
        later = ScriptedFeed(start_ts=desk.feed.now + NS_PER_S)
    away.most = 0

    service = LiveTradingService(config=config_in(tmp_path))
    async with running(tmp_path, service=service, feed=later) as desk:
        await desk.until(lambda: desk.status is S.STOPPED)
        assert desk.state.orders[resting.id].status is OrderStatus.CANCELED
        assert desk.open_roles() == ["STOP_LOSS"]


async def test_a_stop_that_flattens_in_error_while_the_venue_is_away_is_carried_out_later(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.01)
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        desk.service.live.shell.ask(FailSession(reason="cannot be"))
        away = Away(monkeypatch)
        desk.overfill(order)
        await desk.until(lambda: away.tries > 2)
        session = await asyncio.wait_for(desk.service.stop("enough", flatten=True), 5)

        assert session.status is S.ERROR
        later = ScriptedFeed(start_ts=desk.feed.now + NS_PER_S)
    away.most = 0

    service = LiveTradingService(config=config_in(tmp_path))
    async with running(tmp_path, service=service, feed=later) as desk:
        await desk.until(lambda: desk.status is S.STOPPED)
        assert (desk.state.open_keys(), desk.open_roles()) == ([], [])


async def test_the_kill_switch_is_on_record_at_once_while_the_venue_is_away(tmp_path, monkeypatch):
    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.01)
    async with running(tmp_path) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        held = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        away = Away(monkeypatch)
        desk.overfill(held)
        await desk.until(lambda: away.tries > 2)
        await asyncio.wait_for(desk.service.kill("smoke"), 5)
        assert desk.state.is_killed  # what is shown of the life that failed says so too
        away.most = 0
        await desk.until(lambda: desk.status is S.RUNNING)

        assert desk.state.kill_reason == "smoke"
        await desk.until(lambda: desk.state.orders[resting.id].status is OrderStatus.CANCELED)
        with pytest.raises(RiskDenied, match="kill"):
            await desk.service.place_order(BTC, "BUY", "0.01")


async def test_a_pause_is_on_record_at_once_while_the_venue_is_away(tmp_path, monkeypatch):
    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.01)
    async with running(tmp_path) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        held = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        away = Away(monkeypatch)
        desk.overfill(held)
        await desk.until(lambda: away.tries > 2)
        await asyncio.wait_for(desk.service.pause("news"), 5)
        await asyncio.wait_for(desk.service.resume("no news"), 5)
        await asyncio.wait_for(desk.service.pause("news after all"), 5)
        away.most = 0
        await desk.until(lambda: desk.status in (S.RUNNING, S.PAUSED))

        assert desk.status.value == "PAUSED"
        await desk.until(lambda: desk.state.orders[resting.id].status is OrderStatus.CANCELED)
        assert desk.open_roles() == ["STOP_LOSS"]
        await desk.service.resume()
        await desk.until(lambda: desk.status is S.RUNNING)


@pytest.fixture
def silent(monkeypatch):
    """Where it is set, lives begin, and the venue then gives no books."""
    is_silent, reached, resync = asyncio.Event(), Start.reached, PaperVenue.resync

    async def wait(start):
        if is_silent.is_set():
            raise NetworkError("the venue did not give its books in time")
        await reached(start)

    def answer(venue, command):
        if not is_silent.is_set():
            resync(venue, command)

    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.05)
    monkeypatch.setattr(Start, "reached", wait)
    monkeypatch.setattr(PaperVenue, "resync", answer)
    return is_silent


async def away_once_begun(desk, held, silent):
    """Have the session fail, and the life behind it die on its way up."""
    silent.set()
    desk.overfill(held)
    await desk.until(lambda: desk.service._lives._is_away)


async def test_a_pause_holds_though_the_last_life_died_on_its_way_up(tmp_path, silent):
    async with running(tmp_path) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        held = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await away_once_begun(desk, held, silent)
        await asyncio.wait_for(desk.service.pause("news"), 5)
        silent.clear()
        await desk.until(lambda: desk.status in (S.RUNNING, S.PAUSED))

        assert desk.status is S.PAUSED
        await desk.until(lambda: desk.state.orders[resting.id].status is OrderStatus.CANCELED)
        assert desk.open_roles() == ["STOP_LOSS"]


async def test_a_pause_of_before_is_ended_though_the_last_life_died_on_its_way_up(tmp_path, silent):
    async with running(tmp_path) as desk:
        held = await desk.service.place_order(BTC, "BUY", "0.01")
        await desk.service.pause("news")
        await away_once_begun(desk, held, silent)
        await asyncio.wait_for(desk.service.resume(), 5)
        silent.clear()
        await desk.until(lambda: desk.status in (S.RUNNING, S.PAUSED))

        assert desk.status is S.RUNNING


async def test_what_was_not_paused_is_not_resumed_on_its_way_up(tmp_path, silent):
    async with running(tmp_path) as desk:
        held = await desk.service.place_order(BTC, "BUY", "0.01")
        await away_once_begun(desk, held, silent)
        with pytest.raises(SessionStateError, match="not paused"):
            await asyncio.wait_for(desk.service.resume(), 5)
        silent.clear()
        await desk.until(lambda: desk.status is S.RUNNING)


async def test_a_session_in_error_is_not_paused_out_of_it_on_its_way_up(tmp_path, silent):
    async with running(tmp_path) as desk:
        held = await desk.service.place_order(BTC, "BUY", "0.01")
        desk.service.live.shell.hear(FailSession(reason="odd"))
        await away_once_begun(desk, held, silent)
        with pytest.raises(SessionStateError, match="ERROR can't become PAUSED"):
            await asyncio.wait_for(desk.service.pause("news"), 5)
        life = desk.service.live
        silent.clear()
        await desk.until(
            lambda: desk.service.live is not life and desk.service.live.shell.has_begun
        )
        await desk.until(lambda: desk.service.live.status is not S.STARTING)

        assert desk.status is S.ERROR


async def test_a_stop_that_is_still_to_be_carried_out_is_not_paused_away(tmp_path):
    """The next start finds it on record, and would find a pause in its place."""
    record = journal.open_journal(config_in(tmp_path).database_url)
    begun = EpochStarted(
        ts=1,
        epoch=1,
        session_id=SessionId("s"),
        portfolio_id="p",
        accounts=(MAIN,),
        strategies=(),
        symbols=(BTC,),
        venue="paper",
        is_resumed=True,
    )
    words = [(S.STARTING, ""), (S.STOPPING, "enough"), None, (S.STARTING, "")]
    record.append(
        [
            begun if word is None else SessionChanged(ts=1, status=word[0], reason=word[1])
            for word in [None, *words]
        ]
    )
    record.close()
    with pytest.raises(SessionStateError, match="is to stop"):
        last_words.record_latch(config_in(tmp_path), PauseSession(reason="news"))


async def test_an_entry_that_can_not_be_taken_back_keeps_no_other_from_it(tmp_path, monkeypatch):
    """What fails may be our own, in the very life that is given up for a failure of our own."""
    notices = Notices()
    service = LiveTradingService(config=config_in(tmp_path, auto_restart=False), notifier=notices)
    async with running(tmp_path, service=service) as desk:
        first, second = [
            await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", price)
            for price in (44_500, 44_400)
        ]
        asked = []

        def cancel(command):
            asked.append(command.cl_ord_id)
            if command.cl_ord_id == first.id:
                raise KeyError(command.cl_ord_id)

        monkeypatch.setattr(desk.service.live.venue, "cancel", cancel)
        desk.service.live.shell.fail(RuntimeError("a bug"))
        await desk.service.wait()

        assert asked == [first.id, second.id]
        assert any("given up" in text for level, text in notices.lines if level == "alarm")


async def test_an_end_that_can_not_be_put_on_record_is_told_all_the_same(tmp_path, monkeypatch):
    def record_end(config, message):
        raise RuntimeError("our own mistake")

    monkeypatch.setattr(lives, "record_end", record_end)
    notices = Notices()
    service = LiveTradingService(config=config_in(tmp_path, auto_restart=False), notifier=notices)
    async with running(tmp_path, service=service) as desk:
        desk.service.live.shell.fail(RuntimeError("a bug"))
        await desk.service.wait()

        assert any("given up" in text for level, text in notices.lines if level == "alarm")
        assert desk.status is S.ERROR


async def test_a_venue_that_can_not_be_left_keeps_no_end_from_the_record(tmp_path, monkeypatch):
    notices = Notices()
    service = LiveTradingService(config=config_in(tmp_path, auto_restart=False), notifier=notices)
    async with running(tmp_path, service=service) as desk:
        leave = desk.service.live.venue.close

        async def close():
            await leave()
            raise RuntimeError("our own mistake")

        monkeypatch.setattr(desk.service.live.venue, "close", close)
        desk.service.live.shell.fail(RuntimeError("a bug"))
        await desk.service.wait()

        assert desk.service.fault == "RuntimeError: a bug"
        assert any("given up" in text for level, text in notices.lines if level == "alarm")
    assert TradingState.recover(desk.service.session().id, config=service.config).status is S.ERROR


class Clinging(ScriptedFeed):
    """Fails when it is let go."""

    async def messages(self, after_ts=0):
        try:
            async for batch in super().messages(after_ts):
                yield batch
        finally:
            raise NetworkError("connection reset")


async def test_a_feed_that_fails_behind_a_stop_begins_no_new_session(tmp_path, caplog):
    async with running(tmp_path, feed=Clinging(is_live=True)) as desk:
        before = desk.service.session()
        session = await asyncio.wait_for(desk.service.stop("enough"), 10)

        assert (session.id, session.status) == (before.id, S.STOPPED)
        assert desk.service.restarts == 0
        assert not desk.service.is_running()
        assert books_agree(desk.service)
        assert "after it had stopped: connection reset" in caplog.text


async def test_a_failure_while_in_error_leaves_the_session_in_error(tmp_path):
    feed = ScriptedFeed(is_live=True, start_ts=time.time_ns())
    async with running(tmp_path, feed=feed) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        desk.service.live.shell.ask(FailSession(reason="books differ"))
        before = desk.service.live
        feed.end(RuntimeError("a bug"))
        await desk.until(lambda: desk.service.restarts and not desk.service.live.has_failed)
        await desk.until(lambda: desk.status is not S.STARTING)

        assert desk.service.live is not before
        assert (desk.status, desk.service.session().reason) == (S.ERROR, "books differ")
        with pytest.raises(RiskDenied, match="session"):
            await desk.service.place_order(BTC, "BUY", "0.01")
        assert (await desk.service.close_position(BTC)).quantity == 0
        assert (await desk.service.stop("looked at")).status is S.STOPPED


async def test_a_stop_in_error_that_is_to_flatten_does(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        desk.service.live.shell.ask(FailSession(reason="books differ"))

        assert (await desk.service.stop("enough", flatten=True)).status is S.STOPPED
        assert desk.state.open_keys() == []
        assert desk.open_roles() == []
        assert books_agree(desk.service)


async def test_a_session_in_error_can_be_stopped_twice_at_once(tmp_path):
    feed = ScriptedFeed(is_live=True, start_ts=time.time_ns())
    async with running(tmp_path, feed=feed) as desk:
        service, venue = desk.service, desk.service.live.venue
        await service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        service.live.shell.ask(FailSession(reason="books differ"))
        submit, late = venue.submit, asyncio.Queue[SubmitOrder]()
        venue.submit = late.put_nowait
        stops = [asyncio.create_task(service.stop(each, flatten=True)) for each in ("a", "b")]
        closing = await late.get()
        await asyncio.sleep(0)
        submit(closing)

        ended = await asyncio.gather(*stops)

        assert [session.status for session in ended] == [S.STOPPED, S.STOPPED]
        assert desk.state.open_keys() == []


async def test_a_reset_leaves_positions_to_their_stops_whatever_a_stop_would_do(tmp_path):
    async with running(tmp_path, on_stop="flatten") as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        desk.service.live.shell.ask(FailSession(reason="books differ"))

        assert (await desk.service.reset("looked at")).status is S.STOPPED
        assert desk.open_roles() == ["STOP_LOSS"]


async def test_a_session_in_error_is_left_once_its_stop_is_at_the_venue(tmp_path):
    async with running(tmp_path) as desk:
        service, venue = desk.service, desk.service.live.venue
        submit, late = venue.submit, list[SubmitOrder]()
        await service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        [stop] = desk.state.all_open_orders()
        venue.submit = late.append
        await service.cancel_order(stop.cl_ord_id)
        service.live.shell.ask(FailSession(reason="books differ"))
        tick = service.live.on_tick

        def arrive():
            venue.submit = submit
            while late:
                submit(late.pop(0))
            tick()

        service.live.on_tick = arrive
        assert (await service.stop("looked at")).status is S.STOPPED
        assert desk.open_roles() == ["STOP_LOSS"]
        assert [o.status for o in desk.state.all_open_orders()] == [OrderStatus.NEW]


async def test_an_error_of_our_own_in_the_pass_is_a_failure_not_a_silent_end(tmp_path, monkeypatch):
    async with running(tmp_path, auto_restart=False) as desk:

        def broken(message):
            raise RuntimeError("a bug of ours")

        monkeypatch.setattr(desk.service.live.runner, "on_market", broken)
        desk.feed.tape.append(_trade(desk.feed, 45_000))
        desk.feed._wake()
        await desk.service.wait()

        assert desk.status is S.ERROR
        assert "a bug of ours" in desk.service.fault


# The record


@pytest.mark.parametrize("kind", [JournalError, Fenced])
async def test_what_fails_the_record_never_restarts(tmp_path, brittle, kind):
    async with running(tmp_path) as desk:
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        venue = desk.service.live.venue
        brittle[-1].error = kind("no space left on the disk")
        with pytest.raises(kind):
            await desk.service.place_order(BTC, "BUY", "0.01")
        cancelled = []
        exchange_cancel = venue.cancel

        def cancel(command):
            cancelled.append(command.cl_ord_id)
            exchange_cancel(command)

        venue.cancel = cancel
        await desk.service.wait()

        assert desk.service.restarts == 0
        assert desk.status is S.ERROR
        assert desk.service.fault == f"{kind.__name__}: no space left on the disk"
        # Whoever lost the account must not touch the orders of who has it now.
        assert (resting.id in cancelled) is (kind is JournalError)


async def test_an_order_that_could_not_be_recorded_never_leaves(tmp_path, brittle):
    async with running(tmp_path) as desk:
        venue = desk.service.live.venue
        brittle[-1].error = JournalError("no space left on the disk")
        with pytest.raises(JournalError):
            await desk.service.place_order(BTC, "BUY", "0.01")

        assert list(venue.exchange.open_orders("main")) == []
        assert [p for p in venue.exchange.positions("main") if p.qty] == []
        await desk.service.wait()

    async with running(tmp_path) as desk:
        assert await desk.service.get_positions() == []


async def test_a_cancelled_program_leaves_the_session_to_be_resumed(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path))
    async with running(tmp_path, service=service) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        session_id = desk.service.session().id
        (task,) = [t for t in asyncio.all_tasks() if t.get_name() == "holdfast-session"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not service.is_running()

    async with running(tmp_path) as desk:
        assert desk.service.session().id == session_id
        assert desk.open_roles() == ["STOP_LOSS"]


# Strategies over lives


class Counter(Strategy):
    def __init__(self):
        self.heard = 0
        self.starts = 0

    def on_start(self, ctx):
        self.starts += 1

    def on_trade(self, trade):
        self.heard += 1


async def test_each_life_begins_with_the_strategy_as_it_was_given(tmp_path):
    given = Counter()
    async with running(tmp_path, strategies=[given]) as desk:
        await desk.feed.price(45_000)
        heard = given.heard
        await failed(desk, await desk.service.place_order(BTC, "BUY", "0.01"))
        (fresh,) = desk.service.live.runner.strategies.values()

        assert heard == 2
        assert fresh is not given
        assert (fresh.starts, given.starts) == (1, 1)


async def test_a_strategy_that_cannot_be_copied_is_used_again(tmp_path):
    class Holding(Counter):
        def __deepcopy__(self, memo):
            raise TypeError("holds a socket")

    given = Holding()
    async with running(tmp_path, strategies=[given]) as desk:
        await failed(desk, await desk.service.place_order(BTC, "BUY", "0.01"))

        assert given.starts == 2


async def test_no_signal_is_acted_on_twice_over_lives(tmp_path):
    """The trade that a strategy acted on is not shown to it again."""

    class Once(Strategy):
        def on_trade(self, trade):
            self.signal("BUY", BTC, quantity="0.004", signal_id=str(trade.ts))

    async with running(tmp_path, strategies=[Once()]) as desk:
        await desk.feed.price(45_000)
        signals = len(desk.state.intents)
        position = desk.state.position(("main", BTC)).qty
        (order, *_) = await desk.service.get_orders(open_only=False)
        await failed(desk, order)

        assert len(desk.state.intents) == signals
        assert desk.state.position(("main", BTC)).qty == position


async def test_error_while_the_engine_lives_still_lets_positions_be_closed(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        desk.service.live.shell.ask(FailSession(reason="books differ"))

        assert desk.status is S.ERROR
        assert (await desk.service.close_position(BTC)).quantity == 0
        assert desk.open_roles() == []


async def test_a_failure_is_logged_with_its_traceback(tmp_path, caplog):
    with caplog.at_level(logging.ERROR, "holdfast.session"):
        async with running(tmp_path) as desk:
            await failed(desk, await desk.service.place_order(BTC, "BUY", "0.01"))

    assert any(r.exc_info and "IllegalTransition" in r.getMessage() for r in caplog.records)


async def test_a_life_that_follows_in_another_folder_has_the_same_journal(tmp_path, monkeypatch):
    """A strategy has gone to the folder of its model; the settings' folder is a relative one."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    async with running("data") as desk:
        session = desk.service.session()
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        monkeypatch.chdir(tmp_path / "elsewhere")
        await failed(desk, order)

        assert desk.service.session().id == session.id
        assert desk.open_roles() == ["STOP_LOSS"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_a_life_that_follows_in_another_folder_has_the_same_strategies(tmp_path, monkeypatch):
    source = (
        "from holdfast import Strategy\n\nclass Mine(Strategy):\n    on_bar = lambda s, b: None\n"
    )
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    async with running(tmp_path / "data", strategies=["mine.py:Mine"]) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        monkeypatch.chdir(tmp_path / "elsewhere")
        await failed(desk, order)

        assert desk.service.session().status is TradingSessionStatus.RUNNING
        assert [*desk.service.session().strategies] == ["mine"]


async def test_torn_facts_that_a_reset_finds_are_logged(tmp_path, caplog):
    config = config_in(tmp_path, auto_restart=False)
    async with running(tmp_path, auto_restart=False) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        desk.overfill(order)
        await desk.until(lambda: not desk.service.is_running())
    with closing(sqlite3.connect(tmp_path / "holdfast.db")) as database, database:
        last = "(SELECT max(sequence) FROM facts)"
        database.execute(f"UPDATE facts SET hash = payload WHERE sequence = {last}")
    last_words.record_end(config, ResetSession(reason="enough"))

    assert "torn at the end of the journal and cut" in caplog.text
