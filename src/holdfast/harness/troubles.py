"""How each trouble is brought about, and undone. Each says whether it struck anything."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import aiohttp

from . import scene
from .faults import Trouble
from .stage import GLANCE_S, Stage

LOOK_S = 0.02


async def _freeze(stage: Stage, trouble: Trouble) -> bool:
    process = stage.session if trouble.kind == "freeze_session" else stage.exchange
    if process is None or not process.signal(signal.SIGSTOP):
        return False
    await asyncio.sleep(trouble.lasts_s)
    process.signal(signal.SIGCONT)
    return True


async def _cut(stage: Stage, _trouble: Trouble) -> bool:
    return stage.proxy.cut() > 0


async def _stall(stage: Stage, trouble: Trouble) -> bool:
    had = stage.proxy.swallow()
    await asyncio.sleep(trouble.lasts_s)
    stage.proxy.pass_on()
    return had > 0


async def _fill_disk(stage: Stage, trouble: Trouble) -> bool:
    """Leave no room until the session has noticed, or for its time."""
    session = stage.session
    if session is None or not session.is_alive or not stage.data_dir.exists():
        return False
    stage.disk.fill(session.pid)
    try:
        async with asyncio.timeout(trouble.lasts_s):
            await session.ended.wait()
    except TimeoutError:
        return False
    else:
        return session.code != -signal.SIGKILL
    finally:
        stage.disk.free(session.pid)


async def _lock(stage: Stage, trouble: Trouble) -> bool:
    database = stage.database
    how = "EXCLUSIVE" if trouble.size > 0 else "IMMEDIATE"
    if not database.lock(how):
        return False
    try:
        await asyncio.sleep(trouble.lasts_s)
    finally:
        database.unlock()
    return True


async def _drop_clients(stage: Stage, _trouble: Trouble) -> bool:
    return stage.database.drop_clients() > 0


async def _move_exchange_clock(stage: Stage, trouble: Trouble) -> bool:
    rule = {
        "kind": "clock_skew",
        "delay_ms": round(trouble.size * scene.CLOCK_OFF_S * 1000),
        "until_s": trouble.lasts_s,
    }
    try:
        await stage.ask_exchange("POST", "faults", {"faults": [rule]}, GLANCE_S)
    except (OSError, TimeoutError, aiohttp.ClientError):
        return False  # it is dead, or frozen
    return True


async def _move_session_clock(stage: Stage, trouble: Trouble) -> bool:
    if stage.clock is None or stage.session is None or not stage.session.is_alive:
        return False
    stage.clock.set(round(trouble.size * scene.CLOCK_OFF_S * 1e9))
    await asyncio.sleep(trouble.lasts_s)
    stage.clock.set(0)
    return True


BRING: dict[str, Callable[[Stage, Trouble], Awaitable[bool]]] = {
    "freeze_session": _freeze,
    "freeze_exchange": _freeze,
    "cut": _cut,
    "stall": _stall,
    "disk_full": _fill_disk,
    "database_locked": _lock,
    "database_cut": _drop_clients,
    "exchange_clock": _move_exchange_clock,
    "session_clock": _move_session_clock,
}


async def bring(stage: Stage, trouble: Trouble) -> None:
    """Let a trouble come when its time has come, and count it if it struck."""
    await asyncio.sleep(trouble.after_s)
    stage.tell(f"{trouble.kind} for {trouble.lasts_s:g} s ({trouble.size:+g})")
    struck = await BRING[trouble.kind](stage, trouble)
    stage.fired[trouble.kind] += struck
    stage.tell(f"{trouble.kind} is over{'' if struck else ', and struck nothing'}")
