"""Scripts and roads as Hypothesis draws them, and the world that has played one."""

from __future__ import annotations

from hypothesis import event
from hypothesis import strategies as st

from .checks import at_rest
from .road import bad
from .steps import ALL, Step
from .world import World

_numbers = st.integers(0, 999)


def scripts(kinds=ALL, least=15, most=60):
    """Lists of steps; the kinds that come first are what a failing script shrinks to."""
    steps = st.builds(Step, st.sampled_from(kinds), _numbers, _numbers, _numbers)
    return st.lists(steps, min_size=least, max_size=most)


roads = st.integers(0, 2**32).map(bad)


def played(road, script, law) -> list[str]:
    """Play a script and return what the law has against it, or against the rest that it came to."""
    world = World(road).run(script)
    event(f"lives: {min(world.lives, 5)}")
    event(f"fills: {min(len(world.state.trades_seen), 10)}")
    if not world.has_ended:
        return world.violations
    return law(world) + at_rest(world)
