"""Law 10: every queue, loop, retry, wait and cache is bounded, and the bound has a name."""

from __future__ import annotations

import pytest

from holdfast.engine import forgetting
from tests.laws.checks import BOUNDS, at_rest, law_10
from tests.laws.road import bad
from tests.laws.steps import script
from tests.laws.world import World

SMALL = {
    "CLOSED_ORDERS_KEPT": 12,
    "DENIED_ORDERS_KEPT": 4,
    "CLOSED_PARENTS_KEPT": 6,
    "TRADES_REMEMBERED": 150,  # as many as an audit may look back over
    "NAMELESS_FILLS_KEPT": 2,
    "INTENTS_REMEMBERED": 10,
    "CHANGES_REMEMBERED": 10,
    "MESSAGE_TIMES_KEPT": 10,
    "EXECUTION_TIMES_KEPT": 5,
    "RECENT_ORDERS_KEPT": 5,
}


@pytest.mark.parametrize("seed", range(12))
def test_nothing_grows_past_its_bound(seed, monkeypatch):
    for name, bound in SMALL.items():
        monkeypatch.setattr(forgetting, name, bound)

    world = World(bad(seed)).run(script(seed, 150))

    assert law_10(world) == []
    assert at_rest(world) == []


@pytest.mark.parametrize("seed", range(12))
def test_what_is_not_closed_is_open(seed, monkeypatch):
    """The rule on open orders counts so: what is remembered, less what has ended."""
    for name, bound in SMALL.items():
        monkeypatch.setattr(forgetting, name, bound)

    state = World(bad(seed)).run(script(seed, 150)).state

    listed = [i for ids in state.open_orders.values() for i in ids]
    living = [i for ids in state.live_parents.values() for i in ids]
    assert len(state.orders) - len(state.closed_orders) - len(state.denied_orders) == len(listed)
    assert len(state.parents) - len(state.closed_parents) == len(living)


def test_small_bounds_are_reached(monkeypatch):
    """Else the test above would prove nothing."""
    for name, bound in SMALL.items():
        monkeypatch.setattr(forgetting, name, bound)
    reached = set()
    for seed in range(4):
        state = World(bad(seed)).run(script(seed, 150)).state
        sizes = {
            "CLOSED_ORDERS_KEPT": len(state.closed_orders),
            "DENIED_ORDERS_KEPT": len(state.denied_orders),
            "CLOSED_PARENTS_KEPT": len(state.closed_parents),
            "RECENT_ORDERS_KEPT": len(state.recent_orders),
            "MESSAGE_TIMES_KEPT": max(map(len, state.message_times.values())),
        }
        reached |= {name for name, size in sizes.items() if size >= SMALL[name]}

    assert reached == {
        "CLOSED_ORDERS_KEPT",
        "DENIED_ORDERS_KEPT",
        "CLOSED_PARENTS_KEPT",
        "RECENT_ORDERS_KEPT",
        "MESSAGE_TIMES_KEPT",
    }


def test_every_bound_has_a_number():
    assert all(bound() >= 0 for bound in BOUNDS.values())
