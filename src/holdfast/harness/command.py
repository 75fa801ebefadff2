"""`holdfast-dev kill`: its options, its progress, and what it tells in the end."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from ..model.errors import InputError
from .batch import FAILURES_MAX, Tally, specs, spread, sweep
from .faults import KINDS, chosen
from .figures import FIGURES, measure
from .spec import REST_S_MAX, Spec, Verdict

STORY_SHOWN = 60


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of `holdfast-dev`."""
    parser = commands.add_parser("kill", help="kill real processes and compare the books")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1, help="of the first bout; they count up")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--only", nargs="+", default=(), metavar="FAULT", help=", ".join(KINDS))
    parser.add_argument("--without", default="", help="a mechanism, as `mutants` names it")
    parser.add_argument(
        "--patience", type=float, default=REST_S_MAX, help="seconds until the books must agree"
    )
    parser.add_argument("--server", default="", help="URL of a PostgreSQL for the journals")
    parser.add_argument("--folder", type=Path, default=None, help="where failures are kept")
    parser.add_argument("--keep", action="store_true", help="also what did not fail")
    parser.add_argument("--json", action="store_true", help="the figures as one document")
    parser.set_defaults(run=kill)
    takes = commands.add_parser("figures", help="take the figures that need real processes")
    takes.add_argument("--rounds", type=int, default=20)
    takes.add_argument("--only", nargs="+", default=tuple(FIGURES), choices=tuple(FIGURES))
    takes.add_argument("--json", action="store_true", help="the figures as one document")
    takes.set_defaults(run=figures)


def figures(arguments: argparse.Namespace) -> int:
    """Run `holdfast-dev figures`; 1 where one is missed."""
    missed, found = 0, {}
    for name in arguments.only:
        _, most, what = FIGURES[name]
        samples = asyncio.run(measure(name, arguments.rounds))
        found[name] = {**spread(samples), "allowed": most}
        missed += max(samples) > most
        if not arguments.json:
            _write(f"{name}: {what} {_spread(samples)}; allowed {most:g} s")
    if arguments.json:
        _write(json.dumps(found))
    return 1 if missed else 0


def kill(arguments: argparse.Namespace) -> int:
    """Run `holdfast-dev kill`; 1 where anything was wrong, or a kind of fault never struck."""
    try:
        kinds = chosen(arguments.only)
    except InputError as error:
        sys.stderr.write(f"holdfast-dev: {error}\n")
        return 2
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="holdfast-kill-"))
    folder.mkdir(parents=True, exist_ok=True)
    base = Spec(
        seed=arguments.seed,
        folder=str(folder),
        kinds=kinds,
        without=arguments.without,
        rest_s=arguments.patience,
        server=arguments.server,
        keeps=arguments.keep,
    )
    tally = Tally(kinds)

    wanted = specs(base, arguments.kills, arguments.jobs)

    def hear(verdict: Verdict) -> bool:
        tally.add(verdict)
        _progress(tally, verdict, arguments.kills)
        return len(tally.failed) < FAILURES_MAX

    sweep(wanted, arguments.jobs, hear)
    if arguments.json:
        _write(json.dumps(tally.document()))
    else:
        _tell(tally, base)
    if not any(folder.iterdir()):
        folder.rmdir()
    return 1 if tally.failed or tally.idle_kinds() else 0


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _progress(tally: Tally, verdict: Verdict, kills: int) -> None:
    mark = "FAILED" if verdict.violations else "ok"
    text = (
        f"seed {verdict.seed}: {mark} in {verdict.seconds:.0f} s; {tally.kills} of {kills} kills, "
        f"{tally.orders} orders, {tally.fills} fills, {tally.violations} violations"
    )
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _tell(tally: Tally, base: Spec) -> None:
    found = tally.document()
    for name in ("kills", "lives", "calms", "orders", "fills", "facts", "violations", "seconds"):
        _write(f"{name:<12} {found[name]:>10}")
    for name, samples in (
        ("from start to RUNNING, in a calm", tally.recoveries),
        ("from start to RUNNING, in the storm", tally.recoveries_in_storm),
        ("until the books agreed", tally.rests),
    ):
        _write(f"{name}: {_spread(samples)}")
    for kind in tally.kinds:
        _write(f"  {kind:<16} {tally.fired[kind]:>6}")
    _write("of the exchange: " + _counts(found["exchange_faults"]))
    _write("ended by itself: " + (_counts(found["ends_with_a_reason"]) or "never"))
    _write("a full disk is: " + ", ".join(sorted(filter(None, tally.full_disk))))
    if tally.unavailable:
        _write("not possible here: " + ", ".join(sorted(tally.unavailable)))
    if idle := tally.idle_kinds():
        _write(f"these never struck, so nothing is proven of them: {', '.join(idle)}")
    for verdict in tally.failed:
        _tell_failure(verdict, base)


def _spread(samples: list[float]) -> str:
    found = spread(samples)
    if not found["count"]:
        return "never"
    return f"p50 {found['p50']} s, p99 {found['p99']} s, max {found['max']} s of {found['count']}"


def _counts(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _tell_failure(verdict: Verdict, base: Spec) -> None:
    _write(f"\nSeed {verdict.seed} failed:")
    for violation in verdict.violations:
        _write(f"  {violation}")
    for line in verdict.story[:STORY_SHOWN]:
        _write(f"  {line}")
    words = [f"holdfast-dev kill --kills {verdict.kills} --seed {verdict.seed} --jobs 1"]
    words += ["--only " + " ".join(base.kinds)] if len(base.kinds) < len(KINDS) else []
    words += [f"--without {base.without!r}"] if base.without else []
    _write(f"Kept in {verdict.folder}; the same plan again: {' '.join(words)}")
