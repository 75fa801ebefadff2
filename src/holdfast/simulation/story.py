"""Tell of a failing run what a person needs: what went wrong around it, and one order's life."""

from __future__ import annotations

import re

import msgspec

from .batch import judge
from .spec import Spec, Verdict

LINES_MAX = 60
WIDTH = 200
_ORDER = re.compile(r"[A-Za-z0-9_-]+\.[0-9a-z]+\.[0-9a-z]+\.(?P<parent>[0-9a-z]+)\.[EXST]\.")
_PARENT = re.compile(r"parent (?P<number>\d+)")
_SCENERY = ("plan:", "fault:", "process ", "VIOLATION", "the storm", "alarm:")


def story_of(verdict: Verdict, mutant: str = "") -> list[str]:
    """Play the run again with its log kept, and return the lines that matter."""
    spec = msgspec.structs.replace(verdict.spec, keeps_log=True)
    again = judge(spec, mutant)
    marks = _marks(verdict.violations[0])
    kept = [line for line in again.log if _matters(line, marks)]
    if len(kept) > LINES_MAX:
        kept = [*kept[:10], f"... {len(kept) - LINES_MAX} lines left out ...", *kept[-50:]]
    return [line[:WIDTH] for line in kept]


def _marks(violation: str) -> tuple[str, ...]:
    """Return texts by which lines about the order in question are found."""
    marks = []
    for match in _ORDER.finditer(violation):
        marks += [match[0], f".{match['parent']}."]
    for match in _PARENT.finditer(violation):
        marks += [f"parent_id={match['number']} ", f"'parent_id': '{match['number']}'"]
    return tuple(dict.fromkeys(marks))


def _matters(line: str, marks: tuple[str, ...]) -> bool:
    return any(word in line for word in _SCENERY) or any(mark in line for mark in marks)


def replay_command(spec: Spec) -> str:
    """Return the one command that plays a run again."""
    parts = ["holdfast simulate", f"--seed {spec.seed}", f"--minutes {spec.storm_s / 60:g}"]
    if spec.faults:
        parts += [f"--faults {spec.faults}"]
    if spec.strategy:
        parts += [f"--strategy {spec.strategy}"]
    if spec.accounts:
        parts += [f"--accounts {spec.accounts}"]
    if spec.alone:
        parts += ["--alone"]
    if spec.without:
        parts += ["--without " + ",".join(str(number) for number in sorted(spec.without))]
    if spec.kills:
        parts += ["--kills " + ",".join(f"{write}:{phase}" for write, phase in spec.kills)]
    return " ".join(parts)
