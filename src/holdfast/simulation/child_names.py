"""The exchange gives what a triggered stop becomes a client id of its own.

That a child goes by its parent's client id has been seen and is promised nowhere. Who its parent is
says the conditional order alone, which names the child's number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from ..exchange import OrderUpdate, Output
from ..exchange_server.faults import Kind, Rule, Script
from ..model.messages import ExecType
from .adversaries import Adversary

LATE = 0.7
"""How often a child is heard of before its parent says its number, in every second run."""

LATE_MS = (50, 4_000)


class ChildNames(Adversary):
    """Has all children named so, from the first to the last."""

    name = "child_names"
    share: ClassVar[float] = 0.1

    def begin(self) -> None:
        venue = self.world.bourse.venue
        venue.settings = msgspec.structs.replace(venue.settings, own_child_names=True)
        venue.sinks.append(self._hear)
        if self.lots.random() < 0.5:
            rule = Rule(
                kind=Kind.DELAY_FRAME,
                probability=LATE,
                on="*ALGO_UPDATE*",
                delay_ms=self.lots.randint(*LATE_MS),
            )
            venue.faults.give(
                Script(faults=[rule], seed=self.lots.getrandbits(32)), self.world.venue_now()
            )

    def _hear(self, outputs: Sequence[Output], _: int) -> None:
        for output in outputs:
            if isinstance(output, OrderUpdate) and output.report.exec_type is ExecType.TRIGGERED:
                self.strike("a child has a name of its own")
