"""A hook has a budget of time, whatever it does with it."""

# ruff: noqa: BLE001, E722, SIM105 - the hooks here do what strategies should not

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvloop

from holdfast.model.values import NS_PER_S
from holdfast.runtime.hooks import FORGIVEN_MAX, STRIKES_MAX, HookGuard, HookTimeout

BUDGET_MS = 20
LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [
    asyncio.new_event_loop,
    uvloop.new_event_loop,
]


@pytest.fixture
def guard() -> Iterator[HookGuard]:
    guard = HookGuard(BUDGET_MS)
    guard.start()
    yield guard
    guard.stop()


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(60)


def comprehend() -> None:
    [n + 1 for n in iter(int, 1)]


def generate() -> None:
    def numbers():
        while True:
            yield 1

    for _ in numbers():
        pass


def add() -> None:
    sum(1 for _ in iter(int, 1))


def catch_every_exception() -> None:
    while True:
        try:
            time.sleep(0.001)
        except Exception:
            pass


def retry() -> None:
    while True:
        try:
            time.sleep(60)
        except:
            time.sleep(60)


def swallow() -> None:
    while True:
        try:
            for _ in range(1000):
                pass
        except:
            pass


def swallow_below() -> None:
    while True:
        try:
            retry()
        except:
            pass


HANGS = [spin, sleep, comprehend, generate, add, catch_every_exception]
STUBBORN = [retry, swallow, swallow_below]


@pytest.mark.parametrize("hang", HANGS + STUBBORN)
def test_hanging_hook_is_cut_off_in_the_main_thread(guard, hang):
    started = time.monotonic()

    with pytest.raises(HookTimeout):
        guard.call(hang)

    assert time.monotonic() - started < 2.0
    assert sys.gettrace() is None or "coverage" in type(sys.gettrace()).__module__


@pytest.mark.parametrize("hang", HANGS)
@pytest.mark.parametrize("new_loop", LOOPS)
def test_hanging_hook_is_cut_off_on_a_running_loop_which_goes_on(new_loop, hang):
    async def session() -> list[str]:
        guard = HookGuard(BUDGET_MS)
        guard.start()
        done = []
        try:
            guard.call(hang)
        except HookTimeout:
            done.append("cut off")
        # Sleeping longer than the budget: a strike outside of a hook would end the loop.
        await asyncio.sleep(3 * BUDGET_MS / 1000)
        guard.call(done.append, "next hook")
        guard.stop()
        return done

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(session()) == ["cut off", "next hook"]


def in_thread(work: Callable[[HookGuard], None]) -> BaseException | None:
    """Run work with a guard of a thread's own; return what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        guard = HookGuard(BUDGET_MS)
        guard.start()
        try:
            work(guard)
        except BaseException as error:
            raised.append(error)
        finally:
            guard.stop()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    return raised[0] if raised else None


@pytest.mark.parametrize("hang", [spin, comprehend, generate, add, catch_every_exception])
def test_hanging_hook_is_cut_off_in_another_thread(hang):
    error = in_thread(lambda guard: guard.call(hang))

    assert isinstance(error, HookTimeout)


def test_no_strike_of_the_watchdog_arrives_behind_its_hook():
    def work(guard: HookGuard) -> None:
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            end = time.monotonic() + BUDGET_MS / 1000 + 0.005
            try:
                guard.call(spin_until, end)
            except HookTimeout:
                pass
            spin_until(time.monotonic() + 0.01)

    assert in_thread(work) is None


def test_no_signal_strikes_behind_its_hook(guard):
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        end = time.monotonic() + BUDGET_MS / 1000 + 0.005
        with contextlib.suppress(HookTimeout):
            guard.call(spin_until, end)
        spin_until(time.monotonic() + 0.01)


def spin_until(end: float) -> None:
    while time.monotonic() < end:
        pass


def test_hook_that_swallows_a_strike_and_returns_has_hung(guard):
    swallowed = []

    def hook() -> None:
        try:
            spin()
        except BaseException as error:
            swallowed.append(error)

    with pytest.raises(HookTimeout):
        guard.call(hook)

    assert [type(error) for error in swallowed] == [HookTimeout]


def test_hook_that_turns_the_strike_into_an_error_fails_with_that(guard):
    def hook() -> None:
        try:
            spin()
        except BaseException as error:
            raise ValueError("translated") from error

    with pytest.raises(ValueError, match="translated"):
        guard.call(hook)


def test_strikes_are_bounded():
    guard = HookGuard(60_000)
    strikes = []

    def hook() -> None:
        for _ in range(2 * STRIKES_MAX):
            try:
                guard.strike(time.monotonic_ns() + 60 * NS_PER_S, None)
            except HookTimeout as strike:
                strikes.append(strike)

    guard.call(hook)

    assert len(strikes) == STRIKES_MAX


def test_each_hook_is_struck_afresh():
    guard = HookGuard(60_000)

    def hook() -> None:
        with pytest.raises(HookTimeout):
            guard.strike(time.monotonic_ns() + 60 * NS_PER_S, None)

    for _ in range(2 * STRIKES_MAX):
        guard.call(hook)


def test_hook_blocked_in_c_in_another_thread_has_hung_when_it_returns():
    started = time.monotonic()

    error = in_thread(lambda guard: guard.call(time.sleep, 0.2))

    assert isinstance(error, HookTimeout)
    assert time.monotonic() - started >= 0.2


def test_guard_that_was_not_started_finds_a_hook_late():
    guard = HookGuard(1)

    with pytest.raises(HookTimeout, match="came back after"):
        guard.call(spin_until, time.monotonic() + 0.005)


WAITING = """
import sys
from holdfast.runtime.hooks import HookGuard, HookTimeout

def hook():
    print("inside", flush=True)
    sys.stdin.readline()

guard = HookGuard(400)
guard.start()
guard.call(hook)
print("came back", flush=True)
try:
    guard.call(hook)
except HookTimeout:
    print("cut off", flush=True)
"""


def test_a_machine_that_stands_still_hangs_no_hook_but_waiting_does():
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.8)  # two budgets
        process.send_signal(signal.SIGCONT)
        print(file=process.stdin, flush=True)

        assert process.stdout.read() == "came back\ninside\ncut off\n"


def test_a_hook_that_waits_in_c_again_and_again_has_hung(guard):
    """No signal handler runs in there, and no processor time is used: only the habit tells."""
    for _ in range(FORGIVEN_MAX):
        guard.call(wait_in_c)
    with pytest.raises(HookTimeout, match="came back after"):
        guard.call(wait_in_c)


def wait_in_c() -> None:
    with signals_held():
        time.sleep(2 * BUDGET_MS / 1000)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_hook_that_uses_its_budget_where_no_signal_comes_has_hung(guard):
    def hook() -> None:
        with signals_held():
            spin_for_cpu(2 * BUDGET_MS / 1000)

    with pytest.raises(HookTimeout):
        guard.call(hook)


def spin_for_cpu(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_what_a_hook_raises_comes_out_as_it_is(guard):
    with pytest.raises(ZeroDivisionError):
        guard.call(lambda: 1 // 0)


def test_hook_gets_its_arguments(guard):
    got = []

    guard.call(lambda *args: got.append(args), 1, "two")

    assert got == [(1, "two")]


def test_hook_within_its_budget_is_left_alone():
    guard = HookGuard(1000)  # other programs may have the processor for a while
    guard.start()

    for _ in range(3):  # the timer rings in at least one of them
        guard.call(spin_until, time.monotonic() + 0.15)

    guard.stop()


def test_stop_gives_the_signal_and_the_timer_back():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    left = signal.setitimer(signal.ITIMER_REAL, 50)
    try:
        guard = HookGuard(BUDGET_MS)
        guard.start()
        guard.start()
        guard.stop()
        guard.stop()

        signal.raise_signal(signal.SIGALRM)
        assert rung == [1]
        assert 40 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)


def test_alarm_that_was_set_before_still_rings_in_time():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    left = signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        guard = HookGuard(BUDGET_MS)
        guard.start()
        end = time.monotonic() + 5
        while not rung and time.monotonic() < end:
            pass
        guard.stop()
        assert rung == [1]
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)


def test_two_guards_share_the_timer_and_leave_in_any_order():
    first, second = HookGuard(BUDGET_MS), HookGuard(BUDGET_MS)
    first.start()
    second.start()
    first.stop()

    with pytest.raises(HookTimeout):
        second.call(spin)

    second.stop()
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0


def test_guard_whose_signal_somebody_took_leaves_him_alone_and_the_next_takes_it_again():
    rung = []
    forgotten, guard = HookGuard(BUDGET_MS), HookGuard(BUDGET_MS)
    forgotten.start()
    ours = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    left = signal.setitimer(signal.ITIMER_REAL, 50)

    guard.start()
    with pytest.raises(HookTimeout):
        guard.call(spin)
    guard.stop()
    forgotten.stop()

    assert rung == []
    assert 40 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
    signal.raise_signal(signal.SIGALRM)
    assert rung == [1]
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert ours
    assert left


def test_debugger_keeps_its_trace_when_a_hook_is_chased(guard):
    def trace(frame, event, arg):
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(HookTimeout):
            guard.call(swallow)
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("budget_ms", [0, -1, float("nan")])
def test_budget_must_be_above_zero(budget_ms):
    with pytest.raises(ValueError, match="budget_ms must be > 0"):
        HookGuard(budget_ms)


# Runs


def test_a_run_calls_the_hook_with_each_thing_in_turn(guard):
    heard: list[int] = []

    guard.call_each(heard.append, iter(range(5)), [])

    assert heard == [0, 1, 2, 3, 4]


def test_a_run_ends_behind_the_hook_that_said_something(guard):
    said: list[str] = []
    run = iter(range(10))

    guard.call_each(lambda number: said.append("hm") if number == 3 else None, run, said)

    assert list(run) == [4, 5, 6, 7, 8, 9]


def test_a_hook_that_hangs_in_a_run_is_cut_off_there(guard):
    run = iter(range(10))

    with pytest.raises(HookTimeout):
        guard.call_each(lambda number: spin() if number == 3 else None, run, [])

    assert next(run) == 4


def test_a_run_that_takes_longer_than_one_hook_may_is_left_alone(guard):
    began = time.monotonic()

    guard.call_each(lambda _: time.sleep(BUDGET_MS / 4000), iter(range(30)), [])

    assert time.monotonic() - began > 5 * BUDGET_MS / 1000


def test_what_a_hook_raises_in_a_run_comes_out_as_it_is(guard):
    run = iter([1, 0, 2])

    with pytest.raises(ZeroDivisionError):
        guard.call_each(lambda number: 1 / number, run, [])

    assert list(run) == [2]


@pytest.mark.parametrize("is_watched", [False, True], ids=["alarm", "watchdog"])
def test_what_a_hook_returns_is_told_once(caplog, is_watched):
    """Who comes from an engine that takes signals so would wait for a trade in vain."""
    guard = HookGuard(1_000)

    def run():
        guard.start()
        for _ in range(3):
            guard.call(lambda: ("BUY", 1))
            guard.call(lambda: None)
        guard.stop()

    if is_watched:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    else:
        run()

    (said,) = [record.getMessage() for record in caplog.records]
    assert "returned ('BUY', 1), which nobody reads" in said
