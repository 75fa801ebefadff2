"""Strategies hear the market once, in order, and only what they ask for."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import pytest

from holdfast.feeds import FeedSettings, RecordingFeed, SyntheticFeed
from holdfast.model.bars import BarBuilder
from holdfast.model.errors import SessionStateError, StrategyError
from holdfast.model.market import Bar, BookDelta, BookSnapshot, Quote, Trade
from holdfast.model.values import (
    NS_PER_S,
    StrategyId,
    Symbol,
)
from holdfast.runtime.runner import LiveStrategyRunner
from holdfast.strategies import SmaCrossStrategy, Strategy
from tests.runtime.runner_session import (
    BTC,
    ETH,
    MINUTE,
    START,
    Misbehaving,
    Recorder,
    Session,
    Tape,
    everything,
    klines,
    synthetic,
)


@pytest.fixture(autouse=True)
def sessions() -> Iterator[list[Session]]:
    """End the sessions that a test has left open: their guards hold the process's timer."""
    Session.all = []
    yield Session.all
    for session in Session.all:
        session.runner.end("the test is over")


def test_bars_are_those_that_the_trades_make():
    feed = synthetic(BTC, ETH)
    recorder = Recorder("1m", "5m")
    builders = {symbol: BarBuilder(symbol, ["1m", "5m"]) for symbol in (BTC, ETH)}
    expected: list[Bar] = []
    for message in everything(feed):
        if isinstance(message, Trade):
            expected += builders[message.symbol].on_trade(message)

    Session(feed, {"r": recorder}, (BTC, ETH)).run()

    assert recorder.live == expected
    assert {(bar.symbol, bar.timeframe) for bar in expected} == {
        (symbol, name) for symbol in (BTC, ETH) for name in ("1m", "5m")
    }


def test_each_strategy_gets_its_own_time_frames_and_the_feeds_default():
    named, default = Recorder("5m"), Recorder()

    feed = synthetic()
    session = Session(feed, {"named": named, "default": default}).run()

    assert {bar.timeframe for bar in named.live} == {"5m"}
    assert {bar.timeframe for bar in default.live} == {feed.default_timeframe}
    assert named.ctx.timeframes == ("5m",)
    assert default.ctx.timeframes == (feed.default_timeframe,)
    assert session.failed == {}


def test_bars_that_a_trade_closes_come_before_it_and_all_symbols_in_order():
    tape = Tape("1m")
    feed = synthetic(BTC, ETH)

    Session(feed, {"t": tape}, (BTC, ETH)).run()

    closed_before: dict[Symbol, int] = {}
    for kind, what in tape.heard:
        if kind == "bar":
            assert isinstance(what, Bar)
            closed_before[what.symbol] = what.ts
        elif kind == "trade":
            assert isinstance(what, Trade)
            assert closed_before.get(what.symbol, 0) <= what.ts
            # No bar that is over is still to come.
            assert what.ts - closed_before.get(what.symbol, what.ts) < 2 * MINUTE
    shown = [what for kind, what in tape.heard if kind in ("trade", "quote")]
    assert shown == [m for m in everything(feed) if isinstance(m, Trade | Quote)]


def test_symbols_of_the_session_alone_are_heard():
    tape = Tape()

    Session(synthetic(BTC, ETH), {"t": tape}, (ETH,)).run()

    symbols = {w.symbol for _, w in tape.heard if isinstance(w, Trade | Quote | Bar)}
    assert symbols == {ETH}


def test_hooks_come_in_the_order_start_history_live_stop():
    recorder = Recorder("1m", warmup=3)

    Session(synthetic(), {"r": recorder}).run()

    kinds = [kind for kind, _ in recorder.heard]
    assert kinds == ["start"] + ["bar"] * (len(kinds) - 2) + ["stop"]
    assert len(recorder.history) == 3
    assert [bar for kind, bar in recorder.heard if kind == "bar"] == (
        recorder.history + recorder.live
    )


def test_strategy_that_overrides_nothing_costs_no_bars():
    session = Session(synthetic(), {"idle": Strategy()}).begin()

    route = session.runner._routes[BTC]
    assert route.bars.trades is None
    assert route.trades == route.quotes == ()


def test_time_closes_a_bar_that_no_trade_closes():
    recorder = Recorder("1m")
    session = Session(synthetic(start_ts=START), {"r": recorder}).begin()
    session.show([Trade(symbol=BTC, ts=START + 30 * NS_PER_S, price=1.0, qty=1.0)])

    session.runner.on_time(START + MINUTE - 1)
    assert recorder.live == []
    session.runner.on_time(START + MINUTE)

    assert [bar.ts for bar in recorder.live] == [START + MINUTE]
    assert recorder.ctx.now() >= START + MINUTE


def test_live_feeds_late_trade_still_counts_though_time_has_passed():
    class Live(SyntheticFeed):
        is_live = True

    recorder = Recorder("1m")
    feed = Live(FeedSettings(symbols=(BTC,), speed=0, start_ts=START))
    session = Session(feed, {"r": recorder}).begin()
    session.show([Trade(symbol=BTC, ts=START + 1, price=1.0, qty=1.0)])

    session.runner.on_time(START + MINUTE + NS_PER_S // 2)
    session.show([Trade(symbol=BTC, ts=START + MINUTE - 1, price=2.0, qty=1.0)])
    session.runner.on_time(START + MINUTE + NS_PER_S)

    assert [bar.close for bar in recorder.live] == [2.0]


def test_history_ends_at_the_start_and_comes_in_the_order_of_time():
    recorder = Recorder("5m", "1m", warmup=4)
    feed = synthetic(BTC, ETH)

    Session(feed, {"r": recorder}, (BTC, ETH)).run()

    assert len(recorder.history) == 16
    assert max(bar.ts for bar in recorder.history) <= feed.start_ts
    for symbol in (BTC, ETH):
        own = [bar for bar in recorder.history if bar.symbol == symbol]
        times = [(bar.ts, int(bar.timeframe[:-1])) for bar in own]
        assert times == sorted(times)  # of one end, the shorter comes first, as it does live
    ends = [bar.ts for bar in recorder.history]
    assert ends == sorted(ends)


def test_bars_that_warm_up_has_shown_do_not_come_again(tmp_path):
    feed = RecordingFeed(klines(tmp_path, 30), start_ts=START + 10 * MINUTE)
    warm, cold = Recorder("1m", "5m", warmup=5), Recorder("1m")

    Session(feed, {"warm": warm, "cold": cold}).run()

    ones = [b.ts for b in warm.history + warm.live if b.timeframe == "1m"]
    assert len(warm.history) == 7  # no more than two bars of five minutes have been
    assert ones == [START + n * MINUTE for n in range(6, 31)]
    assert cold.live[0].ts == feed.start_ts  # the first message, which the warm one knows
    fives = [b.ts for b in warm.history + warm.live if b.timeframe == "5m"]
    assert fives == [START + n * 5 * MINUTE for n in range(1, 7)]


def test_time_stands_at_each_bar_of_history_and_positions_can_be_asked():
    seen = []

    class Curious(Strategy):
        timeframes = ("1m",)
        warmup_bars = 3

        def on_bar(self, bar: Bar) -> None:
            ctx = self.ctx
            seen.append((ctx.now() - bar.ts, len(ctx.history(BTC, "1m", 99)), ctx.position(BTC)))

    session = Session(synthetic(), {"c": Curious()})
    session.books.held[StrategyId("c"), BTC] = Decimal(-2)
    session.begin()

    assert seen == [(0, n, Decimal(-2)) for n in (1, 2, 3)]


def test_wishes_of_the_warm_up_are_not_heard_those_of_on_start_are():
    class Eager(Strategy):
        warmup_bars = 5

        def on_start(self, ctx) -> None:
            self.signal("BUY", BTC, reason="start")

        def on_bar(self, bar: Bar) -> None:
            self.signal("BUY", BTC, reason="bar")

    feed = synthetic()
    session = Session(feed, {"e": Eager()})

    session.begin()
    assert [wish.reason for wish in session.wishes] == ["start"]
    session.show(everything(feed))

    live = session.wishes[1:]
    assert live
    assert all(w.strategy_id == "e" and w.reason == "bar" and w.ts > START for w in live)


def test_wishes_of_on_stop_are_not_heard():
    class Late(Strategy):
        def on_stop(self) -> None:
            self.signal("CLOSE", BTC)

    assert Session(synthetic(), {"late": Late()}).run().wishes == []


def test_history_of_a_time_frame_that_was_not_asked_for_is_an_error():
    strategy = Misbehaving("on_trade", lambda: strategy.ctx.history(BTC, "4h", 1))

    strategy.timeframes = ("1m", "1h")

    session = Session(synthetic(), {"m": strategy}).run()

    assert "asked for bars 4h of BTCUSDT; it gets 1m, 1h of BTCUSDT" in session.failed["m"]


class AsyncHook(Strategy):
    async def on_bar(self, bar: Bar) -> None:  # type: ignore[override]  # the mistake meant
        self.signal("BUY", bar.symbol)


class YieldingHook(Strategy):
    def on_trade(self, trade: Trade):
        yield trade


class OneName(Recorder):
    timeframes = "1m"  # type: ignore[assignment]  # the mistake meant

    def __init__(self) -> None:
        pass


class Negative(Strategy):
    warmup_bars = -1


class Yes(Strategy):
    warmup_bars = True


class NoFrames(Strategy):
    timeframes = None  # type: ignore[assignment]  # the mistake meant


class Named(enum.Enum):
    MINE = "breakout"


class Mute(Recorder):
    def __init__(self) -> None:
        vars(self)["signal"] = 9  # the mistake meant


class Deaf(Strategy):
    def on_bar(self) -> None:  # type: ignore[override]  # the mistake meant
        pass


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (AsyncHook(), r"bad\.on_bar must be a plain function"),
        (YieldingHook(), r"bad\.on_trade must be a plain function"),
        (OneName(), r"bad\.timeframes must be names .* was '1m'"),
        (Recorder("1 minute"), "bad: timeframe must be like"),
        (Negative(), r"bad\.warmup_bars must be a count, was -1"),
        (Yes(), r"bad\.warmup_bars must be a count, was True"),
        (NoFrames(), r"bad\.timeframes must be names .* was None"),
        (Mute(), r"bad\.signal must be what strategies wish with, was 9"),
        (Deaf(), r"bad\.on_bar must be written as def on_bar\(self, bar\)"),
        (SmaCrossStrategy, "bad must be an instance of a Strategy"),
    ],
)
def test_strategy_that_can_not_be_run_is_refused_at_once(strategy, text):
    with pytest.raises(StrategyError, match=text):
        LiveStrategyRunner().add_strategy("bad", strategy)


@pytest.mark.parametrize("given", [Named.MINE, UUID("6f1c9a52-3b1e-4c1a-9d4e-0b7f5a2f8c11")])
def test_an_id_that_denotes_a_text_is_that_text_to_all(given):
    runner = LiveStrategyRunner()
    runner.add_strategy(given, Recorder())

    [name] = runner.strategies
    assert type(name) is str
    assert name == str(getattr(given, "value", given))
    with pytest.raises(StrategyError, match="new and not empty"):
        runner.add_strategy(name, Recorder())


@pytest.mark.parametrize("given", [7, None, b"mine", object(), "\udc80"])
def test_an_id_that_denotes_no_text_is_refused(given):
    with pytest.raises(StrategyError, match=r"a strategy's id must be a text .* was "):
        LiveStrategyRunner().add_strategy(given, Recorder())


def test_ids_are_new_and_strategies_are_added_once_and_before_the_start():
    session = Session(synthetic(), {"a": Recorder()})
    shared = Recorder()
    session.runner.add_strategy("shared", shared)

    with pytest.raises(StrategyError, match="new and not empty, was 'a'"):
        session.runner.add_strategy("a", Recorder())
    with pytest.raises(StrategyError, match="added already"):
        session.runner.add_strategy("b", shared)
    session.begin()
    with pytest.raises(SessionStateError, match="before the runner starts"):
        session.runner.add_strategy("c", Recorder())
    with pytest.raises(SessionStateError, match="runs once"):
        session.begin()
    session.runner.end("over")


# Books


class Reader(Strategy):
    """Notes the touch of each book that it hears of."""

    def __init__(self):
        self.heard = []

    def on_book(self, book):
        self.heard.append((book.symbol, book.is_whole, book.best_bid, book.best_ask))


def change(final, previous, bids=(), *, symbol=BTC):
    return BookDelta(
        symbol=symbol,
        ts=START + final,
        first_id=previous + 1,
        final_id=final,
        previous_id=previous,
        bids=tuple(bids),
        asks=(),
    )


BOOK = BookSnapshot(
    symbol=BTC, ts=START, bids=((100.0, 1.0),), asks=((101.0, 2.0),), last_update_id=10
)


def test_strategy_hears_a_whole_book_its_changes_and_its_loss():
    reader = Reader()
    session = Session(synthetic(), {"r": reader}).begin()
    session.show(
        [change(9, 8), BOOK, change(11, 10, [(100.5, 3.0)]), change(14, 13), change(15, 14)]
    )
    session.show([change(16, 15, symbol=ETH)])

    assert reader.heard == [
        (BTC, True, (100.0, 1.0), (101.0, 2.0)),
        (BTC, True, (100.5, 3.0), (101.0, 2.0)),
        (BTC, False, None, None),
    ]


def test_strategy_that_fails_over_a_book_is_taken_off_and_the_others_hear_on():
    class Broken(Strategy):
        def on_book(self, book):
            raise ValueError("no")

    reader = Reader()
    session = Session(synthetic(), {"b": Broken(), "r": reader}).begin()
    session.show([BOOK, change(11, 10, [(100.5, 3.0)])])

    assert list(session.failed) == ["b"]
    assert "in on_book at" in session.failed["b"]
    assert len(reader.heard) == 2
