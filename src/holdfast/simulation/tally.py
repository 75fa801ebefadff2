"""What many runs came to together. A tally can be kept in a file, gone on with, and added up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from ..model.errors import InputError
from .against import ADVERSARIES
from .deeds import FILLS, TAKEN_OFF
from .faults import HOW_IT_SHOWS, SHAPES
from .one_cut_off import OneCutOff
from .spec import Spec, Verdict
from .timing import DOUBT

EVERY_KIND_FROM = 500
"""From how many runs on each kind of fault must have struck at least once."""

FAILURES_KEPT = 100
_YEAR_S = 365 * 86_400


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A run that failed, as it is remembered."""

    seed: int
    violations: tuple[str, ...]
    kills: tuple[tuple[int, str], ...] = ()


class Tally(msgspec.Struct, kw_only=True):
    """What a batch has come to so far. `next_seed` is where one that goes on begins.

    `times` counts durations by what took them, in tenths of a second.
    """

    next_seed: int = 0
    what: str = ""
    runs: int = 0
    failures: int = 0
    seconds: float = 0.0
    orders: int = 0
    fills: int = 0
    writes: int = 0
    lives: int = 0
    longest_rest_s: int = 0
    cpu_s: float = 0.0
    oracles: dict[str, int] = {}
    fired: dict[str, int] = {}
    facts: dict[str, int] = {}
    deeds: dict[str, int] = {}
    times: dict[str, dict[int, int]] = {}
    failed: list[Failure] = []

    def add(self, verdict: Verdict) -> None:
        self.runs += 1
        self.seconds += verdict.seconds
        self.orders += verdict.orders
        self.fills += verdict.fills
        self.writes += verdict.writes
        self.lives += verdict.lives
        self.cpu_s += verdict.cpu_s
        _sum(self.fired, verdict.fired)
        _sum(self.facts, verdict.facts)
        _sum(self.deeds, verdict.deeds)
        for name, seconds in verdict.spans.items():
            counts = self.times.setdefault(name, {})
            for each in seconds:
                tenths = round(each * 10)
                counts[tenths] = counts.get(tenths, 0) + 1
        self.longest_rest_s = max(self.longest_rest_s, verdict.counts.get("seconds to rest", 0))
        if verdict.violations:
            self.failures += 1
            _sum(self.oracles, dict.fromkeys({oracle_of(each) for each in verdict.violations}, 1))
            self._keep(
                Failure(
                    seed=verdict.spec.seed,
                    violations=verdict.violations,
                    kills=verdict.spec.kills,
                )
            )

    def merge(self, other: Tally) -> None:
        """Take in another tally."""
        self.next_seed = max(self.next_seed, other.next_seed)
        for name in ("runs", "failures", "seconds", "orders", "fills", "writes", "lives", "cpu_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in (
            (self.oracles, other.oracles),
            (self.fired, other.fired),
            (self.facts, other.facts),
            (self.deeds, other.deeds),
        ):
            _sum(mine, theirs)
        for name, counts in other.times.items():
            kept = self.times.setdefault(name, {})
            for tenths, count in counts.items():
                kept[tenths] = kept.get(tenths, 0) + count
        self.longest_rest_s = max(self.longest_rest_s, other.longest_rest_s)
        for failure in other.failed:
            self._keep(failure)

    def _keep(self, failure: Failure) -> None:
        if len(self.failed) < FAILURES_KEPT:
            self.failed.append(failure)

    @property
    def was_taken_off(self) -> bool:
        """Tell whether a strategy failed and was cut off."""
        return any(name.startswith(TAKEN_OFF) for name in self.deeds)

    @property
    def tried_nothing(self) -> bool:
        """Tell whether no strategy had a fill: then nothing was proved of it."""
        return not self.deeds.get(FILLS)

    @property
    def years(self) -> float:
        return self.seconds / _YEAR_S

    def late(self, share: float, what: str = DOUBT) -> float | None:
        """Return within how many seconds a share of what happened was done; None: it never did."""
        counts = self.times.get(what)
        if not counts:
            return None
        left = share * sum(counts.values())
        for tenths in sorted(counts):
            left -= counts[tenths]
            if left <= 0:
                return tenths / 10
        return max(counts) / 10

    def count_of(self, what: str) -> int:
        return sum(self.times.get(what, {}).values())

    def idle_kinds(self, kinds: Iterable[str]) -> list[str]:
        """Return the kinds of faults, and the adversaries where all kinds were chosen, that never
        struck; none while the batch is small.
        """
        if self.runs < EVERY_KIND_FROM:
            return []
        asked = sorted(kinds)
        names = [name for kind in asked for name in HOW_IT_SHOWS.get(kind, (kind,))]
        if len(asked) == len(SHAPES):
            names += [each.name for each in ADVERSARIES if each is not OneCutOff]  # needs two
        return [name for name in names if not self.fired.get(name)]

    def document(self, kinds: Iterable[str]) -> dict[str, object]:
        """Return everything as JSON would have it."""
        return {
            "runs": self.runs,
            "failures": self.failures,
            "oracles": self.oracles,
            "simulated_years": round(self.years, 4),
            "cpu_s_per_run": round(self.cpu_s / max(self.runs, 1), 3),
            "orders": self.orders,
            "fills": self.fills,
            "journal_writes": self.writes,
            "lives": self.lives,
            "times_s": {
                name: {
                    "count": self.count_of(name),
                    "p50": self.late(0.5, name),
                    "p99": self.late(0.99, name),
                    "max": self.late(1.0, name),
                }
                for name in sorted(self.times)
            },
            "longest_time_to_rest_s": self.longest_rest_s,
            "faults": dict(sorted(self.fired.items())),
            "faults_that_never_struck": self.idle_kinds(kinds),
            "strategies_did": dict(sorted(self.deeds.items())),
            "strategies_tried_nothing": self.tried_nothing,
            "strategies_taken_off": self.facts.get("StrategyStopped", 0),
            "failed": [
                {"seed": f.seed, "kills": list(f.kills), "violations": list(f.violations)}
                for f in self.failed
            ],
        }


def _sum(into: dict[str, int], counts: dict[str, int]) -> None:
    for name, count in counts.items():
        into[name] = into.get(name, 0) + count


def oracle_of(violation: str) -> str:
    """Return which oracle said it."""
    return violation.partition(":")[0]


def what_of(spec: Spec, mode: str) -> str:
    """Return in words what a batch plays, so that only like is added to like."""
    faults = spec.faults or "all faults"
    faults += " and nobody else" if spec.alone else ""
    words = [f"{spec.storm_s / 60:g} minutes", mode, faults, spec.strategy]
    return ", ".join(word for word in words if word)


def read_tally(path: Path, what: str) -> Tally:
    """Read a tally that is to be gone on with; an empty one where there is no such file.

    Raises:
        InputError: it is none, or one of something else.
    """
    if not path.exists():
        return Tally(what=what)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Tally, strict=False)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} holds no tally: {error}") from error
    if found.what != what:
        raise InputError(f"{path} counts {found.what!r}, not {what!r}")
    return found


def write_tally(path: Path, tally: Tally) -> None:
    """Put a tally in the place of the one before."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(tally), indent=1))
    fresh.replace(path)
