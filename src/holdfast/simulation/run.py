"""Play one run, from its seed to its verdict."""

from __future__ import annotations

import logging
import traceback

from ..journal import JOURNALS
from .bourse import ACCOUNT
from .disk import SCHEME, Disk, open_disk
from .events import strike
from .process import running
from .spec import Spec, Verdict
from .world import World


def play(spec: Spec) -> Verdict:
    """Play one run and judge it."""
    world = World(spec, strike)
    JOURNALS[SCHEME] = (
        lambda _where, durability, _owner: open_disk(_disk_of(world), durability),
        lambda _where: open_disk(world.disk, "process"),
    )
    ear = _Ear(world)
    logger = logging.getLogger("holdfast")
    was_propagating, logger.propagate = logger.propagate, False
    logger.addHandler(ear)
    try:
        world.loop.run(world.run())
        return _verdict(world)
    finally:
        world.bury()
        logger.removeHandler(ear)
        logger.propagate = was_propagating
        del JOURNALS[SCHEME]


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
        if record.name == "holdfast.exchange" and record.levelno >= logging.ERROR:
            world.oracles.say("exchange", text)


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
        seconds=world.loop.time(),
        writes=world.disk.writes,
        lives=world.disk.epoch,
        orders=len(world.oracles._seen),  # noqa: SLF001
        fills=len(exchange.trades_since(ACCOUNT)),
        plan=world.plan,
        log=tuple(world.lines),
        ticks=world.loop.steps,
    )
