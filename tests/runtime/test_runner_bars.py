"""A feed's own bars go before those that are made of its trades."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.feeds import RecordingFeed
from holdfast.model.market import Trade
from holdfast.model.values import NS_PER_S
from tests.runtime.runner_session import (
    BTC,
    ETH,
    MINUTE,
    START,
    Recorder,
    Session,
    bar_at,
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


def test_feeds_own_bars_are_handed_on_and_folded_into_larger_ones(tmp_path):
    feed = RecordingFeed(klines(tmp_path, 12))
    recorder = Recorder("1m", "5m")

    Session(feed, {"r": recorder}).run()

    ones = [bar for bar in recorder.live if bar.timeframe == "1m"]
    fives = [bar for bar in recorder.live if bar.timeframe == "5m"]
    assert ones == list(everything(feed))
    assert [(bar.open_ts, bar.ts) for bar in fives] == [
        (START, START + 5 * MINUTE),
        (START + 5 * MINUTE, START + 10 * MINUTE),
    ]
    assert (fives[0].open, fives[0].close, fives[0].volume) == (100.0, 105.0, 25.0)


def test_feeds_own_bars_take_over_from_its_trades():
    """Both at once would count every trade twice."""
    recorder = Recorder("1m", "2m")
    session = Session(synthetic(start_ts=START), {"r": recorder}).begin()
    bars = [bar_at(n) for n in range(4)]
    for n, bar in enumerate(bars):
        ts = START + n * MINUTE
        session.show([Trade(symbol=BTC, ts=ts + 1, price=50.0, qty=1.0)])
        session.show([Trade(symbol=BTC, ts=ts + 2, price=51.0, qty=1.0)])
        session.show([bar])

    assert [bar for bar in recorder.live if bar.timeframe == "1m"] == bars
    twos = [bar for bar in recorder.live if bar.timeframe == "2m"]
    assert [(bar.ts, bar.volume) for bar in twos] == [
        (START + 2 * MINUTE, 2.0),
        (START + 4 * MINUTE, 2.0),
    ]
    assert session.runner._routes[BTC].bars.trades is None


def test_bars_too_long_for_a_time_frame_leave_it_to_the_trades():
    recorder = Recorder("1m", "10m")
    session = Session(synthetic(start_ts=START), {"r": recorder}).begin()
    session.show(
        [
            Trade(symbol=BTC, ts=START + 1, price=1.0, qty=1.0),
            bar_at(0, "5m", 5),
            Trade(symbol=BTC, ts=START + 6 * MINUTE, price=3.0, qty=1.0),
            bar_at(1, "5m", 5),
        ]
    )

    assert [(bar.timeframe, bar.ts) for bar in recorder.live] == [
        ("1m", START + MINUTE),
        ("10m", START + 10 * MINUTE),
    ]


def test_larger_bars_of_the_feeds_own_go_before_those_folded_from_smaller_ones():
    recorder = Recorder("5m")
    session = Session(synthetic(start_ts=START), {"r": recorder}).begin()

    session.show([bar_at(n) for n in range(2, 5)])  # the first sight is in the middle of one
    session.show([bar_at(n) for n in range(5, 9)])
    session.show([bar_at(1, "5m", 5), bar_at(9)])

    assert [(bar.ts, bar.volume) for bar in recorder.live[-1:]] == [
        (START + 10 * MINUTE, 1.0),  # the feed's, as it came
    ]
    assert not any(bar.volume == 3.0 for bar in recorder.live)


def test_time_waits_for_the_last_part_of_a_larger_bar():
    recorder = Recorder("5m")
    session = Session(synthetic(start_ts=START), {"r": recorder}).begin()
    session.show([bar_at(n) for n in range(4)])

    session.runner.on_time(START + 5 * MINUTE)
    assert recorder.live == []
    session.runner.on_time(START + 6 * MINUTE)

    assert [bar.volume for bar in recorder.live] == [4.0]


def test_bars_of_every_symbol_close_in_time_whichever_opened_first():
    recorder = Recorder("1m", "5m")
    session = Session(synthetic(BTC, ETH, start_ts=START), {"r": recorder}, (BTC, ETH)).begin()
    runner = session.runner

    runner.on_market(trade_at(START + 10 * NS_PER_S, BTC))
    runner.on_time(START + 20 * NS_PER_S)
    runner.on_market(trade_at(START + 70 * NS_PER_S, ETH))  # closes nothing of the other's
    runner.on_time(START + MINUTE)
    assert [(bar.symbol, bar.ts) for bar in recorder.live] == [(BTC, START + MINUTE)]
    runner.on_time(START + 2 * MINUTE - 1)
    assert len(recorder.live) == 1
    runner.on_time(START + 2 * MINUTE)

    assert [(bar.symbol, bar.ts) for bar in recorder.live[1:]] == [(ETH, START + 2 * MINUTE)]
    runner.on_time(START + 5 * MINUTE)
    assert [(bar.symbol, bar.timeframe) for bar in recorder.live[2:]] == [(BTC, "5m"), (ETH, "5m")]


def test_the_next_end_of_a_bar_is_known_at_any_time():
    session = Session(
        synthetic(BTC, ETH, start_ts=START), {"r": Recorder("1m")}, (BTC, ETH)
    ).begin()
    runner = session.runner

    runner.on_market(trade_at(START + 1, BTC))
    assert runner.bars_due_ts == START + MINUTE
    runner.on_market(trade_at(START + MINUTE + 1, BTC))  # closes the first bar by itself

    assert runner.bars_due_ts == START + 2 * MINUTE


def trade_at(ts, symbol):
    return Trade(symbol=symbol, ts=ts, price=100.0, qty=1.0)
