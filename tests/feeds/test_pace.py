"""Batches are bounded, and come when their time has come."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.feeds import parse_speed
from holdfast.feeds.pace import BATCH_SIZE_MAX, BATCH_SPAN_NS, batches, paced
from holdfast.model.errors import ConfigError
from holdfast.model.market import Trade
from holdfast.model.values import NS_PER_S, Symbol

BTC = Symbol("BTCUSDT")


def trade(ts):
    return Trade(symbol=BTC, ts=ts, price=1.0, qty=1.0)


class Wall:
    """A wall clock that only sleeping moves, and a record of the sleeps."""

    def __init__(self):
        self.time = 1000.0
        self.sleeps = []

    def now(self):
        return self.time

    async def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.time += seconds


async def play(times_s, speed, *, busy_s=0.0):
    """Return when each batch was handed out, in wall seconds since the first."""
    wall, shown = Wall(), []
    stream = batches([[trade(round(t * NS_PER_S)) for t in times_s]])
    async for batch in paced(stream, speed, wall=wall.now, sleep=wall.sleep):
        shown.append((wall.time - 1000.0, len(batch)))
        wall.time += busy_s
    return shown, wall


@given(
    st.lists(st.tuples(st.integers(0, 100_000_000) | st.just(0), st.integers(1, 300)), max_size=12),
    st.integers(1, 97),
)
def test_batches_keep_order_and_bounds_however_chunks_are_cut(steps, size):
    ts, series = 0, []
    for step, repeat in steps:
        ts += step
        series += [trade(ts)] * repeat
    chunks = [series[i : i + size] for i in range(0, len(series), size)]

    cut = list(batches(chunks))

    assert list(chain.from_iterable(cut)) == series
    assert all(0 < len(batch) <= BATCH_SIZE_MAX for batch in cut)
    assert all(batch[-1].ts - batch[0].ts <= BATCH_SPAN_NS for batch in cut)


async def test_real_time_hands_out_each_batch_at_its_time():
    shown, _ = await play([5.0, 6.0, 9.5], speed=1.0)

    assert [round(at, 6) for at, _ in shown] == [0.0, 1.0, 4.5]


async def test_a_silence_is_kept_and_scaled_by_the_speed():
    shown, _ = await play([0.0, 3600.0], speed=60.0)

    assert [round(at, 6) for at, _ in shown] == [0.0, 60.0]


async def test_a_batch_waits_for_its_last_message():
    shown, _ = await play([0.0, 0.02, 0.05, 0.06], speed=1.0)

    assert [(round(at, 6), size) for at, size in shown] == [(0.05, 3), (0.06, 1)]


async def test_a_slow_reader_misses_nothing_and_catches_up():
    shown, _ = await play([0.0, 1.0, 2.0, 8.0], speed=1.0, busy_s=1.5)

    assert [round(at, 6) for at, _ in shown] == [0.0, 1.5, 3.0, 8.0]


async def test_full_speed_never_waits_but_gives_the_loop_a_turn_before_each_batch():
    shown, wall = await play([0.0, 10.0, 20.0], speed=0.0)

    assert wall.sleeps == [0.0, 0.0, 0.0]
    assert len(shown) == 3


async def test_batches_are_the_same_at_every_speed():
    times = [0.0, 0.01, 0.06, 0.3, 0.31]
    sizes = [[size for _, size in (await play(times, speed))[0]] for speed in (0.0, 1.0, 50.0)]

    assert sizes[0] == sizes[1] == sizes[2]


def test_a_speed_is_a_number_or_max():
    assert parse_speed("max") == 0.0
    assert parse_speed("2.5") == 2.5


@pytest.mark.parametrize("text", ["fast", "-1", "nan", "inf", ""])
def test_another_speed_is_refused(text):
    with pytest.raises(ConfigError, match="speed must be"):
        parse_speed(text)
