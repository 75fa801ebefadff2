"""The machine's clock as the session hears it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.values import NS_PER_S
from holdfast.runtime.clock import SET_BACK_NS, WallClock

HOUR_NS = 3600 * NS_PER_S


class Machine:
    """A machine whose clock can be set."""

    def __init__(self) -> None:
        self.shown = 1_000 * HOUR_NS
        self.passed = 0
        self.clock = WallClock(lambda: self.shown, lambda: self.passed)

    def wait(self, ns: int) -> None:
        self.shown += ns
        self.passed += ns


def test_a_clock_set_back_by_an_hour_goes_on_at_hardly_less_than_the_pace_of_time() -> None:
    machine = Machine()
    before = machine.clock.now()
    machine.shown -= HOUR_NS
    assert machine.clock.now() == before
    for second in range(1, 11):
        machine.wait(NS_PER_S)
        assert machine.clock.now() == before + second * NS_PER_S * 9 // 10


def test_a_clock_that_was_set_right_again_is_believed_again() -> None:
    machine = Machine()
    machine.clock.now()
    machine.shown -= HOUR_NS
    machine.clock.now()
    machine.wait(NS_PER_S)
    machine.clock.now()
    machine.shown += HOUR_NS + 5 * NS_PER_S
    assert machine.clock.now() == machine.shown
    machine.wait(NS_PER_S)
    assert machine.clock.now() == machine.shown


def test_a_clock_that_was_set_back_a_little_is_waited_for() -> None:
    machine = Machine()
    before = machine.clock.now()
    machine.shown -= SET_BACK_NS
    machine.wait(SET_BACK_NS // 2)
    assert machine.clock.now() == before
    machine.wait(SET_BACK_NS)
    assert machine.clock.now() == machine.shown


def test_a_clock_set_back_twice_goes_on() -> None:
    machine = Machine()
    before = machine.clock.now()
    for second in (1, 2):
        machine.shown -= HOUR_NS
        machine.wait(NS_PER_S)
        machine.clock.now()
        assert before <= machine.clock.now() <= before + second * NS_PER_S


def test_a_clock_that_ran_ahead_for_a_moment_and_was_set_right_is_gone_by_again() -> None:
    # It stayed ahead for as long as the session lasted, and nothing new was opened any more.
    machine = Machine()
    machine.clock.now()
    machine.shown += 3 * NS_PER_S
    machine.clock.now()
    machine.shown -= 3 * NS_PER_S
    for _ in range(60):
        machine.wait(NS_PER_S)
        machine.clock.now()
    assert machine.clock.now() == machine.shown


@given(st.lists(st.tuples(st.integers(-2 * HOUR_NS, 2 * HOUR_NS), st.integers(0, HOUR_NS))))
def test_time_never_goes_back_and_lags_by_no_more_than_is_waited_for(
    moves: list[tuple[int, int]],
) -> None:
    machine = Machine()
    last = machine.clock.now()
    for step, waited in moves:
        machine.shown += step
        set_at = machine.clock.now()
        machine.wait(waited)
        now = machine.clock.now()
        assert now >= set_at >= last
        assert now >= set_at + waited * 9 // 10 - SET_BACK_NS - 1
        last = now
