"""Many replays of one recording, each in a process of its own: sweeps and walk-forward.

Rule: a sweep is replays, nothing else. Its rows are the figures that `replay` gives for the same
parameters, and no process shares anything with another but the files that it reads.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import multiprocessing
import os
import signal
import sys
import sysconfig
import threading
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from ..feeds import RecordingFeed
from ..model.config import TradingConfig
from ..model.errors import InputError, TradingError
from ..model.values import Symbol
from ..stats import SessionStats
from .replay import Terms, replay
from .workers import end_with_parent

POINTS_MAX = 10_000
"""How many combinations of parameters a sweep may have."""

DIED = "its process died: the strategy ended it, or the machine has too little memory for --jobs"

EXPONENT_MAX = 30
"""Beyond it a number of a range is a slip, and reckoning with it may not end well."""

FOLDS_MAX = 100

_OWN = __name__.partition(".")[0]
_STANDARD = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
_INSTALLED = frozenset({"site-packages", "dist-packages"})

FIGURES: dict[str, Callable[[SessionStats], float]] = {
    "pnl": lambda stats: float(stats.total_pnl + stats.unrealized_pnl),
    "sharpe": lambda stats: stats.sharpe_ratio,
    "sortino": lambda stats: stats.sortino_ratio,
    "profit_factor": lambda stats: stats.profit_factor,
    "drawdown": lambda stats: -stats.max_drawdown,
    "win_rate": lambda stats: stats.win_rate,
}
"""What the best is found by: the larger the better."""

Point = tuple[tuple[str, str], ...]
"""Names and values of parameters, as they are written in a strategy's name."""


@dataclass(frozen=True, slots=True)
class Job:
    """One replay to be made: all that a process must be told. Times 0 and None are open ends."""

    config: TradingConfig
    strategy: str
    files: tuple[str, ...]
    terms: Terms
    point: Point = ()
    start_ts: int = 0
    end_ts: int | None = None

    @property
    def spec(self) -> str:
        """Return the strategy's name with the point's parameters."""
        given = ",".join(f"{name}={value}" for name, value in self.point)
        if not given:
            return self.strategy
        return f"{self.strategy}{',' if '=' in self.strategy else ':'}{given}"


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a job. `fault` is "" where it ran through, and no strategy was taken off."""

    job: Job
    figures: SessionStats
    fault: str = ""

    def figure(self, name: str) -> float:
        """Return one of `FIGURES`; what failed or is no number is worse than anything."""
        value = -math.inf if self.fault else FIGURES[name](self.figures)
        return -math.inf if math.isnan(value) else value


def written(value: float, by: str) -> str:
    """Write one of `FIGURES` for people."""
    return f"{value:z,.2f}" if by == "pnl" else f"{value:,.4g}"


@dataclass(frozen=True, slots=True)
class Fold:
    """One step of a walk-forward: the best of the training span, tried on the span behind it."""

    trained: Row
    tested: Row


def parse_grid(texts: Iterable[str]) -> dict[str, list[str]]:
    """Read axes such as "fast=5:50:5" (both ends included) or "kind=a,b".

    Raises:
        InputError: one is neither, or together they have too many points.
    """
    axes: dict[str, list[str]] = {}
    for text in texts:
        name, sign, values = text.partition("=")
        if not sign or not name.strip() or not values.strip():
            raise InputError(f"--grid takes NAME=FROM:TO:STEP or NAME=A,B,C, was {text!r}")
        if name.strip() in axes:
            raise InputError(f"--grid names {name.strip()} twice")
        axes[name.strip()] = _range(text, values) if ":" in values else _listed(text, values)
    size = math.prod(len(values) for values in axes.values())
    if size > POINTS_MAX:
        raise InputError(f"the grid has {size} points; at most {POINTS_MAX}")
    return axes


def _listed(text: str, values: str) -> list[str]:
    found = [value.strip() for value in values.split(",") if value.strip()]
    if not found:
        raise InputError(f"--grid takes NAME=FROM:TO:STEP or NAME=A,B,C, was {text!r}")
    for value in found:
        if found.count(value) > 1:
            raise InputError(f"--grid names {value} twice, was {text!r}")
    return found


def _range(text: str, values: str) -> list[str]:
    try:
        numbers = [Decimal(part) for part in values.split(":")]
    except InvalidOperation:
        numbers = []
    if len(numbers) != 3 or not all(number.is_finite() for number in numbers):
        raise InputError(f"--grid takes NAME=FROM:TO:STEP in numbers, was {text!r}")
    if any(abs(number.adjusted()) > EXPONENT_MAX for number in numbers):
        raise InputError(f"--grid takes FROM:TO:STEP in numbers of common size, was {text!r}")
    start, stop, step = numbers
    if not step > 0 or stop < start or (stop - start) / step >= POINTS_MAX:
        raise InputError(f"--grid must go up, in at most {POINTS_MAX} steps, was {text!r}")
    count = int((stop - start) / step) + 1
    return [f"{start + step * number:f}" for number in range(count)]


def points(axes: dict[str, list[str]]) -> list[Point]:
    """Return every combination."""
    names = list(axes)
    return [tuple(zip(names, one, strict=True)) for one in itertools.product(*axes.values())]


def run_job(job: Job) -> Row:
    """Make one replay, its journal in memory; what can't be run says why."""
    before = frozenset(sys.modules)
    try:
        feed = RecordingFeed(
            job.files, job.config.symbols, start_ts=job.start_ts, end_ts=job.end_ts
        )
        done = asyncio.run(replay(job.config, [job.spec], feed, terms=job.terms))
    except (TradingError, OSError) as error:
        return Row(job, SessionStats(), str(error) or type(error).__name__)
    finally:
        _forget(before)
    return Row(job, done.figures, done.flaw)


def _forget(before: frozenset[str]) -> None:
    """Have the user's own modules imported anew by the next replay: what they keep is not shared.

    Packages that are installed stay, as does Holdfast.
    """
    for name, module in tuple(sys.modules.items()):
        is_new = name not in before and name.partition(".")[0] != _OWN
        if is_new and _is_users(getattr(module, "__file__", None) or ""):
            del sys.modules[name]


def _is_users(file: str) -> bool:
    is_standard = any(Path(file).is_relative_to(each) for each in _STANDARD)
    return file.endswith(".py") and not is_standard and _INSTALLED.isdisjoint(Path(file).parts)


def sweep(jobs: Sequence[Job], workers: int) -> Iterator[Row]:
    """Make replays in processes; yield each row when it is there, in no order.

    A process that dies takes all others along. Under which job it was nobody knows, but they were
    begun in order: the first that have no row are made again, each alone, and then the rest.
    """
    if workers <= 1 or len(jobs) == 1:
        yield from map(run_job, jobs)
        return
    left = list(jobs)
    while left:
        left = yield from _pooled(left, workers)
        for job in left[:workers]:
            for dead in (yield from _pooled([job], 1)):
                yield Row(dead, SessionStats(), DIED)
        left = left[workers:]


def _pooled(jobs: Sequence[Job], workers: int) -> Generator[Row, None, list[Job]]:
    """Make replays in processes; return those that have no row, as one of the processes died."""
    context = multiprocessing.get_context("spawn")
    size = min(workers, len(jobs))
    pool = ProcessPoolExecutor(size, mp_context=context, initializer=_begin)
    places: dict[Future[Row], int] = {}
    left = set(range(len(jobs)))
    others = frozenset(multiprocessing.active_children())
    try:
        with suppress(BrokenProcessPool), _interrupts_later():
            for place, job in enumerate(jobs):
                places[pool.submit(run_job, job)] = place
        for future in as_completed(places):
            with suppress(BrokenProcessPool):
                row = future.result()
                left.discard(places[future])
                yield row
    except BaseException:  # nobody waits for what is under way: it may be minutes
        for process in frozenset(multiprocessing.active_children()) - others:
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return [jobs[place] for place in sorted(left)]


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Start processes that hear of Ctrl-C once they know what to do then: see `_begin`.

    Ours hears of it when all are started: another thread may take the signal, whatever the mask,
    and a process of which half was started by then spills a traceback.
    """
    heard: list[int] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, lambda *_: heard.append(1)) if is_main else None
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if heard:
            signal.raise_signal(signal.SIGINT)


def _begin() -> None:
    """Have a process of a sweep say nothing, its strategies included, and end at Ctrl-C at once.

    Its rows say what is to be said. An interrupt ends one replay otherwise, and the next begins.
    """
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    logging.getLogger("holdfast").addHandler(logging.NullHandler())
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for its whole life


def in_order(rows: Iterable[Row], axes: dict[str, list[str]]) -> list[Row]:
    """Return rows in the grid's order: they come as they are done, and ties go by it."""
    places = {point: place for place, point in enumerate(points(axes))}
    return sorted(rows, key=lambda row: places[row.job.point])


def spans(start_ts: int, end_ts: int, folds: int) -> list[tuple[int, int, int]]:
    """Cut a time into equal parts; return where each fold trains from, tests from, and ends.

    Raises:
        InputError: there are too few or too many folds.
    """
    if not 1 <= folds <= FOLDS_MAX:
        raise InputError(f"--walk-forward takes 1 to {FOLDS_MAX} folds, was {folds}")
    part = (end_ts - start_ts) // (folds + 1)
    if part <= 0:
        raise InputError("the recording is too short to be cut into folds")
    cuts = [start_ts + part * number for number in range(folds + 1)] + [end_ts]
    return [(cuts[i], cuts[i + 1], cuts[i + 2]) for i in range(folds)]


def walk_forward(  # noqa: PLR0913 - a sweep, and how to cut it
    job: Job,
    axes: dict[str, list[str]],
    cuts: Sequence[tuple[int, int, int]],
    *,
    by: str,
    workers: int,
    on_row: Callable[[Row], None] = lambda _: None,
) -> list[Fold]:
    """Find the best parameters on each training span and try them on the span behind it.

    Spans know nothing of each other: all are trained at once, and then all that was found is tried.
    """
    trained: dict[int, list[Row]] = defaultdict(list)
    every = [(span, point) for span in cuts for point in points(axes)]
    jobs = [replace(job, point=point, start_ts=a, end_ts=b) for (a, b, _), point in every]
    for row in sweep(jobs, workers):
        on_row(row)
        trained[row.job.start_ts].append(row)
    best = {b: max(in_order(trained[a], axes), key=lambda row: row.figure(by)) for a, b, _ in cuts}
    tests = [replace(best[b].job, start_ts=b, end_ts=c) for _, b, c in cuts]
    tested: dict[int, Row] = {}
    for row in _tried(tests, best, workers):
        on_row(row)
        tested[row.job.start_ts] = row
    return [Fold(best[start], tested[start]) for _, start, _ in cuts]


def _tried(jobs: Sequence[Job], best: Mapping[int, Row], workers: int) -> Iterator[Row]:
    """Try the best of each training, by where its test begins; there is none where all failed."""
    for job in jobs:
        if fault := best[job.start_ts].fault:
            yield Row(job, SessionStats(), f"nothing was found in training: {fault}")
    yield from sweep([job for job in jobs if not best[job.start_ts].fault], workers)


def end_of(files: Sequence[str], symbols: Sequence[Symbol]) -> int:
    """Return the time behind a recording's last message; all of it is read for that."""
    last = 0
    for chunk in RecordingFeed(files, symbols).read():
        last = chunk[-1].ts
    return last + 1
