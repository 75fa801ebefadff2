"""Law 5: no new risk outside RUNNING; closing and cancelling always work."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings

from holdfast.model import messages as msg
from holdfast.model.values import ZERO, TradingSessionStatus
from tests.laws.checks import law_5
from tests.laws.scripts import played, roads, scripts
from tests.laws.steps import BTC, Step
from tests.laws.world import SETTINGS, World

STATES = ("pause", "resume", "kill_switch", "release", "stop", "crash")


@settings(max_examples=60)
@given(roads, scripts((*("signal", "place", "market") * 3, *STATES, "wait", "modify", "adjust")))
def test_nothing_that_adds_risk_leaves_outside_running(road, steps):
    assert played(road, steps, law_5) == []


@pytest.mark.parametrize(
    "message",
    [
        msg.PauseSession(reason="x"),
        msg.StopSession(reason="x"),
        msg.FailSession(reason="x"),
        msg.EngageKillSwitch(reason="x"),
        msg.VenueFailure(failure="venue"),
    ],
    ids=lambda m: type(m).__name__,
)
def test_a_position_is_closed_at_the_venue_whatever_the_session_is(message):
    world = World()
    world.perform(Step("adjust", b=4))
    assert world.venue_qty(BTC) == Decimal("0.012")

    for _ in range(SETTINGS.breaker_threshold):
        if world.state.status is TradingSessionStatus.RUNNING:
            world.hear(message)
    world.perform(Step("close"))

    assert world.venue_qty(BTC) == ZERO
