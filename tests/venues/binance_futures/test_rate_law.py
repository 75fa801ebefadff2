"""Limits, bans and doubt: the adapter before a venue that counts. Laws of what leaves, and when."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.binance_futures.desk_floor import SECRET
from tests.venues.binance_futures.desk_trader import ED25519, alone, joined
from tests.venues.binance_futures.rate_gate import CountedFloor, CountedRoads
from tests.venues.binance_futures.rate_trader import RateTrader

ILLS = (
    "unknown", "timeout", "gateway", "garbled", "unavailable", "disconnected", "overload", "late",
    "unopened", "cut", "mute", "slow", "torn",
)  # fmt: skip
STEPS = (
    "reads", "audit", "questions", "hunger", "crowd", "entries", "kill", "others", "ban", "api_cut", "stream_cut",
    "clock", "limits",
)  # fmt: skip


async def storm(loop, lots, *, limits, ills, chance, count, steps, logs_on=False):
    """Ask for more than there is room for, while all sorts of things are wrong."""

    def floor_of(*what):
        return CountedFloor(limits, *what)

    secret = ED25519 if logs_on else SECRET
    who = (floor_of, CountedRoads, RateTrader)
    async with joined(loop, lots, ills, chance, secret=secret, dead_man=(0, 60), who=who) as trader:
        floor = trader.floor
        await asyncio.sleep(lots.uniform(0.0, 70.0))
        trader.quiet_tasks = trader.venue._background._running
        floor.is_storm, floor.lag_s = True, 1.9
        for _ in range(count):
            await asyncio.sleep(lots.choice((0.0, 0.003, 0.1, lots.uniform(0.0, 8.0))))
            trader.act()
            if steps and lots.random() < 0.6:
                trader.step(lots.choice(steps))
        await trader.calm_down()
    return trader


@given(
    seed=st.integers(0, 2**40),
    limits=st.sampled_from(((2400, 300, 1200), (240, 40, 120), (400, 30, 100))),
    ills=st.lists(st.sampled_from(ILLS), max_size=3, unique=True),
    chance=st.sampled_from((0.15, 0.5, 0.9)),
    count=st.integers(1, 25),
    steps=st.lists(st.sampled_from(STEPS), max_size=4, unique=True),
    logs_on=st.booleans(),
)
@settings(max_examples=100)
def test_no_limit_is_overrun_and_what_ends_risk_has_room(seed, **how):
    trader = alone(lambda loop, lots: storm(loop, lots, **how), seed)
    assert not trader.wrong
