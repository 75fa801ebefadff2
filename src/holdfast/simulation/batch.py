"""Many runs on many processes, and what they came to together."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from .faults import HOW_IT_SHOWS
from .mutants import MUTANTS, applied
from .run import play
from .spec import Spec, Verdict

AHEAD = 4
"""How many runs wait for each process."""

EVERY_KIND_FROM = 500
"""From how many runs on each kind of fault must have struck at least once."""

FAILURES_KEPT = 100

_YEAR_S = 365 * 86_400


@dataclass(slots=True)
class Tally:
    """What a batch has come to so far."""

    runs: int = 0
    failed: list[Verdict] = field(default_factory=list)
    failures: int = 0
    seconds: float = 0.0
    orders: int = 0
    fills: int = 0
    writes: int = 0
    lives: int = 0
    oracles: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    longest_rest_s: int = 0
    lateness: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def add(self, verdict: Verdict) -> None:
        self.runs += 1
        self.seconds += verdict.seconds
        self.orders += verdict.orders
        self.fills += verdict.fills
        self.writes += verdict.writes
        self.lives += verdict.lives
        self.fired.update(verdict.fired)
        self.facts.update(verdict.facts)
        self.lateness += verdict.lateness
        self.longest_rest_s = max(self.longest_rest_s, verdict.counts.get("seconds to rest", 0))
        if verdict.violations:
            self.failures += 1
            self.oracles.update({oracle_of(each) for each in verdict.violations})
            if len(self.failed) < FAILURES_KEPT:
                self.failed.append(verdict)

    @property
    def years(self) -> float:
        return self.seconds / _YEAR_S

    @property
    def per_second(self) -> float:
        return self.runs / max(time.monotonic() - self.began, 1e-9)

    def late(self, share: float) -> float | None:
        """Return after how many seconds past its fence a share of the doubts was resolved."""
        ordered = sorted(self.lateness)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    def idle_kinds(self, kinds: Iterable[str]) -> list[str]:
        """Return the kinds of faults that never struck; none while the batch is small."""
        if self.runs < EVERY_KIND_FROM:
            return []
        names = [name for kind in sorted(kinds) for name in HOW_IT_SHOWS.get(kind, (kind,))]
        return [name for name in names if not self.fired[name]]

    def document(self, kinds: Iterable[str]) -> dict[str, object]:
        """Return everything as JSON would have it."""
        return {
            "runs": self.runs,
            "failures": self.failures,
            "oracles": dict(self.oracles),
            "simulated_years": round(self.years, 4),
            "seeds_per_second": round(self.per_second, 2),
            "orders": self.orders,
            "fills": self.fills,
            "journal_writes": self.writes,
            "lives": self.lives,
            "doubts": len(self.lateness),
            "doubt_resolved_past_fence_s": {
                "p50": self.late(0.5),
                "p99": self.late(0.99),
                "max": self.late(1.0),
            },
            "longest_time_to_rest_s": self.longest_rest_s,
            "faults": dict(sorted(self.fired.items())),
            "faults_that_never_struck": self.idle_kinds(kinds),
            "strategies_taken_off": self.facts["StrategyStopped"],
            "failed": [
                {"seed": v.spec.seed, "violations": list(v.violations)} for v in self.failed
            ],
        }


def oracle_of(violation: str) -> str:
    """Return which oracle said it."""
    return violation.partition(":")[0]


def judge(spec: Spec, mutant: str = "") -> Verdict:
    """Play a run; an error that gets out of it is a violation too."""
    found = next((each for each in MUTANTS if each.name == mutant), None)
    try:
        with applied(found):
            return play(spec)
    except Exception as error:  # noqa: BLE001 - whatever it is, this seed is to be looked at
        where = traceback.format_exc(limit=-3)
        text = f"run: {type(error).__name__}: {error}\n{where}"
        return _broken(spec, text)


def _broken(spec: Spec, text: str) -> Verdict:
    return Verdict(
        spec=spec,
        violations=(text,),
        head="",
        fired={},
        counts={},
        seconds=0.0,
        writes=0,
        lives=0,
        orders=0,
        fills=0,
        plan=(),
    )


def sweep(
    specs: Iterable[Spec], jobs: int, hear: Callable[[Verdict], bool], mutant: str = ""
) -> None:
    """Judge runs and hand each verdict on, as they come, until `hear` returns False."""
    if jobs <= 1:
        for spec in specs:
            if not hear(judge(spec, mutant)):
                return
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_be_quiet) as pool:
        try:
            _feed(pool, iter(specs), jobs * AHEAD, hear, mutant)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _feed(
    pool: ProcessPoolExecutor,
    specs: Iterator[Spec],
    ahead: int,
    hear: Callable[[Verdict], bool],
    mutant: str,
) -> None:
    waiting: set[Future[Verdict]] = {
        pool.submit(judge, spec, mutant) for spec in islice(specs, ahead)
    }
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            if not hear(future.result()):
                return
        waiting |= {pool.submit(judge, spec, mutant) for spec in islice(specs, len(done))}


def _be_quiet() -> None:
    logging.lastResort = None
    gc.freeze()  # what is loaded stays: later collections pass it over


def kills_of(spec: Spec, phases: Iterable[str], step: int = 1) -> Iterator[Spec]:
    """Yield a run for every journal write of a run and every phase: killed there."""
    writes = judge(spec).writes
    for write in range(1, writes + 1, step):
        for phase in phases:
            yield msgspec.structs.replace(spec, kills=((write, phase),))


def double_kills_of(spec: Spec, phases: Iterable[str], again_max: int, step: int) -> Iterator[Spec]:
    """Yield runs that are killed at a write, and again at one of the writes of coming back."""
    for first in kills_of(spec, phases, step):
        for again in range(1, again_max + 1):
            for phase in phases:
                yield msgspec.structs.replace(first, kills=(*first.kills, (again, phase)))
