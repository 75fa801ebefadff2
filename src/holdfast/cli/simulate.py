"""Trade in a simulated world where everything goes wrong that can, and judge what comes of it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ..model.errors import InputError
from .exit_codes import ExitCode
from .output import print_json, print_pairs, print_table
from .simulated import span_of, survived, times_of, world_rows, write_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..simulation.spec import Spec, Verdict
    from ..simulation.tally import Tally

SHOWN_MAX = 3
"""How many failures are made smaller and told at length."""


def simulate(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many runs.")] = 100,
    jobs: Annotated[int, typer.Option("--jobs", min=0, help="Processes; 0: one a core.")] = 0,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.2, help="Simulated minutes of trouble in each run.")
    ] = 1.5,
    faults: Annotated[
        str, typer.Option("--faults", help="Kinds or groups: kill,stream. none: a calm world.")
    ] = "",
    alone: Annotated[
        bool,
        typer.Option("--alone", help="The faults and nobody else: no adversaries, no meddlers."),
    ] = False,
    strategy: Annotated[
        str, typer.Option("--strategy", help="file.py:Class or a name, instead of a wild one.")
    ] = "",
    accounts: Annotated[
        int,
        typer.Option("--accounts", min=0, max=2, help="Of the session; 0 leaves it to the seed."),
    ] = 0,
    first: Annotated[int, typer.Option("--first", min=0, help="The first seed.")] = 0,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Play this one alone, and tell of it.")
    ] = None,
    without: Annotated[
        str, typer.Option("--without", help="With --seed: numbers of faults to leave out.")
    ] = "",
    kills: Annotated[
        str, typer.Option("--kills", help="With --seed: die at WRITE:PHASE, then at the next.")
    ] = "",
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="Kill each run at every write, in three phases.")
    ] = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Kill twice: at writes, and while coming back.")
    ] = False,
    every: Annotated[
        int, typer.Option("--every", min=1, help="With --exhaustive, --pairs: every n-th write.")
    ] = 1,
    total: Annotated[
        Path | None,
        typer.Option("--total", help="Add to this file, and go on with the seed behind its last."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write an HTML report there.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")] = False,
) -> int:
    """Run the engine, the adapter and the journal against a hostile exchange, network and disk.

    Every order must be accounted for: none lost, none doubled, positions and balances equal to
    the last digit, every position with its stop, whatever was dropped, delayed, killed or lost.
    With --strategy the exit code is 1 also where it was taken off, or had no fill: then nothing
    was tried.
    """
    from ..runtime.assembly import load_strategies
    from ..simulation.faults import chosen
    from ..simulation.spec import Spec

    if (without or kills) and seed is None:
        raise InputError("--without and --kills belong to one --seed")
    if strategy:
        load_strategies([strategy])  # to say at once what is wrong with it
    kinds = chosen([word.strip() for word in faults.split(",") if word.strip()])
    base = Spec(
        seed=first if seed is None else seed,
        storm_s=minutes * 60,
        kinds=kinds,
        faults=faults,
        strategy=strategy,
        accounts=accounts,
        alone=alone,
        without=frozenset(_number(word) for word in without.split(",") if word),
        kills=tuple(_killing(word) for word in kills.split(",") if word),
    )
    if seed is not None and not (exhaustive or pairs):
        return _play_one(base, report, as_json=json)
    mode = "pairs" if pairs else "exhaustive" if exhaustive else ""
    batch = Batch(base, 1 if seed is not None else seeds, mode, every, jobs or os.cpu_count() or 1)
    tally = _sweep(batch, is_quiet=json) if total is None else _go_on(batch, total, is_quiet=json)
    if report is not None:
        write_page(report, tally, base, tally.idle_kinds(base.kinds))
    return _tell(tally, base, as_json=json)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"a number was expected, was {text!r}") from None


def _killing(text: str) -> tuple[int, str]:
    from ..simulation.disk import PHASES

    write, _, phase = text.partition(":")
    if phase not in PHASES:
        raise InputError(f"WRITE:PHASE with {', '.join(PHASES)} was expected, was {text!r}")
    return _number(write), phase


class Batch(NamedTuple):
    """What is to be played. `mode` is "", "exhaustive" or "pairs"; the last two have many runs
    for each seed.
    """

    base: Spec
    seeds: int
    mode: str
    every: int
    jobs: int

    def specs(self) -> Iterator[Spec]:
        import msgspec

        from ..simulation.batch import double_kills_of, kills_of
        from ..simulation.disk import PHASES

        for number in range(self.seeds):
            spec = msgspec.structs.replace(self.base, seed=self.base.seed + number)
            if self.mode == "pairs":
                yield from double_kills_of(spec, PHASES, AGAIN_MAX, self.every)
            elif self.mode:
                yield from kills_of(spec, PHASES, self.every)
            else:
                yield spec


AGAIN_MAX = 4
"""At which of the writes after a kill the second one strikes: the first to the fourth."""

KEPT_EVERY = 250
"""After so many runs a total is written; what was begun since then is played again."""


def _go_on(batch: Batch, path: Path, *, is_quiet: bool) -> Tally:
    """Play further seeds, a few at a time, and add each few to what the file has."""
    import msgspec

    from ..simulation.tally import read_tally, what_of, write_tally

    total = read_tally(path, what_of(batch.base, batch.mode))
    first = max(total.next_seed, batch.base.seed)
    size = 1 if batch.mode else KEPT_EVERY
    for begin in range(first, first + batch.seeds, size):
        few = batch._replace(
            base=msgspec.structs.replace(batch.base, seed=begin),
            seeds=min(size, first + batch.seeds - begin),
        )
        total.merge(_sweep(few, is_quiet=is_quiet))
        total.next_seed = begin + few.seeds
        write_tally(path, total)
        if total.failures >= FAILURES_MAX:
            break
    return total


def _sweep(batch: Batch, *, is_quiet: bool) -> Tally:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from ..simulation.batch import sweep
    from ..simulation.tally import Tally

    tally = Tally()
    began = time.monotonic()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        console=Console(stderr=True),
        disable=is_quiet,
    ) as progress:
        task = progress.add_task("runs", total=None if batch.mode else batch.seeds, told="")

        def hear(verdict: Verdict) -> bool:
            tally.add(verdict)
            speed = tally.runs / max(time.monotonic() - began, 1e-9)
            told = f"{span_of(tally.seconds)}, {speed:.1f} runs/s, {tally.failures} failed"
            progress.update(task, advance=1, told=told)
            return tally.failures < FAILURES_MAX

        sweep(batch.specs(), batch.jobs, hear)
    return tally


FAILURES_MAX = 50
"""After so many failures a batch ends: there is enough to look at."""


def _tell(tally: Tally, base: Spec, *, as_json: bool) -> int:
    import msgspec

    idle = tally.idle_kinds(base.kinds)
    code = ExitCode.UNEXPECTED if idle else _code_of(tally, base.strategy)
    if as_json:
        print_json(tally.document(base.kinds) | {"exit_code": int(code)})
        return code
    print_pairs("What the world did", world_rows(tally))
    rows = [(name, f"{count:,}") for name, count in sorted(tally.fired.items()) if count]
    print_table("Faults that struck", ("fault", "times>"), rows)
    print_table(
        "How long it took", ("what", "times>", "half>", "99 %>", "longest>"), times_of(tally)
    )
    if base.strategy:
        _tell_deeds(tally)
    if idle:
        print(f"These never struck, so the batch proves nothing of them: {', '.join(idle)}")
    if not tally.failures:
        print(survived(tally, base.strategy))
        return code
    print(f"{tally.failures} of {tally.runs} runs failed: {dict(tally.oracles)}")
    for failure in tally.failed[:SHOWN_MAX]:
        _tell_failure(msgspec.structs.replace(base, seed=failure.seed, kills=failure.kills))
    return code


def _code_of(tally: Tally, strategy: str) -> ExitCode:
    """Say whether all runs went well; of a strategy of the caller's, whether it was tried too."""
    fell_short = bool(strategy) and (tally.was_taken_off or tally.tried_nothing)
    return ExitCode.UNEXPECTED if tally.failures or fell_short else ExitCode.OK


def _tell_deeds(tally: Tally) -> None:
    rows = [(name, f"{count:,}") for name, count in sorted(tally.deeds.items())]
    print_table("What your strategy did", ("deed", "times>"), rows)


def _tell_failure(spec: Spec) -> None:
    """Play a failure again, make it smaller, and tell it."""
    from ..simulation.batch import judge
    from ..simulation.shrink import shrink
    from ..simulation.story import replay_command, story_of

    again = judge(spec)
    if not again.violations:
        print(f"\nSeed {spec.seed} failed, and not when played again: {replay_command(spec)}")
        return
    small = shrink(again)
    said = small.violations[0].splitlines()
    print(f"\nSeed {small.spec.seed}: {said[0]}" + (f" ... {said[-1]}" if len(said) > 1 else ""))
    left = [fault for fault in small.plan if fault.number not in small.spec.without]
    print("The shortest list of faults that was found to do it:")
    for fault in left:
        print(f"  #{fault.number:<3} {fault}")
    print("Its story:")
    for line in story_of(small):
        print(f"  {line}")
    print(f"Play it again: {replay_command(small.spec)}")


def _play_one(spec: Spec, report: Path | None, *, as_json: bool) -> int:
    from ..simulation.batch import judge
    from ..simulation.story import replay_command, story_of
    from ..simulation.tally import Tally

    verdict = judge(spec)
    tally = Tally()
    tally.add(verdict)
    code = _code_of(tally, spec.strategy)
    if report is not None:
        write_page(report, tally, spec, ())
    if as_json:
        document = tally.document(()) | {"seed": spec.seed, "journal_hash": verdict.head}
        print_json(document | {"replay": replay_command(spec), "exit_code": int(code)})
        return code
    print_pairs(f"Seed {spec.seed}", [*world_rows(tally), ("journal hash", verdict.head)])
    for fault in verdict.plan:
        mark = " (left out)" if fault.number in spec.without else ""
        print(f"  #{fault.number:<3} {fault}{mark}")
    if spec.strategy:
        _tell_deeds(tally)
    for violation in verdict.violations:
        print(f"VIOLATION {violation}")
    if verdict.violations:
        for line in story_of(verdict):
            print(f"  {line}")
    else:
        print(survived(tally, spec.strategy))
    return code
