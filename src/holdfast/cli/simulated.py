"""What came of simulated runs, in words for a terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .output import warn

if TYPE_CHECKING:
    from ..simulation.spec import Spec
    from ..simulation.tally import Tally

TIMES = ("What", "Times>", "Half>", "99 %>", "Longest>")


def world_rows(tally: Tally) -> list[tuple[str, str]]:
    """Return what was played, and how much of it."""
    return [
        ("runs", f"{tally.runs:,}"),
        ("simulated time", span_of(tally.seconds)),
        ("orders at the exchange", f"{tally.orders:,}"),
        ("fills", f"{tally.fills:,}"),
        ("journal writes", f"{tally.writes:,}"),
        ("starts of the process", f"{tally.lives:,}"),
        ("strategies taken off", f"{tally.facts.get('StrategyStopped', 0):,}"),
        ("longest time to rest", f"{tally.longest_rest_s} s"),
        ("work for each run", f"{tally.cpu_s / max(tally.runs, 1):.2f} s"),
    ]


def times_of(tally: Tally) -> list[tuple[str, ...]]:
    """Return how long things took: how often, and half, 99 % and the longest of it."""
    return [
        (
            name,
            f"{tally.count_of(name):,}",
            *(f"{tally.late(share, name):.1f} s" for share in (0.5, 0.99, 1.0)),
        )
        for name in sorted(tally.times)
    ]


def span_of(seconds: float) -> str:
    """Write a simulated time in the unit that fits it."""
    days = seconds / 86_400
    if days >= 365:
        return f"{days / 365:.2f} years"
    return f"{days:.2f} days" if days >= 1 else f"{days * 24:.2f} hours"


def survived(tally: Tally, strategy: str = "") -> str:
    """Say what a batch without a failure has shown."""
    kept = (
        f"Survived {_runs(tally)}: no order lost or doubled, positions and balances equal "
        "to the last digit, every stop where it belongs."
    )
    if not strategy:
        return kept
    if tally.was_taken_off:
        return (
            f"The account survived {_runs(tally)}; your strategy did not: it failed, was "
            "taken off, and its positions were left to their stops. See above for its errors."
        )
    if tally.tried_nothing:
        done = "had no fill" if tally.deeds.get("wishes") else "wished for nothing"
        return (
            f"Nothing was tried: in {_runs(tally)} your strategy {done}. Its bars are as long as "
            "its timeframes say, 5 s where it names none, and a run of --minutes has few of them: "
            "give it longer runs, or shorter windows."
        )
    return f"{kept}\nYour strategy would have survived; whether it earns, nobody asked."


def _runs(tally: Tally) -> str:
    return "1 run" if tally.runs == 1 else f"{tally.runs:,} runs"


def write_page(path: Path, tally: Tally, base: Spec, idle: Iterable[str]) -> None:
    """Write a batch's report. A failure to write is told, and costs no verdict.

    Args:
        idle: kinds of faults that never struck, where each should have.
    """
    from ..runtime.report_page import Cell, cards, page, table
    from ..simulation.tally import what_of

    def told(rows: Iterable[Iterable[object]]) -> list[list[Cell]]:
        return [[Cell(str(each)) for each in row] for row in rows]

    counts = TIMES[:2]
    fired = sorted((name, f"{count:,}") for name, count in tally.fired.items() if count)
    deeds = sorted((name, f"{count:,}") for name, count in tally.deeds.items())
    body = [
        cards((name.capitalize(), Cell(value)) for name, value in world_rows(tally)),
        table(
            "Runs that failed",
            ["Seed>", "What was wrong*", "Play it again*"],
            told(_failed(tally, base)),
        ),
        table("What your strategy did", counts, told(deeds) if base.strategy else []),
        table("Faults that struck", counts, told(fired)),
        table("How long it took", TIMES, told(times_of(tally))),
    ]
    lines = [_verdict(tally, base, list(idle)), what_of(base, "")]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page("Simulated runs", lines, body, ""), encoding="utf-8")
    except OSError as error:
        warn(f"no report: {path}: {error.strerror}")


def _verdict(tally: Tally, base: Spec, idle: list[str]) -> str:
    if tally.failures:
        return f"{tally.failures} of {_runs(tally)} failed"
    if idle:
        return f"These never struck, so the batch proves nothing of them: {', '.join(idle)}"
    return survived(tally, base.strategy)


def _failed(tally: Tally, base: Spec) -> Iterable[tuple[object, ...]]:
    import msgspec

    from ..simulation.story import replay_command

    for each in tally.failed:
        spec = msgspec.structs.replace(base, seed=each.seed, kills=each.kills)
        yield each.seed, "; ".join(each.violations), replay_command(spec)
