"""Play one run, from its seed to its verdict."""

from __future__ import annotations

import gc
import logging
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from ..journal import JOURNALS
from ..model.errors import IllegalTransition, JournalCorrupt, TradingError
from .disk import SCHEME, Disk, open_disk
from .events import strike
from .process import running
from .spec import Spec, Verdict
from .world import World


def play(spec: Spec) -> Verdict:
    """Play one run and judge it."""
    began = time.process_time()
    with _own_garbage():
        verdict = _play(spec)
    return msgspec.structs.replace(verdict, cpu_s=round(time.process_time() - began, 4))


def _play(spec: Spec) -> Verdict:
    world = World(spec, strike)
    JOURNALS[SCHEME] = (
        lambda _where, durability, _owner, least: open_disk(_disk_of(world), durability, least),
        lambda _where: open_disk(world.disk, "process"),
    )
    ear = _Ear(world)
    logger = logging.getLogger("holdfast")
    was_propagating, logger.propagate = logger.propagate, False
    logger.addHandler(ear)
    try:
        with world.stale.installed():
            world.loop.run(world.run())
        return _verdict(world)
    finally:
        with _unheard():
            world.bury()
        logger.removeHandler(ear)
        logger.propagate = was_propagating
        del JOURNALS[SCHEME]


@contextmanager
def _own_garbage() -> Iterator[None]:
    """Look for garbage once, at the end, and among what the run has made alone."""
    was_on = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        with _unheard():
            gc.collect()
        gc.unfreeze()
        if was_on:
            gc.enable()


@contextmanager
def _unheard() -> Iterator[None]:
    """Let nobody listen: what the dead left half done complains when it goes."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook


class _Ear(logging.Handler):
    """Hears the product's log. An exchange that fails makes the run worthless, and that is said."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        world = self._world
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
        world.log(f"{record.levelname.lower()} {record.name}: {text}")
        if record.levelno < logging.ERROR:
            return
        if record.name == "holdfast.exchange":
            world.oracles.say("exchange", text)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and _is_a_bug(error):
            world.oracles.say("crash", f"{record.getMessage()}: {type(error).__name__}: {error}")


def _is_a_bug(error: BaseException) -> bool:
    """Tell whether an error is none that the world outside can be blamed for."""
    if isinstance(error, BaseExceptionGroup):
        return any(_is_a_bug(each) for each in error.exceptions)
    is_ours = isinstance(error, IllegalTransition | JournalCorrupt)
    return is_ours or not isinstance(error, TradingError | OSError)


def _disk_of(world: World) -> Disk:
    process = running()
    if process is not None:
        process.check()
    return world.disk


def _verdict(world: World) -> Verdict:
    exchange = world.bourse.exchange
    return Verdict(
        spec=world.spec,
        violations=tuple(world.oracles.violations),
        head=world.disk.rows[-1][6].hex() if world.disk.rows else "",
        fired=dict(sorted(world.fired.items())),
        counts=dict(sorted(world.counts.items())),
        spans=dict(sorted(world.timing.spans.items())),
        facts=dict(sorted(world.facts.items())),
        deeds=dict(sorted(world.deeds.counts.items())),
        seconds=world.loop.time(),
        writes=world.disk.writes,
        lives=world.disk.lives,
        orders=len(world.oracles.seen),
        fills=sum(len(exchange.trades_since(each)) for each in world.accounts.session_names),
        plan=world.plan,
        log=tuple(world.lines),
        ticks=world.loop.steps,
    )
