"""`holdfast-dev`: commands for those who work on Holdfast. They are no part of trading."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ..harness import command as kill
from .batch import judge, sweep
from .faults import chosen
from .live_feed import has_live_feed
from .mutants import MUTANTS, Mutant
from .spec import Spec, Verdict
from .tally import oracle_of


class Kill(NamedTuple):
    """How a mutant was noticed; `seed` is None where it was not."""

    mutant: Mutant
    seed: int | None
    runs: int
    violation: str
    is_clean_without: bool

    @property
    def is_ok(self) -> bool:
        """Tell whether it was noticed by an oracle that should, and by its own fault alone."""
        return (
            self.seed is not None
            and oracle_of(self.violation) in self.mutant.oracles
            and self.is_clean_without
        )


def hunt(mutant: Mutant, jobs: int, storm_s: float, seeds: int | None = None) -> Kill:
    """Run seeds until a mutant is noticed; then the same seed without it."""
    kinds = chosen(mutant.kinds)
    count = mutant.seeds if seeds is None else seeds
    numbers = (n for n in itertools.count() if not mutant.needs_feed or has_live_feed(str(n)))
    specs = itertools.chain(
        (
            Spec(
                seed=known.seed,
                storm_s=known.storm_s,
                kinds=chosen(known.kinds),
                accounts=known.accounts,
            )
            for known in mutant.known
        ),
        (Spec(seed=n, storm_s=storm_s, kinds=kinds) for n in itertools.islice(numbers, count)),
    )
    seen: list[Verdict] = []

    def hear(verdict: Verdict) -> bool:
        seen.append(verdict)
        return not any(oracle_of(each) in mutant.oracles for each in verdict.violations)

    sweep(specs, jobs, hear, mutant.name)
    last = seen[-1]
    said = [each for each in last.violations if oracle_of(each) in mutant.oracles]
    if not said:
        return Kill(mutant, None, len(seen), "", is_clean_without=True)
    is_clean = not judge(last.spec).violations
    return Kill(mutant, last.spec.seed, len(seen), said[0], is_clean_without=is_clean)


def mutants(arguments: argparse.Namespace) -> int:
    """Show every mutant, how soon it was noticed, and by which oracle."""
    wanted = [each for each in MUTANTS if arguments.only in each.name]
    missed = 0
    for mutant in wanted:
        kill = hunt(mutant, arguments.jobs, arguments.minutes * 60, arguments.seeds)
        missed += not kill.is_ok
        word = "killed" if kill.is_ok else "MISSED"
        where = "" if kill.seed is None else f"seed {kill.seed}: {kill.violation[:100]}"
        print(f"{word}  {mutant.name:<42} {kill.runs:>4} runs  {where}", flush=True)  # noqa: T201
    print(f"{len(wanted) - missed} of {len(wanted)} mutants killed")  # noqa: T201
    return 1 if missed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run `holdfast-dev`."""
    parser = argparse.ArgumentParser(prog="holdfast-dev", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    hunts = commands.add_parser("mutants", help="take out one mechanism after the other")
    hunts.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    hunts.add_argument("--minutes", type=float, default=1.2, help="simulated, of each run")
    hunts.add_argument("--seeds", type=int, default=None, help="at most, of each mutant")
    hunts.add_argument("--only", default="", help="mutants whose name has this")
    hunts.set_defaults(run=mutants)
    kill.add_to(commands)
    arguments = parser.parse_args(argv)
    code: int = arguments.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
