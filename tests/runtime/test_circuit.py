"""The circuit breaker for callers' own awaitables."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import CircuitBreaker, CircuitOpenError, InputError


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


async def fine():
    return 42


async def broken():
    raise ValueError("by design")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(failure_threshold=3, recovery_timeout=10, clock=clock)


async def trip(breaker):
    for _ in range(breaker.failure_threshold):
        with pytest.raises(ValueError, match="by design"):
            await breaker.call(broken)


async def test_failures_below_the_threshold_leave_it_closed(breaker):
    for _ in range(2):
        with pytest.raises(ValueError, match="by design"):
            await breaker.call(broken)

    assert (breaker.state, breaker.failure_count) == ("CLOSED", 2)
    assert await breaker.call(fine) == 42
    assert (breaker.state, breaker.failure_count) == ("CLOSED", 0)


async def test_an_open_breaker_calls_nothing(breaker, clock):
    await trip(breaker)
    calls = []

    async def counted():
        calls.append(1)

    clock.now += 9.9
    assert breaker.state == "OPEN"
    assert breaker.last_failure_time == 1000.0
    assert not breaker.should_attempt_reset()
    with pytest.raises(CircuitOpenError, match="3 failures"):
        await breaker.call(counted)
    assert calls == []


async def test_after_the_timeout_one_success_closes_it(breaker, clock):
    await trip(breaker)
    clock.now += 10
    states = []

    async def looking():
        states.append(breaker.state)

    await breaker.call(looking)

    assert states == ["HALF_OPEN"]
    assert (breaker.state, breaker.failure_count) == ("CLOSED", 0)


async def test_after_the_timeout_one_failure_opens_it_for_another(breaker, clock):
    await trip(breaker)
    clock.now += 10
    with pytest.raises(ValueError, match="by design"):
        await breaker.call(broken)

    assert breaker.state == "OPEN"
    assert breaker.last_failure_time == 1010.0
    clock.now += 9
    with pytest.raises(CircuitOpenError):
        await breaker.call(fine)


async def test_a_cancelled_trial_leaves_room_for_another(breaker, clock):
    await trip(breaker)
    clock.now += 10
    trial = asyncio.ensure_future(breaker.call(asyncio.sleep, 100))
    await asyncio.sleep(0)
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)

    assert breaker.state == "HALF_OPEN"
    assert await breaker.call(fine) == 42
    assert breaker.state == "CLOSED"


async def test_arguments_and_results_pass_through(breaker):
    async def add(a, b=0, *, c=0):
        return a + b + c

    assert await breaker.call(add, 1, 2, c=3) == 6


@given(st.lists(st.sampled_from(["ok", "fail", "wait"]), max_size=40))
def test_it_is_open_exactly_when_the_last_failures_in_a_row_reached_the_threshold(steps):
    clock = Clock()
    breaker = CircuitBreaker(3, 10, clock=clock)
    row, is_open, waited = 0, False, False

    async def play():
        nonlocal row, is_open, waited
        for step in steps:
            if step == "wait":
                clock.now += 10
                waited = True
                continue
            try:
                await breaker.call(fine if step == "ok" else broken)
                row, is_open = 0, False
            except CircuitOpenError:
                assert is_open
                assert not waited
                continue
            except ValueError:
                row += 1
                is_open = is_open or row >= 3
                waited = False
            assert breaker.state == ("OPEN" if is_open else "CLOSED")
            assert breaker.failure_count == row

    asyncio.run(play())


async def test_of_calls_at_the_same_time_one_alone_is_the_trial(breaker, clock):
    await trip(breaker)
    clock.now += 10
    begun = []

    async def slow():
        begun.append(breaker.state)
        await asyncio.sleep(0)
        return 42

    results = await asyncio.gather(*[breaker.call(slow) for _ in range(5)], return_exceptions=True)

    assert begun == ["HALF_OPEN"]
    assert [type(each) for each in results] == [int, *[CircuitOpenError] * 4]
    assert breaker.state == "CLOSED"


@pytest.mark.parametrize("is_fine", [True, False])
async def test_a_call_from_before_the_trial_says_nothing_of_how_things_stand_now(
    breaker, clock, is_fine
):
    old, trial = asyncio.Event(), asyncio.Event()

    async def held(event, then):
        await event.wait()
        return await then()

    early = asyncio.create_task(breaker.call(held, old, fine if is_fine else broken))
    await asyncio.sleep(0)
    await trip(breaker)
    clock.now += 10
    trying = asyncio.create_task(breaker.call(held, trial, broken if is_fine else fine))
    await asyncio.sleep(0)
    old.set()
    await asyncio.gather(early, return_exceptions=True)

    assert (breaker.state, breaker.failure_count) == ("HALF_OPEN", 3)
    trial.set()
    await asyncio.gather(trying, return_exceptions=True)
    assert breaker.state == ("OPEN" if is_fine else "CLOSED")


async def test_a_call_from_before_the_breaker_was_set_by_hand_does_not_set_it_again(breaker):
    event = asyncio.Event()

    async def held():
        await event.wait()

    early = asyncio.create_task(breaker.call(held))
    await asyncio.sleep(0)
    breaker.state = "HALF_OPEN"
    event.set()
    await early

    assert breaker.state == "HALF_OPEN"


async def test_its_parts_can_be_set_as_those_of_the_listing(breaker, clock):
    breaker.state = "OPEN"
    breaker.failure_count = 4
    breaker.last_failure_time = clock.now
    with pytest.raises(CircuitOpenError, match="4 failures"):
        await breaker.call(fine)

    clock.now += 10
    assert await breaker.call(fine) == 42
    assert (breaker.state, breaker.failure_count) == ("CLOSED", 0)
    breaker.state = "HALF_OPEN"
    with pytest.raises(ValueError, match="by design"):
        await breaker.call(broken)
    assert breaker.state == "OPEN"
    with pytest.raises(InputError, match="state must be one of CLOSED, OPEN, HALF_OPEN"):
        breaker.state = "AJAR"


@pytest.mark.parametrize("has_failed_before", [True, False])
async def test_one_that_is_opened_by_hand_lets_nothing_through_for_its_time(
    breaker, clock, has_failed_before
):
    if has_failed_before:
        breaker.on_failure()
        clock.now += 100
    breaker.state = "OPEN"
    clock.now += 9
    with pytest.raises(CircuitOpenError):
        await breaker.call(fine)

    clock.now += 1
    assert await breaker.call(fine) == 42


async def test_a_call_that_fails_before_it_can_be_awaited_counts(breaker):
    def refuses():
        raise ValueError("by design")

    with pytest.raises(ValueError, match="by design"):
        await breaker.call(refuses)

    assert breaker.failure_count == 1


@pytest.mark.parametrize("wrong", [{"failure_threshold": 0}, {"recovery_timeout": -1}])
def test_a_breaker_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} must be"):
        CircuitBreaker(**wrong)
