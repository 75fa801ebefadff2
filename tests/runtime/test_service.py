"""A session through its service: starting, states, stopping, pausing, killing."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from holdfast import (
    ConfigError,
    EventBus,
    InputError,
    JournalLocked,
    LiveBrokerAdapter,
    LiveTradingService,
    NetworkError,
    OrderStatus,
    PaperBroker,
    RiskDenied,
    SessionStateError,
    StrategyError,
    TradingSessionStatus,
)
from holdfast.journal import open_journal
from holdfast.journal.inspect import verify
from holdfast.model.commands import CancelOrder
from holdfast.model.messages import FailSession
from holdfast.model.values import NS_PER_S
from holdfast.runtime.live import LiveSession
from holdfast.runtime.recovery import StateRecoveryService
from holdfast.strategies import Strategy
from holdfast.venues import open_paper
from tests.runtime.session_desk import (
    BTC,
    ETH,
    START,
    ScriptedFeed,
    books_agree,
    config_in,
    running,
)

S = TradingSessionStatus


# Starting


async def test_a_session_starts_running_and_says_what_it_is(tmp_path):
    portfolio = uuid4()
    async with running(tmp_path, start={"portfolio_id": portfolio}) as desk:
        session = desk.service.session()

        assert isinstance(session.id, UUID)
        assert session.portfolio_id == portfolio
        assert session.status is S.RUNNING
        assert session.started_at == datetime.fromtimestamp(START / NS_PER_S, UTC)
        assert session.stopped_at is None
        assert (session.total_trades, session.winning_trades, session.losing_trades) == (0, 0, 0)
        assert (session.total_pnl, session.max_drawdown) == (Decimal(0), Decimal(0))
        assert session.strategies == ("Wisher",)
        assert session.symbols == (BTC,)


async def test_a_second_session_beside_a_running_one_is_refused(tmp_path):
    async with running(tmp_path) as desk:
        with pytest.raises(SessionStateError, match="a session is running"):
            await desk.service.start_session(feed=ScriptedFeed())

        assert desk.status is S.RUNNING


@pytest.fixture
def may_open(monkeypatch):
    """Hold every life up before it opens."""
    opens, gate = LiveSession.open, asyncio.Event()

    async def slow(live):
        await gate.wait()
        await opens(live)

    monkeypatch.setattr(LiveSession, "open", slow)
    return gate


def _has_life(service):
    try:
        return service.live is not None
    except SessionStateError:
        return False


async def _starting(folder):
    """Return a service whose session is on its way up, and what waits for it."""
    service = LiveTradingService(config=config_in(folder))
    start = service.start_session(strategies=[], symbols=[BTC], feed=ScriptedFeed())
    starting = asyncio.create_task(start)
    async with asyncio.timeout(10):
        while not _has_life(service):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0)
    return service, starting


async def test_a_second_session_beside_one_that_starts_is_refused_and_changes_nothing(
    tmp_path, may_open
):
    service, starting = await _starting(tmp_path)
    with pytest.raises(SessionStateError, match="stop it first"):
        await service.start_session(strategies=[], symbols=[ETH], feed=ScriptedFeed((ETH,)))
    may_open.set()
    session = await starting
    live = service.live
    live.shell.fail(RuntimeError("by design"))
    async with asyncio.timeout(10):
        while service.live is live or service.session().status is not S.RUNNING:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)

    assert service.live.plan.symbols == (BTC,)
    assert service.session().portfolio_id == session.portfolio_id
    await service.stop()


async def test_a_stop_while_a_session_starts_stops_it_once_it_has_begun(tmp_path, may_open):
    service, starting = await _starting(tmp_path)
    stopping = asyncio.create_task(service.stop("enough"))
    await asyncio.sleep(0)
    assert not stopping.done()
    may_open.set()
    session = await asyncio.wait_for(stopping, 10)
    await asyncio.gather(starting, return_exceptions=True)

    assert (session.status, session.reason) == (S.STOPPED, "enough")
    assert not service.is_running()


async def test_a_stop_while_a_session_starts_in_vain_says_that_there_is_none_to_stop(
    tmp_path, may_open, monkeypatch
):
    service, starting = await _starting(tmp_path)
    stopping = asyncio.create_task(service.stop("enough"))
    await asyncio.sleep(0)
    monkeypatch.setattr(service.live.venue, "connect", _unreachable)
    may_open.set()

    with pytest.raises(NetworkError):
        await starting
    with pytest.raises(SessionStateError, match="did not start, and has left nothing to stop"):
        await asyncio.wait_for(stopping, 10)


async def _unreachable(*_):
    raise NetworkError("the exchange can't be reached")


async def test_a_second_service_on_the_same_data_is_told_who_has_it(tmp_path):
    async with running(tmp_path):
        import os

        other = LiveTradingService(config=config_in(tmp_path))
        with pytest.raises(JournalLocked, match=str(os.getpid())):
            await other.start_session(feed=ScriptedFeed())

        assert not other.is_running()


async def test_a_service_whose_start_failed_can_start(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path))
    with pytest.raises(StrategyError, match="no_such"):
        await service.start_session(strategies=["no_such"], feed=ScriptedFeed())
    with pytest.raises(SessionStateError, match="no session was started"):
        service.session()

    async with running(tmp_path, service=service) as desk:
        assert desk.status is S.RUNNING


class Torn(ScriptedFeed):
    """A market whose past can't be read."""

    def history(self, symbol, timeframe, before_ts, count):
        raise ConfigError("history is torn")


async def test_a_start_that_fails_late_gives_the_journal_back(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path))
    with pytest.raises(ConfigError, match="history is torn"):
        await service.start_session(feed=Torn(), symbols=[BTC])

    async with running(tmp_path) as desk:
        assert desk.status is S.RUNNING


async def test_a_session_that_never_began_leaves_no_snapshot_of_itself(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")
    with pytest.raises(ConfigError, match="history is torn"):
        await LiveTradingService(config=config_in(tmp_path)).start_session(
            feed=Torn(), symbols=[BTC]
        )

    journal = open_journal(tmp_path / "holdfast.db", read_only=True)
    assert StateRecoveryService(journal).check() == ""
    journal.close()


class Unreachable(ScriptedFeed):
    """A market that does not say what it trades."""

    async def fetch_instruments(self):
        raise NetworkError("by design")

    async def fetch_history(self, wanted, before_ts):
        raise AssertionError("nobody comes so far")


async def test_a_start_without_a_market_gives_the_account_back(tmp_path):
    opened = []

    def open_account(wiring):
        opened.append(open_paper(wiring))
        return opened[-1]

    service = LiveTradingService(config=config_in(tmp_path, dry_run=False))
    service.set_broker(LiveBrokerAdapter(open_account))
    with pytest.raises(NetworkError):
        await service.start_session(strategies=[], symbols=[BTC], feed=Unreachable())

    assert opened
    assert [path for path in open_files() if path.is_relative_to(tmp_path)] == []


def open_files():
    """Return what this process has open."""
    numbers = [path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return [number.readlink() for number in numbers if number.is_symlink()]


async def test_one_name_where_a_list_belongs_is_refused(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path))
    with pytest.raises(InputError, match="symbols must be a list"):
        await service.start_session(symbols="BTCUSDT")
    with pytest.raises(InputError, match="strategies must be a list"):
        await service.start_session(strategies="sma_cross")


async def test_symbols_are_taken_in_capitals_and_once(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path))
    session = await service.start_session(
        strategies=[], symbols=["btcusdt", " BTCUSDT "], feed=ScriptedFeed()
    )
    await service.stop()

    assert session.symbols == (BTC,)


async def test_a_strategy_whose_hooks_are_misspelt_is_refused_before_the_session_begins(tmp_path):
    class Mute(Strategy):
        def onbar(self, bar):
            raise AssertionError("never called")

    service = LiveTradingService(config=config_in(tmp_path))
    with pytest.raises(StrategyError, match="onbar"):
        await service.start_session(strategies=[Mute()], feed=ScriptedFeed())
    with pytest.raises(StrategyError, match="a Strategy"):
        await service.start_session(strategies=[42], feed=ScriptedFeed())  # type: ignore[list-item]  # a mistake


async def test_what_needs_a_session_says_so_without_one(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path))

    assert not service.is_running()
    for ask in (service.pause, service.stop, service.get_metrics, service.get_session_stats):
        with pytest.raises(SessionStateError, match="no session"):
            await ask()
    with pytest.raises(SessionStateError, match="no session"):
        await service.place_order("BTCUSDT", "BUY", 1)


async def test_sessions_follow_each_other_on_one_service(tmp_path):
    async with running(tmp_path) as desk:
        first = desk.service.session().id
        await desk.service.stop()
        ended = desk.service.session()

    async with running(tmp_path, service=desk.service) as desk:
        assert ended.status is S.STOPPED
        assert desk.service.session().id != first
        assert desk.status is S.RUNNING


async def test_a_recording_can_be_played_again_on_the_same_account(tmp_path):
    """The second session's time is long before the first one's end."""
    for seconds in (60, 1):
        async with running(tmp_path) as desk:
            await desk.feed.pass_time(seconds)
            order = await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
            await desk.service.close_position(BTC)
            session = await desk.service.stop()

            assert order.status is OrderStatus.FILLED
            assert session.started_at == datetime.fromtimestamp(START / NS_PER_S, UTC)
            assert books_agree(desk.service)


# The states


async def test_every_move_of_the_diagram(tmp_path):
    """STOPPED, STARTING, RUNNING, PAUSED, RUNNING, STOPPING, STOPPED; ERROR, STOPPED."""
    moves: list[S] = []
    bus = EventBus()
    bus.subscribe("session.changed", lambda fact: moves.append(fact.status))
    service = LiveTradingService(config=config_in(tmp_path), event_bus=bus)

    async with running(tmp_path, service=service):
        assert (await service.pause()).status is S.PAUSED
        assert (await service.resume()).status is S.RUNNING
        assert (await service.stop()).status is S.STOPPED
    assert moves == [S.STARTING, S.RUNNING, S.PAUSED, S.RUNNING, S.STOPPING, S.STOPPED]

    moves.clear()
    async with running(tmp_path, service=service) as desk:
        desk.service.live.shell.ask(FailSession(reason="cannot be explained"))
        assert desk.status is S.ERROR
        assert service.is_running()
        assert (await service.stop("looked at")).status is S.STOPPED
    assert moves == [S.STARTING, S.RUNNING, S.ERROR, S.STOPPED]


async def test_a_session_has_the_diagram_s_own_words_for_its_moves(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path))
    with pytest.raises(SessionStateError, match="no session was started"):
        await service.reset()
    session = await service.start(strategies=[], symbols=[BTC], feed=ScriptedFeed())
    assert session.status is S.RUNNING
    with pytest.raises(SessionStateError, match="RUNNING has nothing to reset"):
        await service.reset()

    service.live.shell.ask(FailSession(reason="cannot be explained"))
    assert service.session().status is S.ERROR
    ended = await service.reset("looked at")
    assert (ended.status, ended.reason) == (S.STOPPED, "looked at")
    with pytest.raises(SessionStateError, match="STOPPED has nothing to reset"):
        await service.reset()


def test_what_is_no_broker_is_refused_at_once(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path))

    with pytest.raises(InputError, match=r"was <class 'holdfast.runtime.broker.PaperBroker'>"):
        service.set_broker(PaperBroker)  # type: ignore[arg-type]  # the mistake meant


async def test_moves_that_the_diagram_does_not_have_are_refused_and_change_nothing(tmp_path):
    async with running(tmp_path) as desk:
        with pytest.raises(SessionStateError, match="is RUNNING already"):
            await desk.service.resume()
        await desk.service.pause()
        with pytest.raises(SessionStateError, match="is PAUSED already"):
            await desk.service.pause()

        assert desk.status is S.PAUSED


async def test_stopping_twice_is_stopping_once(tmp_path):
    async with running(tmp_path) as desk:
        one, two = await asyncio.gather(desk.service.stop(), desk.service.stop())
        three = await desk.service.stop()

        assert {one.status, two.status, three.status} == {S.STOPPED}


async def test_stopping_while_paused_stops(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.pause()
        session = await desk.service.stop("enough")

        assert session.status is S.STOPPED
        assert session.reason == "enough"
        assert session.stopped_at is not None


async def test_a_feed_that_ends_ends_the_session(tmp_path):
    async with running(tmp_path) as desk:
        desk.feed.end()
        await desk.service.wait()

        assert desk.status is S.STOPPED
        assert desk.service.session().reason == "the feed has ended"
        assert desk.service.fault == ""
        assert not desk.service.is_running()


async def test_a_feed_that_fails_leaves_error_until_it_is_reset(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", "LIMIT", 44_000)
        desk.feed.end(ValueError("line 7 is torn"))
        await desk.service.wait()

        assert desk.status is S.ERROR
        assert "line 7 is torn" in desk.service.fault
        assert desk.open_roles() == []
        assert (await desk.service.stop()).status is S.STOPPED

    async with running(tmp_path) as again:
        assert again.status is S.RUNNING


# Stopping, with positions


async def test_a_stop_takes_entries_back_and_leaves_positions_with_their_stops(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000, take_profit=46_000)
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        await desk.service.stop(flatten=False)

        assert desk.state.orders[resting.id].status is OrderStatus.CANCELED
        assert desk.open_roles() == ["STOP_LOSS", "TAKE_PROFIT"]
        assert desk.state.position(("main", BTC)).qty == Decimal("0.01")
        assert books_agree(desk.service)

    async with running(tmp_path) as again:
        assert [p.quantity for p in await again.service.get_positions()] == [Decimal("0.01")]
        assert again.open_roles() == ["STOP_LOSS", "TAKE_PROFIT"]


@pytest.mark.parametrize("on_stop", ["argument", "setting"])
async def test_a_flattening_stop_closes_positions_and_their_stops(tmp_path, on_stop):
    settings = {"on_stop": "flatten"} if on_stop == "setting" else {}
    async with running(tmp_path, **settings) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        session = await desk.service.stop(flatten=True if on_stop == "argument" else None)

        assert session.status is S.STOPPED
        assert session.total_trades == 1
        assert desk.state.open_keys() == []
        assert desk.open_roles() == []
        assert books_agree(desk.service)


async def test_a_flattening_stop_behind_one_that_keeps_positions_closes_them(tmp_path, monkeypatch):
    async with running(tmp_path, feed=ScriptedFeed(is_live=True, start_ts=time.time_ns())) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await desk.service.place_order(BTC, "BUY", "0.01", "LIMIT", 44_500)
        venue = desk.service.live.venue
        held: list[CancelOrder] = []
        cancels = venue.cancel
        monkeypatch.setattr(venue, "cancel", held.append)  # on its way
        keeping = asyncio.create_task(desk.service.stop("enough", flatten=False))
        await desk.until(lambda: desk.status is S.STOPPING)
        flattening = asyncio.create_task(desk.service.stop("flat, please", flatten=True))
        await asyncio.sleep(0)
        monkeypatch.setattr(venue, "cancel", cancels)
        for command in held:
            cancels(command)
        await asyncio.wait_for(asyncio.gather(keeping, flattening), 10)

        assert desk.status is S.STOPPED
        assert desk.state.open_keys() == []
        assert books_agree(desk.service)


async def test_a_flattening_stop_works_while_paused(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "SELL", "0.01", stop_loss=46_000)
        await desk.service.pause()
        await desk.service.stop(flatten=True)

        assert desk.state.open_keys() == []


async def test_a_feed_that_ends_flattens_where_the_settings_say_so(tmp_path):
    async with running(tmp_path, on_stop="flatten") as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")
        desk.feed.end()
        await desk.service.wait()

        assert desk.state.open_keys() == []
        assert desk.status is S.STOPPED


# Pausing


async def test_a_pause_stops_new_risk_but_not_exits(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        resting = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        await desk.service.pause("lunch")

        assert await desk.service.get_order_status(resting.id) is OrderStatus.CANCELED
        assert desk.open_roles() == ["STOP_LOSS"]
        with pytest.raises(RiskDenied, match="PAUSED"):
            await desk.service.place_order(BTC, "BUY", "0.004")
        await desk.wish("BUY", BTC, quantity="0.004")
        assert desk.state.position(("main", BTC)).qty == Decimal("0.01")

        assert (await desk.service.close_position(BTC)).quantity == 0
        assert desk.open_roles() == []
        await desk.service.resume()
        assert (await desk.service.place_order(BTC, "BUY", "0.004")).status is OrderStatus.FILLED


async def test_a_stop_at_the_exchange_works_while_paused(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await desk.service.pause()
        await desk.feed.price(43_900)

        assert desk.state.open_keys() == []


# Killing


async def test_the_kill_switch_blocks_takes_back_and_outlasts_the_session(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        await desk.service.kill("something is wrong")

        assert desk.open_roles() == ["STOP_LOSS"]
        assert (await desk.service.get_metrics()).is_killed

    async with running(tmp_path) as desk:
        with pytest.raises(RiskDenied, match="kill_switch"):
            await desk.service.place_order(BTC, "BUY", "0.004")
        with pytest.raises(InputError, match="operator"):
            await desk.service.release("  ")
        await desk.service.release("Ann")
        assert (await desk.service.place_order(BTC, "BUY", "0.004")).status is OrderStatus.FILLED


@pytest.mark.parametrize("reason", [ValueError("the model is \udc80"), 17, None])
async def test_a_kill_holds_whatever_its_reason_is(tmp_path, reason):
    async with running(tmp_path) as desk:
        await desk.service.kill(reason)

    async with running(tmp_path) as desk:
        assert desk.state.is_killed
        assert desk.state.kill_reason in str(reason).replace("\udc80", "\\udc80")


async def test_the_kill_switch_can_flatten(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await desk.service.kill("out", flatten=True)
        await desk.feed.pass_time(2)

        assert desk.state.open_keys() == []
        assert desk.state.is_kill_verified


# Strategies


class Raising(Strategy):
    def on_trade(self, trade):
        if self.ctx.position(BTC):
            raise ZeroDivisionError("by design")
        self.signal("BUY", BTC, quantity="0.004")


class Hanging(Strategy):
    def on_trade(self, trade):
        if self.ctx.position(BTC):
            while True:
                time.sleep(0.001)
        self.signal("BUY", BTC, quantity="0.004")


@pytest.mark.parametrize(("kind", "why"), [(Raising, "by design"), (Hanging, "budget")])
async def test_a_strategy_that_fails_is_taken_off_and_its_position_keeps_its_stop(
    tmp_path, kind, why
):
    async with running(tmp_path, strategies=[kind()], hook_budget_ms=40) as desk:
        name = kind.__name__
        await desk.feed.price(45_000)
        await desk.feed.price(45_000)

        assert desk.status is S.RUNNING
        assert why in desk.state.stopped_strategies[name]
        assert desk.state.position(("main", BTC)).qty == Decimal("0.004")
        assert desk.open_roles() == ["STOP_LOSS", "TAKE_PROFIT"]
        assert (await desk.service.place_order(BTC, "BUY", "0.004")).status is OrderStatus.FILLED
        await desk.feed.price(44_000)  # 2 % below: its stop
        assert desk.state.position(("main", BTC)).qty == Decimal("0.004")  # the operator's own


class Babbler(Strategy):
    """Wishes for something with a reason that is none, or raises one."""

    def __init__(self, reason):
        self.reason = reason

    def on_trade(self, trade):
        if isinstance(self.reason, Exception):
            raise self.reason
        self.signal("BUY", BTC, "0.01", reason=self.reason)


@pytest.mark.parametrize("reason", [None, 0.75, "\udc80", ValueError("\udc80")])
async def test_no_words_of_a_strategy_end_the_session_or_spoil_its_record(tmp_path, reason):
    async with running(tmp_path, strategies=[Babbler(reason)]) as desk:
        await desk.feed.prices()

        assert desk.status is S.RUNNING
        assert list(desk.state.stopped_strategies) == ["Babbler"]

    assert verify(tmp_path / "holdfast.db").is_ok
    async with running(tmp_path) as desk:
        assert desk.status is S.RUNNING


async def test_one_failing_strategy_leaves_the_others_alone(tmp_path):
    feed = ScriptedFeed()
    from tests.runtime.session_desk import Wisher

    wisher = Wisher()
    async with running(tmp_path, feed=feed, strategies=[Raising(), wisher]) as desk:
        await feed.price(45_000)
        await feed.price(45_000)
        heard = wisher.trades
        await feed.price(45_000)

        assert wisher.trades == heard + 1
        assert list(desk.service.live.runner.strategies) == ["Wisher"]


async def test_a_strategy_hears_of_its_own_orders_and_fills(tmp_path):
    async with running(tmp_path) as desk:
        await desk.wish("BUY", BTC, quantity="0.005")
        await desk.service.place_order(BTC, "BUY", "0.004")

        assert [fill.qty for fill in desk.wisher.fills] == [Decimal("0.005")]
        assert OrderStatus.FILLED in {update.status for update in desk.wisher.orders}


# Figures


async def test_metrics_and_statistics_of_a_session(tmp_path):
    feed = ScriptedFeed((BTC, ETH))
    async with running(tmp_path, feed=feed, disabled=("correlation",)) as desk:
        service = desk.service
        await service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await service.place_order(ETH, "SELL", "0.1")
        await feed.price(45_500, BTC)
        metrics = await service.get_metrics()

        assert metrics.position_count == 2
        assert metrics.total_exposure == Decimal("0.01") * 45_500 + Decimal("0.1") * 2_500
        assert metrics.unrealized_pnl > 4
        assert metrics.equity == metrics.wallet + metrics.unrealized_pnl
        assert metrics.open_orders == 1

        await service.close_position(BTC)
        await service.close_position(ETH)
        session = await service.stop()
        stats = await service.get_session_stats()

        assert stats.total_trades == session.total_trades == 2
        assert (stats.winning_trades, stats.losing_trades) == (1, 1)
        assert stats.win_rate == 0.5
        assert stats.total_pnl == session.total_pnl
        assert stats.equity_end == 10_000 + stats.total_pnl
        assert isinstance(stats.duration, timedelta)


async def test_a_trip_begun_in_an_earlier_session_counts_where_it_ends(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")
        assert (await desk.service.stop(flatten=False)).total_trades == 0

    async with running(tmp_path) as desk:
        await desk.service.close_position(BTC)
        await desk.service.place_order(BTC, "SELL", "0.01")
        await desk.service.close_position(BTC)

        assert desk.service.session().total_trades == 2


async def test_is_running_ends_with_the_session(tmp_path):
    async with running(tmp_path) as desk:
        assert desk.service.is_running()
        await desk.service.pause()
        assert desk.service.is_running()
        await desk.service.stop()
        assert not desk.service.is_running()
        with pytest.raises(SessionStateError):
            await desk.service.get_metrics()
        result = await desk.service.execute_order(_order())
        assert not result.success
        assert "no session" in result.error


def _order():
    from holdfast import Order, Side

    return Order(BTC, Side.BUY, "0.004")
