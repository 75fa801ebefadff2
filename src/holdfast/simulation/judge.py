"""What a judge beside the first oracles may hear, and how it says what is wrong.

Rule: a judge draws nothing and asks for nothing, so that a seed is played as it was without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from ..exchange import Output
from ..model.events import Event

if TYPE_CHECKING:
    from ..runtime.live import LiveSession
    from .world import World


class Judge:
    """One of them, in one run. What it has no need of, it does not hear."""

    oracle: ClassVar[str]

    def __init__(self, world: World) -> None:
        self.world = world

    def say(self, text: str) -> None:
        self.world.oracles.say(self.oracle, text)

    def begin(self, live: LiveSession) -> None:
        """Hear that a life was made, which has not begun."""

    def hear_facts(self, facts: Iterable[Event]) -> None:
        """Hear facts as the engine makes them."""

    def hear_venue(self, outputs: Sequence[Output], now: int) -> None:
        """Hear what the exchange did."""

    def hear_hook(self, hook: Callable[..., object], args: tuple[object, ...]) -> None:
        """Hear that a strategy was called."""

    def look(self) -> None:
        """Look, every second."""

    def judge_rest(self, live: LiveSession) -> None:
        """Judge a world that is at rest."""
