"""Orders and what becomes of them, whatever the roads to the venue do: laws of the adapter."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.venues.binance_futures.streams import LIFETIME_S
from tests.venues.binance_futures.desk_floor import ILLS, SECRET
from tests.venues.binance_futures.desk_roads import ApiLine, UserLine
from tests.venues.binance_futures.desk_trader import ED25519, Loop, alone, joined

AROUND = ("key_expired", "stream_cut", "api_cut", "revoked", "clock_off", "renewals", "torn")


async def storm(loop, lots, *, ills, chance, count, around=(), logs_on=False, waits=True):
    """Trade while all sorts of things are wrong; return who did, once it is calm."""
    secret = ED25519 if logs_on else SECRET
    lifetime_s = 3.0 if "renewals" in around else LIFETIME_S
    async with joined(loop, lots, ills, chance, secret=secret, lifetime_s=lifetime_s) as trader:
        floor, roads = trader.floor, trader.roads
        floor.is_storm, floor.lag_s = True, 1.9
        roads.repeats, roads.deaf = lots.choice((0.0, 0.3)), lots.choice((0.0, 0.3, 1.0))
        roads.torn = 0.2 if "torn" in around else 0.0
        trader.is_in_turn = "renewals" not in around
        trader.knows_time = "clock_off" not in around
        if "clock_off" in around:
            floor.off_ms += lots.choice((3_000, -3_000))
            await asyncio.sleep(lots.choice((0.0, 20.0)))
        for _ in range(count):
            await asyncio.sleep(lots.choice((0.0, 0.003, 0.1, lots.uniform(0.0, 3.0))))
            trader.act()
            if around and lots.random() < 0.2:
                afflict(roads, lots.choice(around))
        if waits:
            await trader.settle()
    return trader


def afflict(roads, ill):
    match ill:
        case "key_expired":
            roads.expire_key()
        case "stream_cut":
            roads.drop(UserLine)
        case "api_cut":
            roads.drop(ApiLine)
        case "revoked":
            roads.revoke()
        case _:
            pass


@given(
    seed=st.integers(0, 2**40),
    ills=st.lists(st.sampled_from(ILLS), min_size=1, max_size=5, unique=True),
    chance=st.sampled_from((0.15, 0.5, 0.9)),
    count=st.integers(1, 14),
    around=st.lists(st.sampled_from(AROUND), unique=True),
    logs_on=st.booleans(),
    waits=st.sampled_from((True, True, True, False)),
)
@settings(max_examples=400)
def test_each_request_has_one_outcome_and_no_outcome_lies(seed, **how):
    trader = alone(lambda loop, lots: storm(loop, lots, **how), seed)
    assert not trader.wrong


QUICKLY_S = 13.5
"""What one road that is ill may cost, where each request shows it; a doubt lasts until its fence."""

LATE_S = 35.0
"""And where it takes three of them, each in doubt."""

QUICK = ("wall", "unopened", "slow", "torn", "mute", "unavailable")
SLOW = ("unknown", "timeout", "gateway", "disconnected", "cut")


async def try_on(loop, lots, *, road, ill, what):
    """Ask for something until it is done, while one road is ill; return how long that takes."""
    async with joined(loop, lots) as trader:
        await asyncio.sleep(1.0)
        trader.place(is_algo=True)
        await asyncio.sleep(2.0)
        first = trader.asked[0]
        if road == "REST":
            trader.roads.rest_ill = lambda method: ill
        else:
            trader.roads.api_ill = lambda method: ill
        if ill == "unopened":
            trader.roads.drop_api()
        began = loop.time()
        while not is_done(trader, first, what) and loop.time() < began + 60.0:
            latest = trader.asked[-1]
            if latest is first or latest.told:
                trader.cancel(first) if what == "cancel" else trader.place(is_algo=what == "stop")
            await asyncio.sleep(0.5)
        took = loop.time() - began
        trader.roads.rest_ill = trader.roads.api_ill = lambda method: ""
        await trader.settle()
    assert not trader.wrong
    return took


def is_done(trader, first, what):
    if what == "cancel":
        return first.name in trader.ended
    return trader.asked[-1] is not first and trader.asked[-1].name in trader.known


@pytest.mark.parametrize("what", ["stop", "entry", "cancel"])
@pytest.mark.parametrize("road", ["REST", "WS"])
@pytest.mark.parametrize("ill", [*QUICK, *SLOW])
def test_one_road_that_is_ill_keeps_nothing_from_the_other(road, ill, what):
    allowed_s = 3.0 if road == "REST" else QUICKLY_S if ill in QUICK else LATE_S
    for seed in range(3):
        loop = Loop(f"{seed}")  # type: ignore[abstract]
        lots = random.Random(f"{road} {ill} {what} {seed}")
        assert loop.run(try_on(loop, lots, road=road, ill=ill, what=what)) < allowed_s
        assert not loop.untaken
