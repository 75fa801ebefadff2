"""What came before a session's start keeps nobody from being protected, and ends no session."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from holdfast import (
    JournalError,
    LiveTradingService,
    NetworkError,
    RiskDenied,
    TradingSessionStatus,
)
from holdfast.model import messages as msg
from holdfast.model.commands import CancelOrder, QueryOrder
from holdfast.model.market import Bar, BookDelta, BookSnapshot
from holdfast.model.values import NS_PER_S
from holdfast.runtime import beat, feeding, lives, past, starting
from holdfast.runtime import live as live_module
from holdfast.runtime.live import LiveSession
from holdfast.strategies import Strategy
from holdfast.venues import PaperVenue
from holdfast.venues.paper_faults import Fault, Faults
from tests.runtime.session_desk import BTC, ETH, ScriptedFeed, config_in, crash_image, running

PROMPT = {"speed": 1.0, "query_interval_ns": "100ms", "recv_window_ns": "2s"}
WARM_UP = 7
MINUTE = 60 * NS_PER_S


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.0)
    monkeypatch.setattr(beat, "HEARTBEAT_S", 0.02)
    monkeypatch.setattr(live_module, "TICK_NS", NS_PER_S // 50)


class Learner(Strategy):
    """Wants bars of before, and notes what it is shown, in turn."""

    warmup_bars = WARM_UP

    def __init__(self):
        self.seen: list[str] = []

    def on_bar(self, bar):
        self.seen.append("past" if self.ctx.is_warming_up else "bar")

    def on_trade(self, trade):
        self.seen.append("trade")


class Archive(ScriptedFeed):
    """A live market whose bars of before come once the gate is open, or not at all."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{"is_live": True, "start_ts": time.time_ns(), **kwargs})
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.asked: list = []

    async def fetch_instruments(self):
        pass

    async def fetch_history(self, wanted, before_ts):
        self.asked += wanted
        await self.gate.wait()
        if self.error is not None:
            raise self.error

    def history(self, symbol, timeframe, before_ts, count):
        until = before_ts - before_ts % MINUTE
        return [
            Bar(
                symbol=symbol,
                timeframe=timeframe,
                open_ts=until - (number + 1) * MINUTE,
                ts=until - number * MINUTE,
                open=45_000.0,
                high=45_000.0,
                low=45_000.0,
                close=45_000.0 + number % 3,
                volume=1.0,
            )
            for number in reversed(range(count))
        ]

    def again(self):
        copy = Archive(self.symbols, start_ts=self.start_ts)
        copy.now, copy.tape = self.now, list(self.tape)
        return copy


class Told:
    def __init__(self):
        self.lines = []

    def notify(self, level, text):
        self.lines.append((level, text))


class Heard:
    """What the engines of all lives were told, where the session stood, and what they sent."""

    def __init__(self, monkeypatch):
        self.rows: list = []
        open_life = LiveSession.open

        async def opened(live):
            handle = live.engine.handle

            def noted(message, now):
                status = live.status
                outcome = handle(message, now)
                self.rows.append((message, status, outcome.commands))
                return outcome

            monkeypatch.setattr(live.engine, "handle", noted)
            await open_life(live)

        monkeypatch.setattr(LiveSession, "open", opened)

    def sent(self, kind, message, status=None):
        """Return how often a kind of command followed from a kind of message."""
        return sum(
            isinstance(command, kind)
            for heard, where, commands in self.rows
            if isinstance(heard, message) and status in (None, where)
            for command in commands
        )

    def of(self, kind, status=None):
        return [m for m, where, _ in self.rows if isinstance(m, kind) and status in (None, where)]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.005)


@asynccontextmanager
async def restarted(feed, service, strategies=()):
    """Start a session in the background until the block ends."""
    start = asyncio.ensure_future(
        service.start_session(strategies=list(strategies), symbols=list(feed.symbols), feed=feed)
    )
    try:
        yield start
    finally:
        feed.gate.set()
        with contextlib.suppress(asyncio.CancelledError):
            await start
        await service.stop("the test is over")


@asynccontextmanager
async def left_with(tmp_path, do, **settings):
    """Crash a session behind what was done; yield the market and the settings of the next one."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    async with running(a, feed=Archive(), **PROMPT, **settings) as desk:
        await desk.feed.price(45_000, seconds=0.0)
        await do(desk.service)
        crash_image(a, b)
        yield desk.feed.again(), config_in(b, **PROMPT, **settings)


async def _lose_a_stop(service):
    venue = service.live.venue
    venue._faults = Faults(requests={venue._requests + 2: Fault.NOT_EXECUTED})
    await service.place_order(BTC, "BUY", "0.01", stop_loss="44000")


async def _rest_an_entry(service):
    await service.place_order(BTC, "BUY", "0.01", "LIMIT", "44000")


async def test_a_lost_stop_is_asked_after_while_strategies_are_shown_the_past(
    tmp_path, monkeypatch
):
    async with left_with(tmp_path, _lose_a_stop) as (feed, config):
        feed.gate.clear()
        heard = Heard(monkeypatch)
        async with restarted(feed, LiveTradingService(config=config), [Learner()]) as start:
            await until(lambda: heard.sent(QueryOrder, msg.Tick))

            assert not start.done()


async def test_a_lost_stop_is_asked_after_while_another_account_gives_no_books(
    tmp_path, monkeypatch
):
    two = {"accounts": {"second": {"venue": "paper"}}}
    monkeypatch.setattr(starting, "ASK_AGAIN_S", 0.05)
    async with left_with(tmp_path, _lose_a_stop, **two) as (feed, config):
        heard, silent, resync = Heard(monkeypatch), {"second"}, PaperVenue.resync

        def answer(venue, command):
            if command.account not in silent:
                resync(venue, command)

        monkeypatch.setattr(PaperVenue, "resync", answer)
        async with restarted(feed, LiveTradingService(config=config)) as start:
            await until(lambda: heard.sent(QueryOrder, msg.Tick, TradingSessionStatus.STARTING))

            was_done, audits = start.done(), {each.reason for each in heard.of(msg.AuditDue)}
            silent.clear()
            assert not was_done
            assert audits <= {starting.WHAT}


async def test_a_kill_at_a_start_does_not_wait_for_the_past_of_the_market(tmp_path, monkeypatch):
    async with left_with(tmp_path, _rest_an_entry) as (feed, config):
        feed.gate.clear()
        heard, service = Heard(monkeypatch), LiveTradingService(config=config)
        async with restarted(feed, service) as start:
            await until(lambda: feed.asked)
            await asyncio.wait_for(service.kill("now"), 5)

            assert heard.sent(CancelOrder, msg.EngageKillSwitch) == 1
            assert not start.done()


async def test_a_session_goes_on_without_the_past_and_strategies_begin_once_it_is_there(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(past, "FIRST_DELAY_S", 0.02)
    monkeypatch.setattr(past, "DELAY_S_MAX", 0.02)
    feed, learner, told = Archive((BTC, ETH)), Learner(), Told()
    feed.error = NetworkError("no klines")
    service = LiveTradingService(config=config_in(tmp_path, speed=1.0), notifier=told)
    given = {"strategies": [learner], "service": service}
    async with running(tmp_path, feed=feed, **given) as desk:
        await desk.feed.price(45_000, seconds=0.0)
        await until(lambda: len(feed.asked) > 6)
        assert desk.status is TradingSessionStatus.RUNNING
        assert service.restarts == 0
        assert learner.seen == []
        with pytest.raises(RiskDenied, match="the bars before now"):
            await service.place_order(BTC, "BUY", "0.01")
        assert len([text for level, text in told.lines if level == "alarm"]) == 1

        feed.error = None
        await until(lambda: learner.seen)
        await desk.feed.price(45_001, seconds=0.0)
        assert learner.seen[: 2 * WARM_UP] == ["past"] * 2 * WARM_UP
        assert learner.seen[2 * WARM_UP] == "trade"
        placed = await service.place_order(BTC, "BUY", "0.01", stop_loss="44000")
        assert placed.filled_quantity == Decimal("0.01")


async def test_a_restart_without_the_past_protects_what_is_held(tmp_path, monkeypatch):
    async with left_with(tmp_path, _lose_a_stop) as (feed, config):
        feed.error = NetworkError("no klines")
        heard, service = Heard(monkeypatch), LiveTradingService(config=config)
        async with restarted(feed, service, [Learner()]) as start:
            await start
            await until(lambda: heard.sent(QueryOrder, msg.Tick))

            assert service.session().status is TradingSessionStatus.RUNNING


async def test_parts_of_an_entry_wait_for_the_market_of_a_session_that_starts(
    tmp_path, monkeypatch
):
    async def begin(service):
        await service.place_order(BTC, "BUY", "0.1", algo="twap:over=20s,slices=20")

    async with left_with(tmp_path, begin) as (feed, config):
        feed.gate.clear()
        heard = Heard(monkeypatch)
        async with restarted(feed, LiveTradingService(config=config), [Learner()]):
            await until(lambda: len(heard.of(msg.Tick)) > 75)
            assert heard.of(msg.TimerFired) == []

            feed.gate.set()
            await until(lambda: heard.of(msg.TimerFired))


async def test_a_life_that_fails_while_strategies_are_shown_the_past_is_followed_by_another(
    tmp_path,
):
    async with left_with(tmp_path, _lose_a_stop) as (feed, config):
        feed.gate.clear()
        service = LiveTradingService(config=config)
        async with restarted(feed, service, [Learner()]) as start:
            await until(lambda: feed.asked)
            first = service.live
            first.shell.fail(RuntimeError("an error of our own"))

            await until(lambda: service.live is not first)
            await start
            assert service.restarts == 1
            assert not feed.gate.is_set()
            await until(lambda: service.session().status is TradingSessionStatus.RUNNING)
            await asyncio.wait_for(service.kill("now"), 5)


async def test_a_journal_that_fails_while_strategies_are_shown_the_past_ends_the_session(
    tmp_path,
):
    async with left_with(tmp_path, _rest_an_entry) as (feed, config):
        feed.gate.clear()
        service = LiveTradingService(config=config)
        async with restarted(feed, service, [Learner()]):
            await until(lambda: feed.asked)
            canceled: list[bool] = []
            live: Any = service.live
            live.cancel_at_venue = lambda: canceled.append(True)
            live.shell.fail(JournalError("it hangs"))

            await until(lambda: canceled)
            await until(lambda: service.session().status is TradingSessionStatus.ERROR)
            assert not feed.gate.is_set()


async def _hold(service):
    await service.place_order(BTC, "BUY", "0.01", stop_loss="44000")


@pytest.mark.parametrize("flatten", [False, True])
async def test_a_stop_does_not_wait_for_the_past_of_the_market(tmp_path, flatten):
    async with left_with(tmp_path, _hold) as (feed, config):
        feed.gate.clear()
        service = LiveTradingService(config=config)
        learner: Any = Learner()
        learner.on_start = lambda ctx: learner.seen.append("start")
        async with restarted(feed, service, [learner]):
            await until(lambda: feed.asked)
            assert service.session().status is TradingSessionStatus.RUNNING
            await asyncio.wait_for(service.stop("now", flatten=flatten), 5)

            assert service.session().status is TradingSessionStatus.STOPPED
            assert bool(service.live.engine.state.open_keys()) is not flatten
            assert learner.seen == []
            assert not feed.gate.is_set()


async def test_a_stop_at_a_start_shows_no_strategy_the_past(tmp_path, monkeypatch):
    monkeypatch.setattr(starting, "ASK_AGAIN_S", 0.05)
    async with left_with(tmp_path, _hold) as (feed, config):
        feed.gate.clear()
        resync, is_silent = PaperVenue.resync, [True]
        monkeypatch.setattr(
            PaperVenue, "resync", lambda *args: None if is_silent[0] else resync(*args)
        )
        service, learner = LiveTradingService(config=config), Learner()
        async with restarted(feed, service, [learner]):
            await until(lambda: service._lives and service._lives.live)
            await until(lambda: service.live.shell.has_begun)
            stop = asyncio.ensure_future(service.stop("now"))
            await until(lambda: service.session().status is TradingSessionStatus.STOPPING)
            is_silent[0] = False
            service.live.shell.hear(msg.AuditDue(account=service.live.venue.account))
            await asyncio.wait_for(stop, 5)

            assert service.session().status is TradingSessionStatus.STOPPED
            assert learner.seen == []
            assert feed.asked == []


async def test_a_session_that_failed_can_be_stopped_while_the_past_is_not_there(tmp_path):
    async with left_with(tmp_path, _hold) as (feed, config):
        feed.gate.clear()
        service = LiveTradingService(config=config)
        async with restarted(feed, service, [Learner()]):
            await until(lambda: feed.asked)
            service.live.shell.hear(msg.FailSession(reason="no"))
            await asyncio.wait_for(service.stop("now"), 5)

            assert service.session().status is TradingSessionStatus.STOPPED


async def test_strategies_that_wait_for_the_past_do_not_begin_behind_a_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(past, "FIRST_DELAY_S", 0.02)
    async with left_with(tmp_path, _hold) as (feed, config):
        feed.error = NetworkError("no klines")
        service, learner = LiveTradingService(config=config), Learner()
        async with restarted(feed, service, [learner]) as start:
            await start
            live, feed.error = service.live, None
            feed.gate.clear()
            feed.asked.clear()
            await until(lambda: feed.asked)
            live.shell.ask(msg.StopSession(reason="now", flatten=True))
            feed.gate.set()
            for _ in range(50):
                await asyncio.sleep(0)

            assert learner.seen == []


async def test_parts_of_an_entry_wait_for_a_market_that_is_away_when_a_session_starts(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(feeding, "AWAY_DELAY_S", 0.02)
    monkeypatch.setattr(feeding, "AWAY_DELAY_S_MAX", 0.02)

    async def begin(service):
        await service.place_order(BTC, "BUY", "0.1", algo="twap:over=20s,slices=20")

    async with left_with(tmp_path, begin) as (feed, config):
        is_away, shown = [True], feed.messages

        async def messages(after_ts=0):
            if is_away[0]:
                raise NetworkError("the streams did not open")
            async for each in shown(after_ts):
                yield each

        feed.messages = messages
        heard, service = Heard(monkeypatch), LiveTradingService(config=config)
        async with restarted(feed, service) as start:
            await start
            await until(lambda: len(heard.of(msg.Tick)) > 75)
            assert heard.of(msg.TimerFired) == []
            parents = service.live.engine.state.parents.values()
            assert [parent.is_over for parent in parents] == [False]

            is_away[0] = False
            await until(lambda: heard.of(msg.TimerFired))


async def test_an_order_at_a_start_is_not_judged_without_the_past_that_is_to_come(
    tmp_path, monkeypatch
):
    async with left_with(tmp_path, _rest_an_entry) as (feed, config):
        feed.gate.clear()
        settle, began = asyncio.Event(), asyncio.Event()

        async def settling(*_, **__):
            began.set()
            await settle.wait()

        monkeypatch.setattr(live_module, "settle_missed", settling)
        service = LiveTradingService(config=config)
        async with restarted(feed, service):
            await asyncio.wait_for(began.wait(), 5)
            assert service.session().status is TradingSessionStatus.RUNNING
            is_awaited = service.live.engine.core.market.awaits_past
            settle.set()

            assert is_awaited


class Reader(Learner):
    """Notes the quantity at the best bid of each whole book."""

    def __init__(self):
        super().__init__()
        self.bids: list[float] = []

    def on_book(self, book):
        if book.is_whole:
            self.bids.append(book.best_bid[1])


async def test_a_strategy_that_begins_late_hears_the_book_that_was_told_before(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(past, "FIRST_DELAY_S", 0.02)
    feed, reader = Archive(), Reader()
    feed.error = NetworkError("no klines")
    async with running(tmp_path, feed=feed, strategies=[reader], speed=1.0) as desk:
        await desk.feed.price(45_000, seconds=0.0)
        whole: dict[str, Any] = {
            "bids": ((44_999.0, 1.0),),
            "asks": ((45_001.0, 1.0),),
            "last_update_id": 1,
        }
        await feed.say(BookSnapshot(symbol=BTC, ts=feed.now, **whole), _change(feed, 2))
        feed.error = None
        await until(lambda: reader.seen)
        await feed.say(_change(feed, 3))

        assert reader.bids == [3.0]


def _change(feed, number):
    return BookDelta(
        symbol=BTC,
        ts=feed.now + number,
        first_id=number,
        final_id=number,
        previous_id=number - 1,
        bids=((44_999.0, float(number)),),
        asks=(),
    )
