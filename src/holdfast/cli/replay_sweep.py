"""Many replays: a sweep of parameters, and a walk-forward."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .exit_codes import ExitCode
from .output import print_json, print_table
from .replaying import Place, Told
from .telling import hushed

if TYPE_CHECKING:
    from ..runtime.replay_sweep import Fold, Job, Row

BEST_SHOWN = 10


def swept(
    job: Job, axes: dict[str, list[str]], by: str, workers: int, place: Place, *, as_json: bool
) -> int:
    from dataclasses import replace

    from ..feeds import RecordingFeed
    from ..runtime.replay_report import write_sweep
    from ..runtime.replay_sweep import in_order, points, sweep

    config, span = job.config, (job.start_ts, job.end_ts)
    RecordingFeed(job.files, config.symbols, start_ts=span[0], end_ts=span[1])  # said once
    todo = [replace(job, point=point) for point in points(axes)]
    rows: list[Row] = []
    with counting(len(todo), is_quiet=as_json) as advance, hushed():
        for row in sweep(todo, workers):
            rows.append(row)
            advance()
    rows = sorted(in_order(rows, axes), key=lambda row: -row.figure(by))
    place.have(lambda path: write_sweep(path, job, axes, rows, by))
    report = str(place.report) if place.report else None
    if as_json:
        print_json({"points": [_row(row, by) for row in rows], "by": by, "report": report})
    else:
        title = "The best points" if _code_of(rows) is ExitCode.OK else "EVERY POINT FAILED"
        _print_rows(title, rows[:BEST_SHOWN], by)
        print(f"\n{len(rows)} replays, {sum(bool(row.fault) for row in rows)} failed")
        if report:
            print(f"Report: {report}")
    return _code_of(rows)


def _code_of(rows: list[Row]) -> ExitCode:
    """Tell whether anything can be chosen by what was found."""
    return ExitCode.SESSION_ERROR if all(row.fault for row in rows) else ExitCode.OK


def walked(
    job: Job,
    axes: dict[str, list[str]],
    by: str,
    workers: int,
    count: int,
    place: Place,
    *,
    as_json: bool,
) -> int:
    import math

    from ..feeds import RecordingFeed
    from ..runtime.replay_report import write_walk
    from ..runtime.replay_sweep import end_of, spans, walk_forward

    symbols = job.config.symbols
    start = RecordingFeed(job.files, symbols, start_ts=job.start_ts).start_ts
    end = end_of(job.files, symbols)
    cuts = spans(start, min(end, job.end_ts or end), count)
    size = len(cuts) * (math.prod(len(values) for values in axes.values()) + 1)
    with counting(size, is_quiet=as_json) as advance, hushed():
        folds = walk_forward(job, axes, cuts, by=by, workers=workers, on_row=lambda _: advance())
    place.have(lambda path: write_walk(path, job, folds, by))
    report = str(place.report) if place.report else None
    if as_json:
        told = [_fold(fold, by) for fold in folds]
        print_json({"folds": told, "by": by, "report": report})
    else:
        _print_rows("Out of sample", [fold.tested for fold in folds], by)
        if report:
            print(f"\nReport: {report}")
    return _code_of([fold.tested for fold in folds])


def _fold(fold: Fold, by: str) -> Told:
    from ..runtime.control_wire import builtins
    from ..runtime.views import when

    span: Told = builtins(
        {
            "train_from": when(fold.trained.job.start_ts),
            "test_from": when(fold.tested.job.start_ts),
            "test_to": when(fold.tested.job.end_ts or 0),
        }
    )
    return {**span, "trained": _row(fold.trained, by), "tested": _row(fold.tested, by)}


def _row(row: Row, by: str) -> Told:
    from ..runtime.control_wire import builtins
    from .ending import figures_of

    value = row.figure(by)
    found: Told = builtins(
        {"point": dict(row.job.point), "value": value, "error": row.fault or None}
        | figures_of(row.figures)
    )
    return found


def _print_rows(title: str, rows: list[Row], by: str) -> None:
    names = [name for name, _ in rows[0].job.point] if rows else []
    figures = (by, "Realized", "Trades", "Won", "Drawdown")
    columns = [f"{name}>" for name in (*names, *figures)]
    print_table(
        title,
        [*columns, "Fault"],
        [
            [
                *(value for _, value in row.job.point),
                *(_figures_told(row, by) if not row.fault else [""] * len(figures)),
                row.fault,
            ]
            for row in rows
        ],
    )


def _figures_told(row: Row, by: str) -> list[str]:
    from ..runtime.replay_sweep import written

    found = row.figures
    return [
        written(row.figure(by), by),
        f"{found.total_pnl:+z,.2f}",
        f"{found.total_trades}",
        f"{found.win_rate:.1%}" if found.total_trades else "n/a",
        f"{found.max_drawdown:.2%}",
    ]


@contextmanager
def counting(total: int, *, is_quiet: bool) -> Iterator[Callable[[], None]]:
    """Show how many replays are done, on a terminal."""
    if is_quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replays", total=total)
        yield lambda: bar.advance(task)
