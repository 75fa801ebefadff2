"""Many runs on many processes."""

from __future__ import annotations

import logging
import multiprocessing
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice

import msgspec

from ..runtime.workers import end_with_parent
from .mutants import MUTANTS, applied
from .run import play
from .spec import Spec, Verdict

AHEAD = 4
"""How many runs wait for each process."""


def judge(spec: Spec, mutant: str = "") -> Verdict:
    """Play a run; an error that gets out of it is a violation too."""
    found = next((each for each in MUTANTS if each.name == mutant), None)
    try:
        with applied(found):
            return play(spec)
    except Exception as error:  # noqa: BLE001 - whatever it is, this seed is to be looked at
        where = traceback.format_exc(limit=-3)
        text = f"run: {type(error).__name__}: {error}\n{where}"
        return _broken(spec, text)


def _broken(spec: Spec, text: str) -> Verdict:
    return Verdict(
        spec=spec,
        violations=(text,),
        head="",
        fired={},
        counts={},
        seconds=0.0,
        writes=0,
        lives=0,
        orders=0,
        fills=0,
        plan=(),
    )


def sweep(
    specs: Iterable[Spec], jobs: int, hear: Callable[[Verdict], bool], mutant: str = ""
) -> None:
    """Judge runs and hand each verdict on, as they come, until `hear` returns False."""
    if jobs <= 1:
        for spec in specs:
            if not hear(judge(spec, mutant)):
                return
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin) as pool:
        try:
            _feed(pool, iter(specs), jobs * AHEAD, hear, mutant)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _feed(
    pool: ProcessPoolExecutor,
    specs: Iterator[Spec],
    ahead: int,
    hear: Callable[[Verdict], bool],
    mutant: str,
) -> None:
    waiting: set[Future[Verdict]] = {
        pool.submit(judge, spec, mutant) for spec in islice(specs, ahead)
    }
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            if not hear(future.result()):
                return
        waiting |= {pool.submit(judge, spec, mutant) for spec in islice(specs, len(done))}


def _begin() -> None:
    end_with_parent()
    logging.lastResort = None


def kills_of(spec: Spec, phases: Iterable[str], step: int = 1) -> Iterator[Spec]:
    """Yield a run for every journal write of a run and every phase: killed there."""
    writes = judge(spec).writes
    for write in range(1, writes + 1, step):
        for phase in phases:
            yield msgspec.structs.replace(spec, kills=((write, phase),))


def double_kills_of(spec: Spec, phases: Iterable[str], again_max: int, step: int) -> Iterator[Spec]:
    """Yield runs that are killed at a write, and again at one of the writes of coming back."""
    for first in kills_of(spec, phases, step):
        for again in range(1, again_max + 1):
            for phase in phases:
                yield msgspec.structs.replace(first, kills=(*first.kills, (again, phase)))
