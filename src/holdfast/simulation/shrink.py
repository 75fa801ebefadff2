"""Make a failing run smaller: leave out faults as long as the same oracle still complains."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .batch import judge
from .spec import Spec, Verdict
from .tally import oracle_of

TRIES_MAX = 60
"""How many runs are spent on one failure."""


def shrink(
    failed: Verdict, mutant: str = "", play: Callable[[Spec, str], Verdict] = judge
) -> Verdict:
    """Return a failing run of the same seed with as few faults as could be found."""
    oracles = {oracle_of(each) for each in failed.violations}
    best = failed
    left = [f.number for f in failed.plan if f.number not in failed.spec.without]
    tries, size = 0, max(1, len(left) // 2)
    while left and tries < TRIES_MAX:
        for start in range(0, len(left), size):
            some = frozenset(left[start : start + size])
            tries += 1
            spec = msgspec.structs.replace(best.spec, without=best.spec.without | some)
            verdict = play(spec, mutant)
            if oracles & {oracle_of(each) for each in verdict.violations}:
                best = verdict
                left = [number for number in left if number not in some]
                break
            if tries >= TRIES_MAX:
                return best
        else:
            if size == 1:
                return best
            size = max(1, size // 2)
    return best
