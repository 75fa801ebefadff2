"""A law of the drop copy: what stays is alarmed, once and in time; what is under way never is."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.runtime.watch_house import House
from tests.runtime.watch_wrongs import Wrongs, look

LOOKS = 60
CALM_LOOKS = 12
COPIED = 10


async def play(seed: int, looks: int = LOOKS) -> None:
    lots = Random(seed)
    patch = pytest.MonkeyPatch()
    house = House(lots)
    wrongs = Wrongs(house, lots, patch)
    try:
        alarms: set[tuple[str, str]] = set()
        pace, trouble = lots.choice((0.1, 0.3, 1.0, 3.0)), lots.choice((0.0, 0.2, 0.2))
        for number in range(looks + CALM_LOOKS):
            is_calm = number >= looks
            if number == looks:
                house.calm()
                for wrong in wrongs.active:
                    wrongs.end(wrong)
            if number == COPIED:
                wrongs.keep_copy()
            if not is_calm:
                live(house, wrongs, lots, pace, trouble)
            house.advance(house.time + lots.uniform(1, 6))
            alarms, found = await look(house, wrongs, alarms)
        assert found is not None
        assert not alarms, alarms
        assert not found.sights, found.sights
        assert house.watch._state == house.state
        assert found.sequence == house.journal.sequence
        await changes_nothing(house)
    finally:
        await house.watch.close()
        house.clear()
        patch.undo()


async def changes_nothing(house: House) -> None:
    """Look at a journal that nobody owns any more: its files stay as they are."""
    house.leave()
    before = house.files()
    found = await house.watch.look()
    assert (found.owner, house.files()) == ("", before)


def live(house: House, wrongs: Wrongs, lots: Random, pace: float, trouble: float) -> None:
    """Let what may happen until the next look be due."""
    acts = (
        *3 * (house.trade,),
        *2 * (house.enter,),
        house.meet,
        house.amend,
        house.move_money,
        house.move_money,
        house.elsewhere,
        house.doubt,
        house.save,
        house.restart,
    )
    for _ in range(lots.choice((0, 0, 1, 2)) if pace < 2 else lots.randint(1, 4)):
        act = lots.choice(acts)
        if lots.random() < pace:
            house.at(lots.uniform(0, 6), lambda act=act: house.is_alive and act())
    if lots.random() < trouble:
        house.at(lots.uniform(0, 6), wrongs.spoil)
    if lots.random() < 0.1:
        wrongs.reads_left = lots.randrange(12)


@settings(max_examples=6, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 2**32))
def test_what_stays_is_alarmed_and_what_is_under_way_never(seed):
    asyncio.run(play(seed))
