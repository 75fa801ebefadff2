"""Start `holdfast` processes, quickly, and hear of their ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

READY_S = 120.0
START_S = 20.0
SOURCES = Path(__file__).resolve().parents[2]
SETTINGS = ("HOLDFAST_", "BINANCE_")


class Process:
    """One `holdfast`, alive or not. `code` is None while it lives; negative is a signal's."""

    def __init__(self, pid: int, name: str, out: Path, err: Path) -> None:
        self.pid = pid
        self.name = name
        self.out = out
        self.err = err
        self.code: int | None = None
        self.began = time.time_ns()
        self.ended = asyncio.Event()

    @property
    def is_alive(self) -> bool:
        return self.code is None

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; tell whether there was somebody to hear it."""
        if not self.is_alive:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False

    async def kill(self) -> bool:
        """Kill it with SIGKILL and wait until it is gone; tell whether it lived."""
        was_there = self.signal(signal.SIGKILL)
        if was_there:
            await self.ended.wait()
        return was_there

    def last_words(self, length: int = 2000) -> str:
        """Return the end of what it said on stderr."""
        with contextlib.suppress(OSError):
            return self.err.read_bytes()[-length:].decode("utf-8", "replace")
        return ""


class Launcher:
    """Forks processes off a warm interpreter.

    Args:
        folder: where outputs go.
        shim: the library that lets clocks be set; None without.
        without: the simulation's mutant to run with; "" is the product as it is.
    """

    def __init__(self, folder: Path, shim: Path | None, without: str = "") -> None:
        self._folder = folder
        self._shim = shim
        self._without = without
        self._numbers = itertools.count(1)
        self._started: dict[int, asyncio.Future[int]] = {}
        self._living: dict[int, Process] = {}
        self._ended_early: dict[int, int] = {}
        self._zygote: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start the interpreter and wait until it is warm."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
        environment = {
            **kept,
            "PYTHONPATH": str(SOURCES),
            "PYTHONUNBUFFERED": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        if self._shim is not None:
            environment["LD_PRELOAD"] = str(self._shim)
        self._zygote = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "holdfast.harness.zygote", self._without),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
        )
        async with asyncio.timeout(READY_S):
            await self._line()
        self._reader = asyncio.create_task(self._read())

    async def _line(self) -> dict[str, int]:
        assert self._zygote is not None
        assert self._zygote.stdout is not None
        line = await self._zygote.stdout.readline()
        if not line:
            raise RuntimeError("the interpreter that processes are forked from has died")
        found: dict[str, int] = json.loads(line)
        return found

    async def _read(self) -> None:
        while True:
            said = await self._line()
            if "started" in said:
                self._started.pop(said["started"]).set_result(said["pid"])
                continue
            process = self._living.pop(said["ended"], None)
            if process is None:  # told before its start was taken in
                self._ended_early[said["ended"]] = said["code"]
            else:
                process.code = said["code"]
                process.ended.set()

    async def start(
        self,
        name: str,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        clock: Path | None = None,
    ) -> Process:
        """Start `holdfast` with these words."""
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        number = next(self._numbers)
        out = self._folder / f"{number:03}-{name}.out"
        err = self._folder / f"{number:03}-{name}.err"
        order = {
            "number": number,
            "words": list(words),
            "folder": str(folder),
            "environment": dict(environment),
            "out": str(out),
            "err": str(err),
            "clock": "" if clock is None or self._shim is None else str(clock),
        }
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._started[number] = answer
        self._zygote.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(START_S):
            pid = await answer
        process = Process(pid, name, out, err)
        if pid in self._ended_early:
            process.code = self._ended_early.pop(pid)
            process.ended.set()
        else:
            self._living[pid] = process
        return process

    async def close(self) -> None:
        """Kill what lives and end the interpreter."""
        for process in list(self._living.values()):
            await process.kill()
        if self._reader is not None:
            self._reader.cancel()
        if self._zygote is not None:
            assert self._zygote.stdin is not None
            self._zygote.stdin.close()
            await self._zygote.wait()
