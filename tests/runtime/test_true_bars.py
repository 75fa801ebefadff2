"""Law: whatever is cut out of a feed, a bar that a strategy sees is the exchange's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.feeds import RecordingFeed
from holdfast.model.bars import UNKNOWN, BarBuilder
from holdfast.model.errors import NetworkError
from holdfast.model.market import Bar, MarketData, MarkPrice, Trade, timeframe_ns
from holdfast.model.values import NS_PER_MS, NS_PER_S
from holdfast.runtime import series as series_module
from holdfast.runtime.series import FILL_PATIENCE_NS, FILL_WAIT_NS, Series
from tests.runtime.runner_session import BTC, MINUTE, START, Recorder, Session, everything

FRAMES = ("1m", "5m")
END = START + 12 * MINUTE


@pytest.fixture(autouse=True)
def sessions() -> Iterator[list[Session]]:
    """End the sessions that a test has left open: their guards hold the process's timer."""
    Session.all = []
    yield Session.all
    for session in Session.all:
        session.runner.end("the test is over")


def at(second: float, number: int, price: float = 100.0) -> Trade:
    return Trade(BTC, START + round(second * 1000) * NS_PER_MS, price, 1.0, number)


def true_bars(trades: Sequence[Trade], timeframe: str) -> list[Bar]:
    """Make bars of all trades in the plainest way."""
    length = timeframe_ns(timeframe)
    bars = []
    for start, group in groupby(trades, lambda each: each.ts - each.ts % length):
        rows = list(group)
        prices = [each.price for each in rows]
        bars.append(
            Bar(
                symbol=BTC,
                timeframe=timeframe,
                open_ts=start,
                ts=start + length,
                open=prices[0],
                high=max(prices),
                low=min(prices),
                close=prices[-1],
                volume=sum(each.qty for each in rows),
                trade_count=len(rows),
            )
        )
    return bars


class Exchange:
    """A live feed, and the candles that its exchange has."""

    name, default_timeframe, is_live, pace = "exchange", "1m", True, 1.0

    def __init__(self, trades: Sequence[Trade], start_ts: int, *, answers: bool = True) -> None:
        self.start_ts = start_ts
        self.asked = 0
        self.answers = answers
        self._trades = trades
        self._fetched: dict[tuple[object, ...], list[Bar]] = {}

    def whole_from(self, _symbol) -> int:
        return UNKNOWN

    def is_numbered(self, _symbol) -> bool:
        return True

    async def fetch_instruments(self) -> None: ...

    async def fetch_history(self, wanted, before_ts) -> None:
        self.asked += len(wanted)
        if not self.answers:
            raise NetworkError("no answer")
        for symbol, timeframe, count in wanted:
            bars = [b for b in true_bars(self._trades, timeframe) if b.ts <= before_ts]
            self._fetched[symbol, timeframe, before_ts, count] = bars[-count:]

    def history(self, symbol, timeframe, before_ts, count):
        return self._fetched.pop((symbol, timeframe, before_ts, count))


def tapes() -> st.SearchStrategy[list[Trade]]:
    steps = st.tuples(
        st.integers(0, 90_000) | st.integers(0, 2_000), st.integers(90, 110), st.integers(1, 80)
    )
    return st.lists(steps, min_size=1, max_size=60).map(_tape)


def _tape(steps: Sequence[tuple[int, int, int]]) -> list[Trade]:
    ts, trades = START, []
    for number, (step, price, eighths) in enumerate(steps, 1):
        ts += step * NS_PER_MS
        if ts < END:
            trades.append(Trade(BTC, ts, float(price), eighths / 8, number))
    return trades


@st.composite
def cuts(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Connections that are lost, told at once, late, or only by the numbers of what follows."""
    found, ts = [], START
    for gap_ms, length_ms, late_ms in draw(
        st.lists(
            st.tuples(
                st.integers(0, 200_000), st.integers(1, 200_000), st.none() | st.integers(0, 15_000)
            ),
            max_size=4,
        )
    ):
        begin = ts + gap_ms * NS_PER_MS
        ts = begin + length_ms * NS_PER_MS
        if late_ms is None and length_ms > 5_000:
            found.append((begin, ts, 0))  # nobody noticed
        else:
            found.append((begin, ts, min(ts, begin + (late_ms or 0) * NS_PER_MS)))
    return found


def play(
    trades: list[Trade], lost: list[tuple[int, int, int]], start_ts: int, feed: Exchange
) -> Recorder:
    """Show what is left of a tape, with a mark price and a look at the clock each second."""
    recorder = Recorder(*FRAMES)
    session = Session(feed, {"r": recorder}).begin()
    asyncio.run(_play(session, trades, lost, start_ts))
    return recorder


async def _play(session: Session, trades, lost, start_ts) -> None:
    runner = session.runner
    seconds = range(START // NS_PER_S, (END + 6 * MINUTE) // NS_PER_S)
    marks = [MarkPrice(symbol=BTC, ts=s * NS_PER_S + 1, mark_price=1.0) for s in seconds]
    happenings: list[tuple[int, int, MarketData | bool | None]] = [
        (m.ts, 2, m) for m in [*trades, *marks]
    ]
    happenings += [(s * NS_PER_S, 3, None) for s in seconds]
    for _, up, told in lost:
        happenings += [(told, 0, False), (up, 1, True)] if told else []
    for ts, _, what in sorted(happenings, key=lambda each: each[:2]):
        if ts < start_ts:
            continue
        if what is None:
            runner.on_time(ts)
            await runner.filler.ask()
        elif isinstance(what, bool):
            runner.on_link(BTC, is_up=what)
        elif not any(begin <= ts < end for begin, end, _ in lost):
            runner.on_market(what)


def is_subsequence(some: Sequence[Bar], of: Sequence[Bar]) -> bool:
    rest: Iterator[Bar] = iter(of)
    return all(bar in rest for bar in some)


@settings(max_examples=150, deadline=None)
@given(tapes(), cuts(), st.integers(0, 150_000))
def test_bars_shown_are_true_ones_in_order(trades, lost, begun_ms):
    start = START + begun_ms * NS_PER_MS
    recorder = play(trades, lost, start, Exchange(trades, start, answers=False))

    for timeframe in FRAMES:
        shown = [bar for bar in recorder.live + recorder.history if bar.timeframe == timeframe]
        assert is_subsequence(sorted(shown, key=lambda bar: bar.ts), true_bars(trades, timeframe))
        heard = [bar for _, bar in recorder.heard if isinstance(bar, Bar)]
        ends = [bar.ts for bar in heard if bar.timeframe == timeframe]
        assert ends == sorted(set(ends))


@settings(max_examples=150, deadline=None)
@example(
    [Trade(BTC, START + NS_PER_MS, 90.0, 0.125, 1)],
    [(START + 2 * NS_PER_MS, START + 81_001 * NS_PER_MS, 0)],
    1,
)
@example(  # lost again and again, and each time back right before the end of a bar
    [at(0, 1)],
    [
        (START + begin * NS_PER_MS, START + end * NS_PER_MS, 0)
        for begin, end in (
            (0, 11_531),
            (181_964, 298_001),
            (398_001, 598_001),
            (698_001, 898_001),
        )
    ],
    0,
)
@given(tapes(), cuts(), st.integers(0, 150_000))
def test_bars_are_without_a_hole_where_the_exchange_answers(trades, lost, begun_ms):
    start = START + begun_ms * NS_PER_MS
    recorder = play(trades, lost, start, Exchange(trades, start))

    heard = [bar for _, bar in recorder.heard if isinstance(bar, Bar)]
    for timeframe in FRAMES:
        begun = start - start % timeframe_ns(timeframe)
        expected = [b for b in true_bars(trades, timeframe) if b.open_ts >= begun]
        assert [bar for bar in heard if bar.timeframe == timeframe] == expected


DAY = [at(10, 1, 90.0), at(40, 2), at(70, 3), at(130, 4), at(190, 5), at(250, 6)]


def test_a_bar_that_began_before_the_start_is_not_taken_for_a_whole_one():
    recorder = play(DAY, [], START + 30 * NS_PER_S, Exchange(DAY, START, answers=False))

    assert recorder.live[0].open_ts == START + MINUTE


def test_what_a_new_connection_tells_of_before_is_not_heard_in_full():
    recorder = Recorder("1m")
    feed = Exchange(DAY, START + 30 * NS_PER_S, answers=False)
    session = Session(feed, {"r": recorder}).begin()

    session.show([mark(-5), mark(-4), at(40, 2), at(70, 3), mark(71)])
    session.runner.on_time(START + 75 * NS_PER_S)

    assert recorder.live == []


def test_the_first_bar_after_a_start_is_the_exchanges_own():
    feed = Exchange(DAY, START + 30 * NS_PER_S)
    recorder = play(DAY, [], START + 30 * NS_PER_S, feed)

    first = recorder.live[0]
    assert (first.open_ts, first.open, first.trade_count) == (START, 90.0, 2)
    assert feed.asked == len(FRAMES)


def test_a_bar_in_which_the_connection_was_lost_is_the_exchanges_own_and_comes_once():
    lost = [(START + 65 * NS_PER_S, START + 105 * NS_PER_S, START + 80 * NS_PER_S)]
    recorder = play(DAY, lost, START, Exchange(DAY, START))

    ones = [bar for bar in recorder.live if bar.timeframe == "1m"]
    assert ones == true_bars(DAY, "1m")


def test_what_is_missing_for_long_is_shown_as_a_warm_up_is():
    """A wish over a bar of minutes ago would be one for a market that is gone."""
    lost = [(START + 65 * NS_PER_S, START + 215 * NS_PER_S, START + 80 * NS_PER_S)]
    recorder = play(DAY, lost, START, Exchange(DAY, START))

    past = [bar.open_ts for bar in recorder.history if bar.timeframe == "1m"]
    assert past == [START + MINUTE, START + 2 * MINUTE]


def test_a_bar_that_is_over_does_not_wait_for_the_one_in_which_the_connection_came_back():
    lost = [(START + 65 * NS_PER_S, START + 190 * NS_PER_S, START + 80 * NS_PER_S)]
    recorder = play(DAY, lost, START, Exchange(DAY, START))

    past = [bar.open_ts for bar in recorder.history if bar.timeframe == "1m"]
    assert past == [START + MINUTE]
    assert START + 2 * MINUTE in [bar.open_ts for bar in recorder.live]  # to be acted upon


def test_a_hole_that_nobody_answers_for_is_given_up_in_time():
    recorder = Recorder("1m")
    feed = Exchange(DAY, START, answers=False)
    session = Session(feed, {"r": recorder}).begin()
    asyncio.run(_play(session, DAY, [], START + 30 * NS_PER_S))

    late = FILL_WAIT_NS + FILL_PATIENCE_NS
    assert [bar.open_ts for bar in recorder.live] == [START + n * MINUTE for n in (1, 2, 3, 4)]
    assert late // NS_PER_S <= feed.asked + 3 <= late // NS_PER_S + 4


def mark(second: float) -> MarkPrice:
    return MarkPrice(symbol=BTC, ts=START + round(second * NS_PER_S), mark_price=1.0)


def heard_since_before(*messages: MarketData) -> tuple[Session, Recorder]:
    """Begin before the bar, and hear its beginning."""
    recorder = Recorder("1m")
    session = Session(Exchange(DAY, START - MINUTE, answers=False), {"r": recorder}).begin()
    session.show([mark(-30), at(-29, 0)])
    return session.show([mark(second) for second in range(-28, 55)]).show(messages), recorder


def test_silence_of_the_connection_closes_no_bar():
    """A pause of the machine, too: what waits in the socket is heard before time goes on."""
    session, recorder = heard_since_before(at(54, 1))

    session.runner.on_time(START + 5 * MINUTE)
    assert recorder.live == []
    session.show([mark(56), at(59, 2), mark(58), mark(60), mark(61), mark(62)])
    session.runner.on_time(START + 5 * MINUTE)

    assert [bar.trade_count for bar in recorder.live] == [2]


def test_time_closes_no_bar_while_no_mark_price_has_come():
    """Of trades that are numbered the last ones may be missing: the next one shows it, time not."""
    recorder = Recorder("1m")
    session = Session(Exchange(DAY, START - MINUTE, answers=False), {"r": recorder}).begin()
    session.show([at(-2, 1), at(3, 2), at(20, 3)])

    session.runner.on_time(START + 65 * NS_PER_S)
    session.show([at(66, 9)])

    assert recorder.live == []


def test_a_first_trade_that_others_may_have_come_before_leaves_its_bar_out():
    """Mark prices come, and trades of that time were swallowed: no number tells of them yet."""
    recorder = Recorder("1m")
    session = Session(Exchange(DAY, START - MINUTE, answers=False), {"r": recorder}).begin()
    session.show([*map(mark, range(-30, 30)), at(30, 5), *map(mark, range(31, 64))])
    session.runner.on_time(START + 65 * NS_PER_S)
    assert recorder.live == []

    session.show([at(64, 6), *map(mark, range(65, 123))])
    session.runner.on_time(START + 2 * MINUTE)
    assert [bar.open_ts for bar in recorder.live] == [START + MINUTE]  # the other was given up


def test_a_connection_that_was_silent_unnoticed_leaves_its_bar_out():
    """Another one took its place before anybody asked where the mark prices were."""
    session, recorder = heard_since_before(at(54, 1))

    session.show([mark(60), mark(61), mark(62)])
    session.runner.on_time(START + 65 * NS_PER_S)

    assert recorder.live == []


def test_a_number_that_is_missing_leaves_its_bar_out():
    session, recorder = heard_since_before(at(54, 1), mark(55), at(56, 3))

    session.show([mark(57), mark(59), at(60, 4), *map(mark, range(61, 120)), at(120, 5)])
    session.runner.on_time(START + 2 * MINUTE)

    assert [bar.open_ts for bar in recorder.live] == [START + MINUTE]


def test_numbers_of_a_run_of_trades_are_counted_too():
    builder = BarBuilder(BTC, ["1m"], known_from=START, is_numbered=True)
    builder.on_trade(at(1, 1))
    builder.on_trades([1.0, 2.0], [1.0, 1.0], at(2, 2), at(3, 3))
    assert builder.known_from == START
    builder.on_trades([1.0, 2.0], [1.0, 1.0], at(4, 4), at(5, 6))

    assert builder.on_time(START + MINUTE) == []


def test_bars_behind_a_hole_wait_for_it_and_come_in_order():
    """Much that waited in a socket is heard at once, before the exchange can be asked."""
    first, second, third = true_bars(DAY, "1m")[:3]
    series = Series(BTC, "1m", START)
    known_from = START + 30 * NS_PER_S

    assert series.take(second, known_from) == ()
    hole = series.hole(known_from)
    assert hole is not None
    assert series.take(third, known_from) == ()

    assert series.close(hole, [first, second]) == [first, second, third]
    assert series.hole(known_from) is None
    assert series.close(hole, [first]) == []


def test_no_more_bars_wait_behind_a_hole_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(series_module, "HELD_MAX", 1)
    _, second, third = true_bars(DAY, "1m")[:3]
    series = Series(BTC, "1m", START)

    assert series.take(second, START + 1) == ()
    assert series.take(third, START + 1) == [second, third]


def recorded(path: Path, trades: Sequence[Trade], name: str) -> Path:
    """Write trades as the exchange's own daily files have them."""
    rows = [
        f"{t.trade_id},{t.price},{t.qty},{t.price * t.qty},{t.ts // NS_PER_MS},false\n"
        for t in trades
    ]
    file = path / name
    file.write_text("".join(rows))
    return file


def replayed(feed: RecordingFeed) -> list[Bar]:
    recorder = Recorder("1m")
    session = Session(feed, {"r": recorder}).begin()
    messages: list[MarketData] = list(everything(feed))
    for message in messages:
        session.runner.on_time(message.ts)
        session.show([message])
    session.runner.on_time(END)
    return recorder.live


def test_a_recording_that_begins_within_a_bar_shows_the_next_one_first(tmp_path):
    feed = RecordingFeed(recorded(tmp_path, DAY[1:], "BTCUSDT-trades.csv"))

    assert replayed(feed) == true_bars(DAY[2:], "1m")


def test_a_replay_that_begins_within_a_bar_has_all_of_it_from_the_file(tmp_path):
    file = recorded(tmp_path, DAY, "BTCUSDT-trades.csv")

    assert (
        replayed(RecordingFeed(file, start_ts=START + 90 * NS_PER_S))[:2]
        == (true_bars(DAY, "1m")[1:3])
    )


@pytest.mark.parametrize(("name", "count"), [("-2024-08-08", 5), ("-2024-08-07", 4), ("", 4)])
def test_a_file_that_names_its_day_has_all_of_it(tmp_path, name, count):
    day_start = START - START % timeframe_ns("1d")
    moved = [Trade(BTC, t.ts - START + day_start, t.price, t.qty, t.trade_id) for t in DAY]
    feed = RecordingFeed(recorded(tmp_path, moved, f"BTCUSDT-trades{name}.csv"))

    recorder = Recorder("1m")
    session = Session(feed, {"r": recorder}).begin().show(everything(feed))
    session.runner.on_time(day_start + 10 * MINUTE)

    assert len(recorder.live) == count


def test_a_bar_behind_a_hole_waits_for_all_of_it():
    series = Series(BTC, "1m", START)
    first, second, third = true_bars([at(10, 1), at(70, 2), at(130, 3)], "1m")
    known_from = START + 90 * NS_PER_S
    assert series.take(third, known_from) == ()

    hole = series.hole(known_from)
    assert hole is not None
    part = hole.over(START + 100 * NS_PER_S)
    assert part is not None
    assert series.close(part, [first, second]) == [first]

    rest = series.hole(known_from)
    assert rest is not None
    assert rest.over(START + 100 * NS_PER_S) is None
    assert series.close(rest, [first, second]) == [second, third]
