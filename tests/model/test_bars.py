"""Bars are what a naive recomputation over all trades says they are."""

from __future__ import annotations

from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.bars import BarBuilder
from holdfast.model.market import Bar, Trade, timeframe_ns
from holdfast.model.values import NS_PER_S, Symbol

SYMBOL = Symbol("BTCUSDT")
MINUTE = 60 * NS_PER_S
T0 = 1_700_000_040 * NS_PER_S  # a whole minute


def trade(ts, price=100.0, qty=1.0):
    return Trade(symbol=SYMBOL, ts=ts, price=price, qty=qty)


def run(timeframes, trades, until=None):
    builder = BarBuilder(SYMBOL, timeframes)
    bars = [bar for t in trades for bar in builder.on_trade(t)]
    return bars + list(builder.on_time(until or trades[-1].ts + timeframe_ns("30d")))


def naive(timeframe, trades):
    length = timeframe_ns(timeframe)
    for start, group in groupby(trades, lambda t: t.ts - t.ts % length):
        rows = list(group)
        prices = [t.price for t in rows]
        yield Bar(
            symbol=SYMBOL,
            timeframe=timeframe,
            open_ts=start,
            ts=start + length,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=sum(t.qty for t in rows),
            trade_count=len(rows),
        )


# Quantities are whole eighths, whose sums floats hold exactly in any order.
@st.composite
def tapes(draw):
    ts, trades = T0, []
    steps = draw(
        st.lists(
            st.tuples(
                st.integers(0, 90 * NS_PER_S) | st.integers(0, NS_PER_S),
                st.integers(900, 1100),
                st.integers(1, 80),
            ),
            min_size=1,
            max_size=60,
        )
    )
    for step, price, qty in steps:
        ts += step
        trades.append(trade(ts, price / 10, qty / 8))
    return trades


@settings(max_examples=150, deadline=None)
@given(tapes(), st.sampled_from(["5s", "12s", "1m", "7m", "1h"]))
def test_bars_equal_the_naive_recomputation(trades, timeframe):
    assert run([timeframe], trades) == list(naive(timeframe, trades))


@settings(max_examples=100, deadline=None)
@given(tapes())
def test_time_frames_built_together_equal_those_built_alone(trades):
    together = run(["1m", "12s", "5m"], trades)

    for timeframe in ("12s", "1m", "5m"):
        alone = list(naive(timeframe, trades))
        assert [bar for bar in together if bar.timeframe == timeframe] == alone


@settings(max_examples=100, deadline=None)
@given(tapes())
def test_bars_of_bars_equal_bars_of_trades(trades):
    builder = BarBuilder(SYMBOL, ["1m", "12s"])
    small = run(["12s"], trades)
    built = [bar for part in small for bar in builder.on_bar(part)]
    built += builder.on_time(trades[-1].ts + MINUTE)

    assert [bar for bar in built if bar.timeframe == "1m"] == list(naive("1m", trades))
    assert [bar for bar in built if bar.timeframe == "12s"] == small


def with_flat_ones(bars):
    """Put in what exchanges list of a period without trades: a bar that is all its last close."""
    for bar, following in pairwise([*bars, None]):
        yield bar
        length = bar.ts - bar.open_ts
        for start in range(bar.ts, following.open_ts if following else bar.ts, length):
            yield Bar(symbol=SYMBOL, timeframe=bar.timeframe, open_ts=start, ts=start + length,
                      open=bar.close, high=bar.close, low=bar.close, close=bar.close,
                      volume=0.0, trade_count=0)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(tapes())
def test_what_is_listed_of_periods_without_trades_makes_no_bar(trades):
    builder = BarBuilder(SYMBOL, ["1m", "12s"])
    parts = with_flat_ones(run(["12s"], trades))
    built = [bar for part in parts for bar in builder.on_bar(part)]
    built += builder.on_time(trades[-1].ts + MINUTE)

    for timeframe in ("12s", "1m"):
        assert [bar for bar in built if bar.timeframe == timeframe] == list(
            naive(timeframe, trades)
        )


def test_a_part_without_trades_closes_the_bar_that_ends_with_it():
    builder = BarBuilder(SYMBOL, ["2m"])
    traded, flat, _ = with_flat_ones(run(["1m"], [trade(T0), trade(T0 + 2 * MINUTE)]))

    assert builder.on_bar(traded) == []
    assert [bar.open_ts for bar in builder.on_bar(flat)] == [T0]


@settings(max_examples=100, deadline=None)
@given(tapes(), st.randoms(use_true_random=False))
def test_bars_never_overlap_and_never_lose_volume_however_late_trades_are(trades, random):
    shaken = list(trades)
    random.shuffle(shaken)
    builder = BarBuilder(SYMBOL, ["12s", "1m"])
    bars = [bar for t in shaken for bar in builder.on_trade(t)]
    bars += builder.on_time(max(t.ts for t in trades) + MINUTE)

    for timeframe in ("12s", "1m"):
        series = [bar for bar in bars if bar.timeframe == timeframe]
        assert all(a.ts <= b.open_ts for a, b in pairwise(series))
        assert sum(bar.trade_count for bar in series) == len(trades) - builder.late_count
        assert all(bar.low <= min(bar.open, bar.close) for bar in series)
        assert all(bar.high >= max(bar.open, bar.close) for bar in series)
    volumes = {
        frame: sum(bar.volume for bar in bars if bar.timeframe == frame) for frame in ("12s", "1m")
    }
    assert volumes["12s"] == volumes["1m"]


@settings(max_examples=60, deadline=None)
@given(tapes(), st.lists(st.integers(0, 200), max_size=20))
def test_asking_the_time_between_trades_changes_no_bar(trades, ticks):
    builder = BarBuilder(SYMBOL, ["12s", "1m"])
    bars: list[Bar] = []
    for i, t in enumerate(trades):
        bars += builder.on_trade(t)
        if i in ticks:
            bars += builder.on_time(trades[i + 1].ts if i + 1 < len(trades) else t.ts)
    bars += builder.on_time(trades[-1].ts + MINUTE)

    for timeframe in ("12s", "1m"):
        assert [b for b in bars if b.timeframe == timeframe] == list(naive(timeframe, trades))


def test_a_trade_at_the_end_of_a_bar_belongs_to_the_next():
    builder = BarBuilder(SYMBOL, ["1m"])
    builder.on_trade(trade(T0 + MINUTE - 1, 1.0))

    (closed,) = builder.on_trade(trade(T0 + MINUTE, 2.0))

    assert (closed.open_ts, closed.ts, closed.close) == (T0, T0 + MINUTE, 1.0)


def test_a_period_without_trades_has_no_bar():
    bars = run(["1m"], [trade(T0), trade(T0 + 3 * MINUTE)])

    assert [bar.open_ts for bar in bars] == [T0, T0 + 3 * MINUTE]


def test_time_alone_closes_a_bar_once():
    builder = BarBuilder(SYMBOL, ["1m"])
    builder.on_trade(trade(T0 + 1))

    assert builder.on_time(T0 + MINUTE - 1) == ()
    assert len(builder.on_time(T0 + MINUTE)) == 1
    assert builder.on_time(T0 + 2 * MINUTE) == ()


def test_a_trade_from_before_a_closed_bars_end_is_refused_in_every_time_frame():
    builder = BarBuilder(SYMBOL, ["12s", "1m"])
    builder.on_trade(trade(T0 + 1, 100.0))
    builder.on_time(T0 + 12 * NS_PER_S)

    builder.on_trade(trade(T0 + 2, 999.0))
    minute = builder.on_time(T0 + MINUTE)

    assert builder.late_count == 1
    assert [bar.high for bar in minute] == [100.0]


def test_a_trade_from_before_the_open_bar_does_not_count_in_it():
    builder = BarBuilder(SYMBOL, ["12s", "1m"])
    builder.on_trade(trade(T0 + 15 * NS_PER_S, 100.0))

    builder.on_trade(trade(T0 + 1, 999.0))

    assert builder.late_count == 1


def test_bars_that_end_together_come_shortest_first():
    bars = run(["5m", "1m", "12s"], [trade(T0 + 4 * MINUTE - 1)])
    ends = [bar.ts for bar in bars]

    assert ends == sorted(ends)
    assert [bar.timeframe for bar in bars][:2] == ["12s", "1m"]


def test_a_larger_bar_closes_with_its_last_part():
    builder = BarBuilder(SYMBOL, ["2m"])
    first, second = run(["1m"], [trade(T0), trade(T0 + MINUTE)])
    start = T0 - T0 % (2 * MINUTE)
    assert start == T0, "the test's minute must be an even one"

    assert builder.on_bar(first) == []
    (whole,) = builder.on_bar(second)

    assert (whole.open_ts, whole.ts, whole.trade_count) == (T0, T0 + 2 * MINUTE, 2)


def test_a_repeated_bar_counts_once():
    builder = BarBuilder(SYMBOL, ["2m"])
    first, second = run(["1m"], [trade(T0), trade(T0 + MINUTE)])

    (whole,) = [b for part in (first, first, second, second) for b in builder.on_bar(part)]

    assert whole.volume == 2.0
    assert builder.late_count == 2


def test_a_bar_of_a_wanted_time_frame_comes_back_as_it_is():
    (bar,) = run(["1m"], [trade(T0)])

    assert list(BarBuilder(SYMBOL, ["1m"]).on_bar(bar)) == [bar]


def test_a_week_that_begins_on_a_monday_keeps_its_days():
    monday = 4 * 86_400 * NS_PER_S  # 1970-01-05
    week = Bar(symbol=SYMBOL, timeframe="7d", open_ts=monday, ts=monday + timeframe_ns("7d"),
               open=1, high=2, low=1, close=2, volume=3)  # fmt: skip

    assert BarBuilder(SYMBOL, ["7d"]).on_bar(week) == [week]


def test_a_bar_that_was_told_of_late_does_not_make_the_next_one_late():
    builder = BarBuilder(SYMBOL, ["1s"])
    late = NS_PER_S // 200
    closed: list[Bar] = []
    for number in range(3):
        start, end = number * NS_PER_S, (number + 1) * NS_PER_S
        bar = Bar(symbol=SYMBOL, timeframe="1s", open_ts=start, ts=end + late, open=1, high=2,
                  low=1, close=2, volume=3)  # fmt: skip
        closed += builder.on_bar(bar)

    assert [bar.ts // NS_PER_S for bar in closed] == [1, 2, 3]


def test_bars_can_not_be_made_of_parts_that_do_not_fit():
    (bar,) = run(["1m"], [trade(T0)])

    with pytest.raises(ValueError, match="90s can't be built of 1m"):
        BarBuilder(SYMBOL, ["90s"]).on_bar(bar)


def test_a_time_frame_must_be_one():
    with pytest.raises(ValueError, match="1x"):
        BarBuilder(SYMBOL, ["1x"])
