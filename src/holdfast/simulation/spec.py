"""What is asked of a run, and what it answers."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .faults import ALONE, SHAPES, Fault


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `without` are numbers of faults that are left out, to make a plan smaller.

    `accounts` is how many the session has, 1 or 2; 0 leaves it to the seed. `alone` leaves out all
    who act against it beside the faults: adversaries, meddlers, and a machine that is off.
    """

    seed: int
    storm_s: float = 300.0
    kinds: frozenset[str] = frozenset(SHAPES)
    faults: str = ""  # the words that `kinds` were chosen by, for the replay
    without: frozenset[int] = frozenset()
    strategy: str = ""
    kills: tuple[tuple[int, str], ...] = ()  # writes of the whole run to die at, and phases
    has_plan: bool = True
    accounts: int = 0
    keeps_log: bool = False
    alone: bool = False

    @property
    def has_others(self) -> bool:
        """Tell whether anybody acts against the session beside the faults."""
        return self.has_plan and not self.alone and bool(self.kinds - ALONE)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How a run went."""

    spec: Spec
    violations: tuple[str, ...]
    head: str
    fired: dict[str, int]
    counts: dict[str, int]
    facts: dict[str, int] = {}
    deeds: dict[str, int] = {}  # of the strategies
    spans: dict[str, list[float]] = {}  # how long things took, in s: see `timing`
    cpu_s: float = 0.0
    seconds: float
    writes: int
    lives: int
    orders: int
    fills: int
    plan: tuple[Fault, ...]
    log: tuple[str, ...] = ()
    ticks: int = 0


BOLDNESS = (Decimal("0.15"), Decimal("0.3"), Decimal("0.6"))
"""How large a position may be, of equity."""
