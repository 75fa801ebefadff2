"""Law 9: every position that asked for a stop has it at the venue, or an alarm within bounds.

A stop is replaced without a moment of nakedness: none is called back before another has come.
"""

from __future__ import annotations

from hypothesis import given, settings

from holdfast.model import events as ev
from holdfast.model.values import NS_PER_S
from holdfast.venues.paper_faults import Fault, Faults
from tests.laws.checks import law_9
from tests.laws.scripts import played, roads, scripts
from tests.laws.steps import POSITIONS, Step
from tests.laws.world import SETTINGS, World


@settings(max_examples=60)
@given(roads, scripts((*POSITIONS, "place", "quote", "stop")))
def test_every_holding_has_its_stop_and_never_lost_it_on_the_way(road, steps):
    assert played(road, steps, law_9) == []


def test_a_stop_that_cannot_be_had_is_alarmed_within_its_time():
    world = World()
    world.venue._faults = Faults(requests=dict.fromkeys(range(2, 50), Fault.NOT_EXECUTED))
    world.perform(Step("signal", a=0, b=0, c=5))
    opened_ts = next(f.ts for f in world.journal.facts if isinstance(f, ev.OrderFilled))

    world.pass_time(8 * NS_PER_S)

    [alarm] = [f for f in world.journal.facts if isinstance(f, ev.ProtectionMissing)]
    assert alarm.ts - opened_ts <= SETTINGS.protection_alarm_ns + 2 * NS_PER_S
