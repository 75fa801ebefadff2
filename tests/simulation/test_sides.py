"""The judge of what goes out behind the end of a session."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from holdfast.model.events import OrderSubmitted
from holdfast.model.values import OrderRole, TradingSessionStatus
from holdfast.simulation.sides import Sides
from tests.engine.rig import Rig


def said_of(rig: Any, name: str) -> list[str]:
    """Return what the judge says of an order that goes out now."""
    said: list[str] = []
    live: Any = SimpleNamespace(engine=rig.engine)
    oracles = SimpleNamespace(say=lambda _oracle, text: said.append(text))
    world: Any = SimpleNamespace(live=live, oracles=oracles)
    judge = Sides(world)
    judge.begin(live)
    order = rig.state.orders[name].request
    judge.hear_facts([OrderSubmitted(ts=0, order=order, verdicts=(), recv_window_ns=1)])
    return said


@pytest.mark.parametrize(
    ("role", "stop", "is_wrong"),
    [
        (OrderRole.ENTRY, Decimal(90), True),
        (OrderRole.EXIT, None, True),
        (OrderRole.EXIT, Decimal(90), False),
        (OrderRole.STOP_LOSS, Decimal(90), False),
    ],
)
def test_only_what_a_stop_calls_for_goes_out_behind_the_end_of_a_session(role, stop, is_wrong):
    rig = Rig()
    rig.price(100)
    name = rig.place(qty="0.1", stop_loss=stop)
    order = rig.state.orders[name]
    order.request = msgspec.structs.replace(order.request, role=role)
    assert said_of(rig, name) == []

    rig.state.status = TradingSessionStatus.STOPPED
    assert bool(said_of(rig, name)) is is_wrong
