"""Figures that only real processes have: the kill switch, a restart, a frame that was lost.

Each is taken over many rounds with a session and an exchange of their own, over sockets, and with a
trader that wishes for nothing: what is measured is not held up by what else goes on.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ..model import events as ev
from . import scene
from .launcher import SOURCES, Process
from .spec import Spec
from .stage import Stage

PATIENCE_S = 240.0
LOOK_S = 0.01
AT_ONCE = 20
"""Orders that are placed at the same time."""

KILL_ORDERS = 200
RESTART_ORDERS = 1_000
FAR = (0.75, 0.97)
"""Where resting entries lie, as a share of the price: far enough to stay."""

PRICES = {"BTCUSDT": (50_000.0, 1, "0.003"), "ETHUSDT": (3_000.0, 2, "0.02")}
PRICES |= {"SOLUSDT": (150.0, 2, "1"), "XRPUSDT": (0.5, 4, "40")}
PRICES |= {"BNBUSDT": (600.0, 2, "0.05"), "DOGEUSDT": (0.1, 5, "200")}


class Scene:
    """One session that does nothing of itself, at an exchange that does nothing wrong."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(Spec(seed=1, folder=str(folder)), folder)
        self.number = 0

    async def open(self) -> None:
        stage = self.stage
        await stage.open()
        await stage.lift_faults()
        path = stage.folder / "holdfast.toml"
        text = path.read_text().replace(":seed=1,", ":share=0,")
        # The defaults of a session: what is measured is what users have.
        lines = [line for line in text.splitlines() if "audit_interval" not in line]
        path.write_text("\n".join(lines) + "\n")
        await stage.start_session()
        await until(stage.is_running)

    async def place(self, count: int) -> None:
        """Put so many entries into the book, spread over symbols and prices."""
        for _ in range(0, count, AT_ONCE):
            await asyncio.gather(*(self._place_one() for _ in range(AT_ONCE)))
        await self.rests(count)

    async def _place_one(self) -> None:
        self.number += 1
        symbol = scene.SYMBOLS[self.number % len(scene.SYMBOLS)]
        price, digits, quantity = PRICES[symbol]
        share = FAR[0] + (FAR[1] - FAR[0]) * ((self.number * 37) % 199) / 199
        body = {"symbol": symbol, "side": "BUY", "quantity": quantity, "type": "LIMIT"}
        at = f"{price * share:.{digits}f}"
        answer = await self.stage.ask_session("POST", "orders", **body, price=at)
        if "order" not in answer:
            raise RuntimeError(f"an order was not placed: {answer}")

    async def rests(self, count: int) -> None:
        """Wait until the exchange has exactly so many open orders."""

        async def are() -> bool:
            return len((await self.stage.truth()).open) == count

        await until_so(are)


async def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to pass")
        await asyncio.sleep(LOOK_S)


async def until_so(is_so: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to pass")
        await asyncio.sleep(LOOK_S)


async def kill_switch(scene_: Scene, rounds: int) -> list[float]:
    """Measure from the operator's word until the last of 200 cancels was carried out."""
    took = []
    for _ in range(rounds):
        await scene_.place(KILL_ORDERS)
        open_before = set((await scene_.stage.truth()).open)
        began_ms = time.time_ns() / 1e6
        await scene_.stage.ask_session("POST", "kill", reason="figures")
        await scene_.rests(0)
        rows = (await scene_.stage.truth()).orders
        ends = [row["updateTime"] for row in rows if row["clientOrderId"] in open_before]
        took.append(round((max(ends) - began_ms) / 1000, 3))
        await scene_.stage.ask_session("POST", "release", operator="figures")
    return took


async def restart(scene_: Scene, rounds: int) -> list[float]:
    """Measure from a cold start of the command to RUNNING, with 1,000 entries in the book."""
    stage = scene_.stage
    await scene_.place(RESTART_ORDERS)
    took = []
    for _ in range(rounds):
        assert stage.session is not None
        await stage.session.kill()
        stage.take_new_address()
        began = time.time_ns()
        process = _cold(stage)
        try:
            took.append(round((await _running_since(stage, process.pid) - began) / 1e9, 3))
        finally:
            process.kill()
            process.wait()
        stage.session = Process(process.pid, "cold", stage.folder / "o", stage.folder / "e")
        stage.session.code = -9
        stage.session.ended.set()
    return took


def _cold(stage: Stage) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-m", "holdfast", *scene.RUN_WORDS],
        cwd=stage.folder,
        env={**scene.ENVIRONMENT, "PYTHONPATH": str(SOURCES), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def _running_since(stage: Stage, pid: int) -> int:
    """Return when the session of a process reached RUNNING, by its own facts."""
    found = 0

    async def is_there() -> bool:
        nonlocal found
        await stage.read_journal()
        epochs = [e for e, owner in stage.ledger.owners().items() if owner == pid]
        found = stage.ledger.running_ts.get(epochs[-1], 0) if epochs else 0
        return bool(found)

    await until_so(is_there)
    return found


async def lost_frame(scene_: Scene, rounds: int) -> list[float]:
    """Measure from a fill whose frames are lost until the journal has it."""
    stage, took = scene_.stage, []
    rule: dict[str, Any] = {"kind": "drop_frame", "on": "ORDER_TRADE_UPDATE"}
    rules = [rule, {"kind": "drop_frame", "on": "TRADE_LITE"}]
    for number in range(rounds):
        await stage.ask_exchange("POST", "faults", {"faults": rules})
        side = "BUY" if number % 2 == 0 else "SELL"
        body = {"symbol": "BTCUSDT", "side": side, "quantity": "0.02"}
        await asyncio.gather(stage.ask_session("POST", "orders", **body), _lift_after(stage, 0.5))
        await until_so(lambda: _has_booked(stage))
        fills = [f for f in stage.ledger.facts if isinstance(f, ev.OrderFilled)]
        took.append(round((fills[-1].ts - fills[-1].venue_ts) / 1e9, 3))
    return took


async def _lift_after(stage: Stage, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await stage.lift_faults()


async def _has_booked(stage: Stage) -> bool:
    """Tell whether the journal has every trade that the exchange has."""
    truth = await stage.truth()
    await stage.read_journal()
    return len(stage.ledger.fills) == len(truth.trades)


FIGURES: dict[str, tuple[Callable[[Scene, int], Awaitable[list[float]]], float, str]] = {
    "kill_switch": (kill_switch, 1.0, f"the last of {KILL_ORDERS} cancels was carried out after"),
    "restart": (restart, 5.0, f"from a cold start to RUNNING with {RESTART_ORDERS:,} open orders"),
    "lost_frame": (lost_frame, 15.0, "a fill whose frames were lost was booked after"),
}
"""How each is taken, the most it may be (s), and what it is."""


async def measure(name: str, rounds: int) -> list[float]:
    """Take one figure over many rounds, in a world of its own."""
    folder = Path(tempfile.mkdtemp(prefix=f"holdfast-{name}-"))
    scene_ = Scene(folder)
    try:
        await scene_.open()
        return await FIGURES[name][0](scene_, rounds)
    finally:
        await scene_.stage.close()
        shutil.rmtree(folder, ignore_errors=True)
