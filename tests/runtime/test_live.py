"""One life of a session: time, the feed, the end."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pytest

from holdfast import LiveTradingService, OrderStatus, TradingError, TradingSessionStatus
from holdfast.model.errors import JournalError
from holdfast.model.messages import VenueSnapshot
from holdfast.model.values import NS_PER_S
from holdfast.runtime import beat, starting
from holdfast.runtime import live as live_module
from holdfast.runtime.accounts import Accounts
from holdfast.runtime.books import read_books
from holdfast.runtime.clock import FeedClock, WallClock
from holdfast.strategies import Strategy
from tests.runtime.session_desk import BTC, START, ScriptedFeed, config_in, running

S = TradingSessionStatus


# Clocks


def test_the_wall_s_time_never_goes_back(monkeypatch):
    times = iter([100, 90, 120])
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    clock = WallClock()

    assert [clock.now(), clock.now(), clock.now()] == [100, 100, 120]
    clock.advance(10**30)


def test_a_feed_s_time_passes_with_its_messages_alone_at_full_speed():
    clock = FeedClock(START, 0)
    clock.advance(START + 5)
    clock.advance(START + 3)

    assert clock.now() == START + 5


def test_a_feed_s_time_passes_at_its_pace_between_messages(monkeypatch):
    wall = [50.0]
    monkeypatch.setattr(time, "monotonic", lambda: wall[0])
    clock = FeedClock(START, 60)
    wall[0] += 2
    assert clock.now() == START  # to start up takes no time of the feed's
    clock.begin_at(START + 3)
    wall[0] += 2
    assert clock.now() == START + 3
    clock.advance(START + 5)
    wall[0] += 2

    assert clock.now() == START + 5 + 120 * NS_PER_S
    clock.advance(START + 500 * NS_PER_S)
    assert clock.now() == START + 500 * NS_PER_S


# Time


async def test_time_passes_for_the_engine_once_a_second_of_the_feed(tmp_path):
    async with running(tmp_path) as desk:
        ticks = []
        desk.service.live.on_tick = lambda: ticks.append(desk.service.now())
        for _ in range(10):
            await desk.feed.price(45_000, seconds=0.3)

        assert len(ticks) in (2, 3)


async def test_time_passes_while_a_live_feed_is_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(beat, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(live_module, "TICK_NS", NS_PER_S // 100)
    async with running(tmp_path, feed=ScriptedFeed(is_live=True)) as desk:
        ticks = []
        desk.service.live.on_tick = lambda: ticks.append(1)
        await desk.until(lambda: len(ticks) > 3)


async def test_the_books_are_compared_while_all_looks_well(tmp_path, monkeypatch):
    monkeypatch.setattr(live_module, "AUDIT_WHEN_FAST_NS", 5 * NS_PER_S)
    async with running(tmp_path) as desk:
        before = desk.service.live.shell.last_snapshot["main"]
        await desk.feed.pass_time(12)

        assert desk.service.live.shell.last_snapshot["main"] is not before


async def test_what_a_look_has_listed_is_not_kept(tmp_path):
    async with running(tmp_path) as desk:
        live, heard = desk.service.live, []
        handle = live.engine.handle

        def hear(message, now):
            if isinstance(message, VenueSnapshot):
                heard.append(message)
            return handle(message, now)

        live.engine.handle = hear
        await desk.service.place_order(BTC, "BUY", "0.01")
        snapshot = await read_books(live)

        assert heard[-1].trades
        assert snapshot is not None
        assert snapshot.positions
        assert (snapshot.trades, snapshot.changes) == ((), ())


async def test_strategies_hear_of_bars_whose_end_has_passed_without_a_trade(tmp_path):
    class Bars(Strategy):
        timeframes = ("5s",)

        def __init__(self):
            self.bars = []

        def on_bar(self, bar):
            self.bars.append(bar)

    bars = Bars()
    async with running(tmp_path, strategies=[bars]) as desk:
        await desk.feed.pass_time(16)

    assert [bar.timeframe for bar in bars.bars][:2] == ["5s", "5s"]


# The end


async def test_a_venue_that_never_answers_the_start_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(starting, "STALL_S", 0.05)
    monkeypatch.setattr(starting, "ASK_AGAIN_S", 0.02)
    from holdfast.venues import PaperVenue

    monkeypatch.setattr(PaperVenue, "resync", lambda self, command: None)
    service = LiveTradingService(config=config_in(tmp_path))
    with pytest.raises(TradingError, match="did not give its books in time: nothing came"):
        await service.start_session(strategies=[], feed=ScriptedFeed())
    monkeypatch.undo()

    async with running(tmp_path, service=service) as desk:
        assert desk.status is S.RUNNING


async def test_a_stop_that_the_venue_never_confirms_ends_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(live_module, "STOP_TICKS_MAX", 3)
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_000)
        venue = desk.service.live.venue
        venue.cancel = lambda command: None
        venue.query = lambda command: None
        session = await asyncio.wait_for(desk.service.stop(), 5)

        assert session.status is S.STOPPING
        assert not desk.service.is_running()
        later = ScriptedFeed(start_ts=desk.feed.now + 60 * NS_PER_S)

    service = LiveTradingService(config=config_in(tmp_path))
    await service.start_session(strategies=[], feed=later)
    monkeypatch.undo()
    await asyncio.wait_for(service.wait(), 5)

    assert service.session().status is S.STOPPED
    assert service.live.engine.state.orders[order.id].status is OrderStatus.CANCELED


async def test_who_waits_for_a_commit_is_let_go_when_the_journal_fails(tmp_path):
    """Else a session whose disk fills up while it starts hangs for ever, in its own `close`."""
    async with running(tmp_path, auto_restart=False) as desk:
        live = desk.service.live
        live.shell._appended += 1  # a group that is being committed
        waiting = asyncio.ensure_future(live.shell.committed())
        await asyncio.sleep(0)
        live.journal.on_failure(JournalError("the disk is full"))

        await asyncio.wait_for(waiting, 1)


async def test_strategies_hear_the_end_once(tmp_path):
    class Ending(Strategy):
        def __init__(self):
            self.ends = 0

        def on_stop(self):
            self.ends += 1

    one = Ending()
    async with running(tmp_path, strategies=[one]) as desk:
        await desk.service.stop()
        await desk.service.live.close()

    assert one.ends == 1


async def test_a_strategy_sees_its_own_holding_and_the_account(tmp_path):
    seen = []

    class Looking(Strategy):
        def on_trade(self, trade):
            seen.append((self.ctx.position(BTC), self.ctx.equity()))
            if len(seen) == 1:
                self.signal("BUY", BTC, quantity="0.01")

    async with running(tmp_path, strategies=[Looking()]) as desk:
        await desk.service.place_order(BTC, "BUY", "0.004")
        await desk.feed.price(45_000)

    assert [held for held, _ in seen] == [0, Decimal("0.01")]
    assert 9_990 < seen[-1][1] < 10_000


async def test_a_start_whose_first_report_can_not_be_recorded_blames_the_journal(
    tmp_path, monkeypatch
):
    async def fail(self, hear_of):
        hear_of(self.main).__self__.fail(JournalError("the disk is full"))
        return await connect(self, hear_of)

    connect = Accounts.connect
    monkeypatch.setattr(Accounts, "connect", fail)

    with pytest.raises(JournalError, match="the disk is full"):
        async with running(tmp_path):
            pass
