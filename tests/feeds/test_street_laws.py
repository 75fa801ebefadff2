"""Laws of market data on its way: whatever goes wrong, what is heard is true or told to be missing."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.values import NS_PER_S, Symbol
from holdfast.simulation.loop import SimLoop
from tests.feeds.street import MARKET, PUBLIC, Street
from tests.feeds.street_desk import CALM_S, Desk

SYMBOLS = (Symbol("BTCUSDT"), Symbol("ETHUSDT"))
STORM_S = 45

PATHS = st.sampled_from((PUBLIC, MARKET, ""))
LASTING = (
    "refused",
    "hanging",
    "lossy",
    "garbled",
    "doubled",
    "no_rest",
    "slow",
    "backlog",
    "retold",
)
SECONDS = st.sampled_from((0.5, 2.0, 5.0, 12.0, 20.0))
TROUBLES = st.one_of(
    st.tuples(st.just("cut"), PATHS),
    st.tuples(st.just("mute"), PATHS, st.sampled_from((4.0, 12.0, 100.0)), st.booleans()),
    st.tuples(st.sampled_from(LASTING), SECONDS),
    st.tuples(st.just("rest_lag"), SECONDS, st.sampled_from((0.5, 2.0, 6.0))),
    st.tuples(st.just("no_marks"), st.sampled_from(SYMBOLS), SECONDS),
    st.tuples(st.just("quiet"), st.sampled_from(SYMBOLS), SECONDS),
    st.tuples(st.just("burst"), st.sampled_from(SYMBOLS), st.integers(2, 50)),
    st.tuples(st.just("restart"), SECONDS, st.booleans()),
    st.tuples(st.just("venue_step"), st.sampled_from((-2.0, -0.4, 0.4, 2.0, 20.0))),
    st.tuples(st.just("machine_step"), st.sampled_from((-20.0, -2.0, -0.4, 0.4, 2.0, 20.0))),
)
STORMS = st.lists(st.tuples(st.integers(10, STORM_S * 10), TROUBLES), max_size=8)


def begin(street: Street, trouble: tuple) -> None:
    """Let something go wrong."""
    kind, *what = trouble
    now = street.loop.time()
    if kind == "cut":
        street.cut(what[0])
    elif kind == "mute":
        street.mute(what[0], what[1], has_pongs=what[2])
    elif kind in {"no_marks", "quiet"}:
        getattr(street, kind)[what[0]] = now + what[1]
    elif kind == "burst":
        if not street.lasts("refused"):
            street.trade(street.tapes[what[0]], what[1])
    elif kind == "restart":
        street.restart(what[0], forgets=what[1])
    elif kind == "venue_step":
        street.step_venue(round(what[0] * NS_PER_S))
    elif kind == "machine_step":
        street.machine_off += round(what[0] * NS_PER_S)
        street.has_failed = True
    else:
        street.until[kind] = max(street.until[kind], now + what[0])
        street.rest_lag_s = what[1] if kind == "rest_lag" else street.rest_lag_s


def played(seed: int, storm: list, lifetime_s: float) -> Desk:
    """Play a storm and the calm behind it."""
    loop, lots = SimLoop(str(seed)), Random(seed)  # type: ignore[abstract]  # no sockets, no threads
    raised: list[object] = []
    loop.call_exception_handler = raised.append  # type: ignore[assignment, method-assign]
    street = Street(loop, lots, SYMBOLS)
    until = STORM_S + CALM_S

    async def play() -> Desk:
        desk = Desk(street, lots, lifetime_s=lifetime_s)
        goes_on = [street.live(each, until) for each in SYMBOLS]
        goes_on += [street.mark(each, until) for each in SYMBOLS]
        tasks = [loop.create_task(each) for each in [*goes_on, desk.run()]]
        for tenths, trouble in storm:
            loop.call_at(tenths / 10, begin, street, trouble)
        await asyncio.sleep(STORM_S)
        for what in street.until:
            street.until[what] = min(street.until[what], loop.time())
        for ends in (street.no_marks, street.quiet):
            ends.clear()
        await asyncio.sleep(CALM_S - 1)
        desk.judge_calm()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        desk.runner.end("it is over")
        return desk

    desk = loop.run(play())
    desk.wrong += map(str, raised)
    return desk


@given(
    seed=st.integers(0, 2**32),
    storm=STORMS,
    lifetime_s=st.sampled_from((5.0, 8.5, 25.0, 80_000.0)),
)
@settings(max_examples=20)
def test_what_is_heard_is_true_or_told_to_be_missing(seed, storm, lifetime_s):
    assert played(seed, storm, lifetime_s).wrong == []


def test_a_connection_that_replaces_another_and_is_faster_passes_no_trade_over():
    """Trades of the slower one were dropped then, told to be missing, and left bars out."""
    desk = played(23_100_014, [], 5.0)

    assert desk.street.opened[MARKET] > 10
    assert desk.gaps == []
