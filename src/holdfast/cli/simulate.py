"""Trade in a simulated world where everything goes wrong that can, and judge what comes of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from ..model.errors import InputError
from .exit_codes import ExitCode
from .output import print_json, print_pairs, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from ..simulation.batch import Tally
    from ..simulation.spec import Spec, Verdict

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
    strategy: Annotated[
        str, typer.Option("--strategy", help="file.py:Class or a name, instead of a wild one.")
    ] = "",
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
    json: Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")] = False,
) -> int:
    """Run the engine, the adapter and the journal against a hostile exchange, network and disk.

    Every order must be accounted for: none lost, none doubled, positions and balances equal to
    the last digit, every position with its stop, whatever was dropped, delayed, killed or lost.
    """
    from ..simulation.faults import chosen
    from ..simulation.spec import Spec

    if (without or kills) and seed is None:
        raise InputError("--without and --kills belong to one --seed")
    kinds = chosen([word.strip() for word in faults.split(",") if word.strip()])
    base = Spec(
        seed=first if seed is None else seed,
        storm_s=minutes * 60,
        kinds=kinds,
        faults=faults,
        strategy=strategy,
        without=frozenset(_number(word) for word in without.split(",") if word),
        kills=tuple(_killing(word) for word in kills.split(",") if word),
    )
    if seed is not None and not (exhaustive or pairs):
        return _play_one(base, as_json=json)
    count = 1 if seed is not None else seeds
    specs = _specs(base, count, exhaustive=exhaustive, pairs=pairs, every=every)
    total = None if exhaustive or pairs else count
    tally = _sweep(specs, jobs or os.cpu_count() or 1, total, is_quiet=json)
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


def _specs(base: Spec, count: int, *, exhaustive: bool, pairs: bool, every: int) -> Iterator[Spec]:
    import msgspec

    from ..simulation.batch import double_kills_of, kills_of
    from ..simulation.disk import PHASES

    for number in range(count):
        spec = msgspec.structs.replace(base, seed=base.seed + number)
        if pairs:
            yield from double_kills_of(spec, PHASES, AGAIN_MAX, every)
        elif exhaustive:
            yield from kills_of(spec, PHASES, every)
        else:
            yield spec


AGAIN_MAX = 4
"""At which of the writes after a kill the second one strikes: the first to the fourth."""


def _sweep(specs: Iterator[Spec], jobs: int, total: int | None, *, is_quiet: bool) -> Tally:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from ..simulation.batch import Tally, sweep

    tally = Tally()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        console=Console(stderr=True),
        disable=is_quiet,
    ) as progress:
        task = progress.add_task("seeds", total=total, told="")
        sweep(specs, jobs, lambda verdict: _hear(tally, verdict, progress, task))
    return tally


def _hear(tally: Tally, verdict: Verdict, progress: Progress, task: TaskID) -> bool:
    tally.add(verdict)
    told = f"{_span(tally.seconds)}, {tally.per_second:.1f} seeds/s, {tally.failures} failed"
    progress.update(task, advance=1, told=told)
    return tally.failures < FAILURES_MAX


FAILURES_MAX = 50
"""After so many failures a batch ends: there is enough to look at."""


def _tell(tally: Tally, base: Spec, *, as_json: bool) -> int:
    idle = tally.idle_kinds(base.kinds)
    code = ExitCode.UNEXPECTED if tally.failures or idle else ExitCode.OK
    if as_json:
        print_json(tally.document(base.kinds) | {"exit_code": int(code)})
        return code
    print_pairs("What the world did", _world_rows(tally))
    rows = [(name, f"{count:,}") for name, count in sorted(tally.fired.items()) if count]
    print_table("Faults that struck", ("fault", "times>"), rows)
    if idle:
        print(f"These never struck, so the batch proves nothing of them: {', '.join(idle)}")
    if not tally.failures:
        print(_survived(tally))
        return code
    print(f"{tally.failures} of {tally.runs} runs failed: {dict(tally.oracles)}")
    for verdict in tally.failed[:SHOWN_MAX]:
        _tell_failure(verdict)
    return code


def _world_rows(tally: Tally) -> list[tuple[str, str]]:
    return [
        ("runs", f"{tally.runs:,}"),
        ("simulated time", _span(tally.seconds)),
        ("orders at the exchange", f"{tally.orders:,}"),
        ("fills", f"{tally.fills:,}"),
        ("journal writes", f"{tally.writes:,}"),
        ("starts of the process", f"{tally.lives:,}"),
        ("strategies taken off", f"{tally.facts['StrategyStopped']:,}"),
        ("orders in doubt", _doubts(tally)),
        ("longest time to rest", f"{tally.longest_rest_s} s"),
        ("seeds a second", f"{tally.per_second:.2f}"),
    ]


def _doubts(tally: Tally) -> str:
    late = tally.late(0.99)
    if late is None:
        return "0"
    return f"{len(tally.lateness):,}; 99 % resolved by {late:+.1f} s of their fences"


def _span(seconds: float) -> str:
    days = seconds / 86_400
    if days >= 365:
        return f"{days / 365:.2f} years"
    return f"{days:.2f} days" if days >= 1 else f"{days * 24:.2f} hours"


def _survived(tally: Tally) -> str:
    return (
        f"Survived {tally.runs:,} runs: no order lost or doubled, positions and balances equal "
        "to the last digit, every stop where it belongs."
    )


def _tell_failure(verdict: Verdict) -> None:
    """Make a failure smaller, and tell it."""
    from ..simulation.shrink import shrink
    from ..simulation.story import replay_command, story_of

    small = shrink(verdict)
    print(f"\nSeed {small.spec.seed}: {small.violations[0]}")
    left = [fault for fault in small.plan if fault.number not in small.spec.without]
    print("The shortest list of faults that was found to do it:")
    for fault in left:
        print(f"  #{fault.number:<3} {fault}")
    print("Its story:")
    for line in story_of(small):
        print(f"  {line}")
    print(f"Play it again: {replay_command(small.spec)}")


def _play_one(spec: Spec, *, as_json: bool) -> int:
    from ..simulation.batch import Tally, judge
    from ..simulation.story import replay_command, story_of

    verdict = judge(spec)
    tally = Tally()
    tally.add(verdict)
    code = ExitCode.UNEXPECTED if verdict.violations else ExitCode.OK
    if as_json:
        document = tally.document(()) | {"seed": spec.seed, "journal_hash": verdict.head}
        print_json(document | {"replay": replay_command(spec), "exit_code": int(code)})
        return code
    print_pairs(f"Seed {spec.seed}", [*_world_rows(tally), ("journal hash", verdict.head)])
    for fault in verdict.plan:
        mark = " (left out)" if fault.number in spec.without else ""
        print(f"  #{fault.number:<3} {fault}{mark}")
    for violation in verdict.violations:
        print(f"VIOLATION {violation}")
    if verdict.violations:
        for line in story_of(verdict):
            print(f"  {line}")
    else:
        print(_survived(tally))
    return code
