"""One bout: lives that are ended, troubles meanwhile, and calms in which the books are compared."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

import aiohttp

from ..model.errors import TradingError
from .calm import Calm
from .faults import (
    KILL_EXCHANGE,
    KILL_SESSION,
    LATENCIES_S,
    POWER_CUT,
    TROUBLES,
    Life,
    draw_life,
    with_owed,
)
from .launcher import Process
from .spec import CALM_EVERY, Spec, Verdict
from .stage import Stage
from .story import story_of
from .troubles import bring

TRADING_S = 8.0
"""How long a life may take, in the storm, until it trades; then it is ended as it is."""

EXCHANGE_AWAY_S = (0.0, 1.5)
KILLS_TRIED = 4
"""Lives for each kill that is wanted: some end by themselves before they are killed."""

LOOK_S = 0.02
WRITE_S = 2.0
WRITE_LOOK_S = 0.0005

REASON_LENGTH = 70
_PLACE = re.compile(r"(JournalError: )?journal \S+: ")

NAMED_ENDS = {4: "the exchange", 5: "the journal", 7: "the session"}
"""Exit codes that a trouble may lead to, and whose fault each names."""


async def play(spec: Spec) -> Verdict:
    """Play one bout and judge it. What fails is kept in a folder; the rest leaves nothing."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"seed-{spec.seed}-", dir=spec.folder))
    stage = Stage(spec, folder)
    bout = Bout(stage)
    try:
        await stage.open()
        await bout.run()
    except Exception:  # noqa: BLE001 - the harness's own faults are a failure to be seen
        bout.calm.say(f"harness: {traceback.format_exc()}")
    finally:
        verdict = await bout.verdict()
        verdict.told = stage.told
        await stage.close()
        if not verdict.folder:
            shutil.rmtree(folder, ignore_errors=True)
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict


class Bout:
    """Plays on a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lots = Random(f"{stage.spec.seed}/bout")
        self._kinds = [k for k in stage.spec.kinds if k not in self._unavailable()]
        stage.proxy.latency_s = self._lots.choice(LATENCIES_S)
        self._troubles: list[asyncio.Task[None]] = []
        self._exits: Counter[str] = Counter()
        self._spawned: dict[int, tuple[int, bool]] = {}  # pid -> started at, was in a calm
        self._lives = 0
        self.calm = Calm(stage, self._start)

    async def run(self) -> None:
        """End lives until there were as many kills as are wanted."""
        spec = self._stage.spec
        kills = 0
        for _ in range(spec.kills * KILLS_TRIED):
            if kills >= spec.kills or self.calm.violations:
                break
            killed = await self._live(self._next_life(kills))
            kills += killed
            if killed and (kills % CALM_EVERY == 0 or kills == spec.kills):
                await self._rest()

    def _next_life(self, kills: int) -> Life:
        """Draw a life; in a bout's second half with what has not struck in it yet."""
        spec, stage = self._stage.spec, self._stage
        life = draw_life(self._lots, self._kinds)
        owed = [k for k in TROUBLES if k in self._kinds and not stage.fired[k]]
        if not owed or 2 * kills < spec.kills:
            return life
        return with_owed(life, self._lots, self._lots.choice(owed))

    async def _start(self, *, is_calm: bool) -> Process:
        process = await self._stage.start_session()
        self._spawned[process.pid] = (process.began, is_calm)
        self._lives += 1
        return process

    async def _live(self, life: Life) -> bool:
        """Play one life; tell whether it ended by the kill that was meant for it."""
        stage = self._stage
        await stage.start_exchange()
        session = stage.session
        if session is None or not session.is_alive:
            session = await self._start(is_calm=False)
        self._troubles += [asyncio.create_task(bring(stage, each)) for each in life.troubles]
        if not life.is_early:
            await self._trading(session)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(life.end_s):
                await session.ended.wait()
        if not session.is_alive:
            self._note_end(session)
            await self._over()
            return False
        if life.after_write:
            await self._written(session)
        return await self._kill(life.kill, session)

    async def _written(self, session: Process) -> None:
        """Wait until facts are committed, for a while: what they tell of has only just left us."""
        before = self._stage.database.committed()
        deadline = time.monotonic() + WRITE_S
        while session.is_alive and time.monotonic() < deadline:
            await asyncio.sleep(WRITE_LOOK_S)
            if self._stage.database.committed() != before:
                return

    async def _trading(self, session: Process) -> None:
        deadline = time.monotonic() + TRADING_S
        while session.is_alive and not self._stage.is_running() and time.monotonic() < deadline:  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(LOOK_S)

    async def _kill(self, kind: str, session: Process) -> bool:
        stage = self._stage
        is_exchange = kind == KILL_EXCHANGE
        victim = stage.exchange if is_exchange else session
        assert victim is not None
        if is_exchange:
            await stage.count_faults()
        is_cut = kind == POWER_CUT and stage.is_running()
        if not await victim.kill():
            return False
        lost = stage.cut_power(victim.pid, self._lots) if is_cut else 0
        stage.fired[kind if is_cut or kind != POWER_CUT else KILL_SESSION] += 1
        stage.tell(f"{kind}: {victim.pid}" + (f", {lost} bytes are lost" if is_cut else ""))
        if is_exchange:
            await asyncio.sleep(self._lots.uniform(*EXCHANGE_AWAY_S))
            await stage.start_exchange()
        return True

    def _note_end(self, session: Process) -> None:
        """A process that ended by itself must say why."""
        reason = reason_of(session)
        self._stage.tell(f"session {session.pid} ended by itself: {session.code}, {reason}")
        who = NAMED_ENDS.get(session.code or 0)
        if who is None or not reason:
            text = reason or session.last_words()
            self.calm.say(f"exit: the session ended with code {session.code}: {text}")
            return
        self._exits[f"{who}: {_PLACE.sub('', reason)[:REASON_LENGTH]}"] += 1

    async def _over(self) -> None:
        """Wait until no trouble is left."""
        troubles, self._troubles = self._troubles, []
        for result in await asyncio.gather(*troubles, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _rest(self) -> None:
        await self._over()
        session = self._stage.session
        if session is not None and not session.is_alive and session.code != -signal.SIGKILL:
            self._note_end(session)
        await self.calm.hold()

    async def verdict(self) -> Verdict:
        """Sum up, and keep everything where something was wrong."""
        stage, calm = self._stage, self.calm
        for task in self._troubles:
            task.cancel()
        await asyncio.gather(*self._troubles, return_exceptions=True)
        with contextlib.suppress(OSError, TradingError):
            await stage.read_journal()
        orders = fills = 0
        with contextlib.suppress(OSError, TimeoutError, aiohttp.ClientError):
            truth = await stage.truth()
            orders, fills = len(truth.orders) + len(truth.algos), len(truth.trades)
        await stage.count_faults()
        calms, storms = self._recoveries()
        verdict = Verdict(
            seed=stage.spec.seed,
            kills=stage.spec.kills,
            fired=dict(stage.fired),
            exchange_fired=dict(stage.exchange_fired),
            exits=dict(self._exits),
            unavailable=self._unavailable(),
            full_disk=stage.disk.how,
            calms=calm.count,
            lives=self._lives,
            orders=orders,
            fills=fills,
            facts=len(stage.ledger.facts),
            recoveries=calms,
            recoveries_in_storm=storms,
            rests=calm.rests,
            violations=calm.violations,
        )
        if calm.violations:
            verdict.story = story_of(stage, calm.violations[0], calm.last_truth)
        if calm.violations or stage.spec.keeps:
            verdict.folder = str(stage.folder)
            stage.is_kept = True
            self._keep(verdict)
        return verdict

    def _unavailable(self) -> tuple[str, ...]:
        clock = () if self._stage.clock is not None else ("session_clock",)
        return (*clock, *self._stage.database.unavailable)

    def _recoveries(self) -> tuple[list[float], list[float]]:
        """Return how long each life took from its start to RUNNING: in calms, and in storms."""
        calms: list[float] = []
        storms: list[float] = []
        ledger = self._stage.ledger
        with contextlib.suppress(TradingError):
            for epoch, pid in ledger.owners().items():
                if epoch in ledger.running_ts and pid in self._spawned:
                    began, is_calm = self._spawned[pid]
                    took_s = round((ledger.running_ts[epoch] - began) / 1e9, 3)
                    (calms if is_calm else storms).append(max(took_s, 0.0))
        return calms, storms

    def _keep(self, verdict: Verdict) -> None:
        stage = self._stage
        stage.disk.keep(stage.folder / "kept")
        lines = [*verdict.violations, "", *verdict.story, "", "All that happened:", *stage.told]
        (stage.folder / "story.txt").write_text("\n".join(lines) + "\n")


def reason_of(session: Process) -> str:
    """Return what a session's own document says of its end."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        said = json.loads(session.out.read_text().strip().splitlines()[-1])
        return str(said.get("error") or said.get("reason") or "")
    return ""
