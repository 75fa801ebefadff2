"""Many bouts on several processes, and what they came to together."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

import msgspec

from ..runtime.workers import end_with_parent
from .bout import play
from .faults import KILLS
from .spec import CALM_EVERY, KILLS_MAX, Spec, Verdict

EVERY_KIND_FROM = 50
"""From how many kills on each kind of fault must have struck at least once."""

FAILURES_MAX = 5
"""After so many bouts that failed a batch ends: there is enough to look at."""


@dataclass(slots=True)
class Tally:
    """What a batch has come to so far."""

    kinds: Sequence[str]
    bouts: int = 0
    calms: int = 0
    lives: int = 0
    orders: int = 0
    fills: int = 0
    facts: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    exchange_fired: Counter[str] = field(default_factory=Counter)
    exits: Counter[str] = field(default_factory=Counter)
    failed: list[Verdict] = field(default_factory=list)
    violations: int = 0
    recoveries: list[float] = field(default_factory=list)
    recoveries_in_storm: list[float] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)
    unavailable: set[str] = field(default_factory=set)
    full_disk: set[str] = field(default_factory=set)
    began: float = field(default_factory=time.monotonic)

    def add(self, verdict: Verdict) -> None:
        """Take one bout in."""
        self.bouts += 1
        self.calms += verdict.calms
        self.lives += verdict.lives
        self.orders += verdict.orders
        self.fills += verdict.fills
        self.facts += verdict.facts
        self.fired.update(verdict.fired)
        self.exchange_fired.update(verdict.exchange_fired)
        self.exits.update(verdict.exits)
        self.recoveries += verdict.recoveries
        self.recoveries_in_storm += verdict.recoveries_in_storm
        self.rests += verdict.rests
        self.unavailable.update(verdict.unavailable)
        self.full_disk.add(verdict.full_disk)
        self.violations += len(verdict.violations)
        if verdict.violations:
            self.failed.append(verdict)

    @property
    def kills(self) -> int:
        return sum(self.fired[kind] for kind in KILLS)

    def idle_kinds(self) -> list[str]:
        """Return the kinds that never struck; none while the batch is small."""
        if self.kills < EVERY_KIND_FROM:
            return []
        return [k for k in self.kinds if not self.fired[k] and k not in self.unavailable]

    def document(self) -> dict[str, object]:
        """Return everything as JSON would have it."""
        return {
            "kills": self.kills,
            "bouts": self.bouts,
            "calms": self.calms,
            "lives": self.lives,
            "orders": self.orders,
            "fills": self.fills,
            "facts": self.facts,
            "violations": self.violations,
            "failed_seeds": [verdict.seed for verdict in self.failed],
            "seconds": round(time.monotonic() - self.began, 1),
            "recovery_s": spread(self.recoveries),
            "recovery_in_storm_s": spread(self.recoveries_in_storm),
            "rest_s": spread(self.rests),
            "faults": {kind: self.fired[kind] for kind in self.kinds},
            "faults_that_never_struck": self.idle_kinds(),
            "not_possible_here": sorted(self.unavailable),
            "full_disk": sorted(filter(None, self.full_disk)),
            "exchange_faults": {k: n for k, n in sorted(self.exchange_fired.items()) if n},
            "ends_with_a_reason": dict(self.exits.most_common()),
        }


def spread(samples: Sequence[float]) -> dict[str, float | int]:
    """Return count, median, 99th percentile and the largest."""
    if not samples:
        return {"count": 0}
    ordered = sorted(samples)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return {"count": len(ordered), "p50": at(0.5), "p99": at(0.99), "max": ordered[-1]}


def specs(base: Spec, kills: int, jobs: int = 1) -> list[Spec]:
    """Part so many kills into bouts of about one size; the seeds count up from the base's."""
    count = max(-(-kills // KILLS_MAX), min(jobs, kills // CALM_EVERY), 1)
    size, more = divmod(kills, count)
    return [
        msgspec.structs.replace(base, seed=base.seed + number, kills=size + (number < more))
        for number in range(count)
    ]


def run(spec: Spec) -> Verdict:
    """Play one bout in this process."""
    return asyncio.run(play(spec))


def sweep(wanted: Sequence[Spec], jobs: int, hear: Callable[[Verdict], bool]) -> None:
    """Play bouts, several at a time, until all are done or `hear` returns False."""
    context = multiprocessing.get_context("spawn")
    left = list(reversed(wanted))
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=end_with_parent) as pool:
        running: set[Future[Verdict]] = set()
        while left or running:
            while left and len(running) < jobs:
                running.add(pool.submit(run, left.pop()))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                if not hear(future.result()):
                    left.clear()
