"""A loop that stood still is told of, with how long and whose doing it was."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from holdfast.runtime import stalls
from holdfast.runtime.stalls import StallWatch


class Clock:
    """Time that passes where the test says so, suspended machines included."""

    def __init__(self, monkeypatch):
        self.at = self.used = 0.0
        monkeypatch.setattr(stalls, "_now", lambda: self.at)
        monkeypatch.setattr(stalls, "_used", lambda: self.used)

    def stand(self, seconds, used=0.0):
        self.at += seconds
        self.used += used


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(stalls, "LOOK_S", 0.01)


async def told_of(*stands):
    """Hold the loop up in each of these ways, and return what was told."""
    told = []
    watch = asyncio.create_task(StallWatch(lambda *words: told.append(words)).run())
    for stand in stands:
        await asyncio.sleep(0)  # it looks at the clock
        stand()
        await asyncio.sleep(0.05)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    return told


async def test_a_loop_that_waits_is_told_of():
    [(_, text)] = await told_of(lambda: time.sleep(1.2))

    assert "the session stood still for" in text
    assert "a disk was slow, or a signal stopped it" in text


async def test_a_short_wait_is_not_told_of(clock):
    assert await told_of(lambda: clock.stand(0.9)) == []


async def test_a_process_that_is_busy_is_told_of_as_such(clock):
    [(level, text)] = await told_of(lambda: clock.stand(5, used=4.5))

    assert level == "warning"
    assert "stood still for 5.0 s" in text
    assert "the process itself was busy, for 4.5 s" in text


async def test_a_long_one_is_an_alarm(clock):
    assert [level for level, _ in await told_of(lambda: clock.stand(11))] == ["alarm"]


async def test_many_are_told_once_and_counted(clock):
    short, long = (lambda: clock.stand(2)), (lambda: clock.stand(20))

    told = await told_of(short, short, short, long)

    assert [level for level, _ in told] == ["warning", "alarm"]
    assert "2 times more" in told[1][1]
