"""The journal is lost, or an older copy of it is put in its place, while the exchange goes on."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from .adversaries import Adversary

LOST = 0.4
"""How likely nothing at all is left of the journal."""


class Amnesia(Adversary):
    """Takes a backup at one moment, and puts it back at another."""

    name = "amnesia"
    share: ClassVar[float] = 0.03
    _due: tuple[int, int] | None = None  # rows and epoch that there will be

    async def run(self) -> None:
        storm_s, disk = self.world.spec.storm_s, self.world.disk
        first, second = sorted(self.lots.uniform(0.05, 1.0) * storm_s for _ in range(2))
        await asyncio.sleep(round(first, 3))
        copy = (len(disk.rows), disk.epoch)
        await asyncio.sleep(round(second - first, 3))
        self._due = (0, 0) if self.lots.random() < LOST else copy
        self.end_process("its disk is broken")

    def between(self) -> None:
        if self._due is None:
            return
        self.world.disk.restore(*self._due)
        self.world.oracles.forget_fold()
        self.strike("an older journal" if self._due[0] else "no journal")
        self._due = None
