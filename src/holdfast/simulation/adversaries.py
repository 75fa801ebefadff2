"""Whoever else is against us, in a share of the seeds each, by lots of their own.

Rule 1: an adversary draws nothing from what others draw from: a seed that has none of them is
        played as it was before there were any.
Rule 2: what it does is counted under its name, as faults are.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ..strategies import Strategy
    from .world import World


class Adversary:
    """One of them, in one run. What it does not need to do at a moment, it leaves out."""

    name: ClassVar[str]
    share: ClassVar[float]

    def __init__(self, world: World) -> None:
        self.world = world
        self.lots = Random(f"{world.seed}/{self.name}")
        self.is_on = Random(f"{world.seed}/{self.name}/coin").random() < self.share

    def begin(self) -> None:
        """Do something before the first process starts."""

    def between(self) -> None:
        """Do something while no process runs."""

    async def run(self) -> None:
        """Do something while the storm lasts."""

    def strategies(self) -> tuple[Strategy, ...]:
        """Return strategies of its own for a new life."""
        return ()

    def calm_down(self) -> None:
        """Put back what must be as it was before all can come to rest."""

    def strike(self, what: str) -> None:
        """Count a deed, and tell of it."""
        self.world.fired[self.name] += 1
        self.world.count(f"{self.name}: {what}")
        self.world.log(f"{self.name}: {what}")

    def end_process(self, reason: str) -> None:
        """End the process that runs, unless it is frozen: then another may have taken over."""
        process = self.world.process
        if process is not None and not process.is_dead and not process.is_frozen:
            process.die(reason)
