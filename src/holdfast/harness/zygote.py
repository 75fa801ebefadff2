"""A warm interpreter that `holdfast` commands are forked from: restarts that cost no imports.

Each child is a process and a session group of its own, and runs what `python -m holdfast` runs.
Orders come as lines of JSON on stdin, answers and ends of children go out the same way.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import runpy
import select
import signal
import sys
import traceback
from typing import Any

PRELOADED = (
    "holdfast.cli.run",
    "holdfast.cli.driving",
    "holdfast.cli.exchange",
    "holdfast.cli.ending",
    "holdfast.cli.plain_view",
    "holdfast.exchange_server.app",
    "holdfast.feeds.binance_futures",
    "holdfast.feeds.recording",
    "holdfast.feeds.synthetic",
    "holdfast.journal.sqlite",
    "holdfast.model.config",
    "holdfast.runtime.control",
    "holdfast.runtime.logs",
    "holdfast.runtime.service",
    "holdfast.runtime.tape",
    "holdfast.venues.binance_futures",
    "holdfast.venues.binance_futures.opening",
    "numpy",
    "typer",
    "uvloop",
)
REAP_S = 0.01
PR_SET_PDEATHSIG = 1
UNEXPECTED = 1


def main() -> int:
    """Serve until stdin ends; argument: the mechanism to take out of the product, if any."""
    for name in PRELOADED:
        importlib.import_module(name)
    if len(sys.argv) > 1 and sys.argv[1]:
        take_out(sys.argv[1])
    _say({"ready": os.getpid()})
    waiting = b""
    while True:
        readable, _, _ = select.select([0], [], [], REAP_S)
        _reap()
        if not readable:
            continue
        got = os.read(0, 65536)
        if not got:
            return 0
        *lines, waiting = (waiting + got).split(b"\n")
        for line in lines:
            _start(json.loads(line))


def take_out(name: str) -> None:
    """Break the product as one of the simulation's mutants does.

    Raises:
        LookupError: there is no such mutant.
    """
    mutants = importlib.import_module("holdfast.simulation.mutants")  # above this floor: by name
    found = [mutant for mutant in mutants.MUTANTS if mutant.name == name]
    if not found:
        raise LookupError(f"no mutant {name!r}")
    found[0].breaks(mutants.Patch())


def _start(order: dict[str, Any]) -> None:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        _say({"started": order["number"], "pid": pid})
        return
    try:
        _die_with(parent)
        code = _live(order)
    except BaseException:  # noqa: BLE001 - the child must end here whatever happens
        traceback.print_exc()
        code = UNEXPECTED
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _die_with(parent: int) -> None:
    """See that nothing outlives a harness that was killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it was quicker
        os._exit(UNEXPECTED)


def _live(order: dict[str, Any]) -> int:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    err = os.open(order["err"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for made, number in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(made, number)
        os.close(made)
    os.chdir(order["folder"])
    os.environ.update(order["environment"])
    if order["clock"] and ctypes.CDLL(None).holdfast_clock_follow(order["clock"].encode()):
        raise OSError(f"the clock {order['clock']} can't be followed")
    sys.argv = ["holdfast", *order["words"]]
    try:
        runpy.run_module("holdfast", run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else UNEXPECTED
    return 0


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _say(document: dict[str, Any]) -> None:
    os.write(1, json.dumps(document).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
