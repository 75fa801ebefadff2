"""A disk, or a database on a server, that takes seconds for a commit, for a while, now and then.

What was decided waits for its record so long, and leaves late or not at all; what is heard
meanwhile is decided upon before anything has left.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from .adversaries import Adversary
from .disk import POWER_COMMIT_S

PAUSE_S = (0.5, 6.0)
LASTS_S = (0.5, 12.0)
COMMITS_S = ((0.05, 0.4), (0.2, 1.5), (1.0, 4.0), (3.0, 8.0))
"""How long each commit takes in one such while."""


class SlowDisk(Adversary):
    """Syncs every commit, as durability "power" does, on such a disk."""

    name = "slow_disk"
    share: ClassVar[float] = 0.05

    def begin(self) -> None:
        self.world.setup.change({"durability": "power"})

    async def run(self) -> None:
        disk = self.world.disk
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            disk.commit_s = self.lots.choice(COMMITS_S)
            self.strike(f"commits take up to {disk.commit_s[1]:g} s")
            await asyncio.sleep(round(self.lots.uniform(*LASTS_S), 3))
            disk.commit_s = POWER_COMMIT_S

    def calm_down(self) -> None:
        self.world.disk.commit_s = POWER_COMMIT_S
