"""The two processes of a bout, the road between them, and all that is asked of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from ..model.errors import TradingError
from ..runtime.control_file import read_endpoint
from . import scene
from .clock import MachineClock, build_shim
from .database import Database, PostgresDatabase, SqliteDatabase
from .disk import Disk
from .launcher import Launcher, Process
from .ledger import Ledger
from .market import Market
from .oracles import Truth
from .proxy import Proxy
from .spec import Spec

EXCHANGE_READY_S = 30.0
ANSWER_S = 20.0
GLANCE_S = 0.5
LOOK_S = 0.02

DATABASE = "holdfast.db"


class Stage:
    """Everything that a bout plays on. `open` it, and `close` it whatever happened."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder
        self.fired: Counter[str] = Counter()
        self.exchange_fired: Counter[str] = Counter()
        self.told: list[str] = []
        self._began = time.monotonic()
        self.disk = Disk(folder / "disk")
        self.data_dir = self.disk.folder / "data"
        self.database: Database = (
            PostgresDatabase(spec.server)
            if spec.server
            else SqliteDatabase(self.data_dir / DATABASE)
        )
        self.is_kept = spec.keeps
        self.ledger = Ledger(self.database.url)
        shim = build_shim(folder)
        self.clock = MachineClock(folder / "clock") if shim else None
        self.launcher = Launcher(folder, shim, spec.without)
        self.exchange: Process | None = None
        self.session: Process | None = None
        self.proxy = Proxy(0)
        self.market = Market(spec.seed, self._show)
        self._market_runs: asyncio.Task[None] | None = None
        self._port = 0
        self._starts = 0
        self._scripts = 0
        self._http: aiohttp.ClientSession | None = None

    def tell(self, text: str) -> None:
        """Put a line into the bout's own log."""
        self.told.append(f"{time.monotonic() - self._began:9.3f}  {text}")

    async def open(self) -> None:
        """Start the warm interpreter, the exchange and the road to it."""
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S))
        await self.launcher.open()
        await self.start_exchange()
        self._market_runs = asyncio.create_task(self.market.run())
        self.proxy.target = self._port
        await self.proxy.open()
        scene.write_config(
            self.folder / "holdfast.toml",
            self.data_dir,
            self.database.url,
            self.proxy.port,
            self.spec.seed,
        )

    async def start_exchange(self) -> None:
        """Start the exchange where it is not there, on the port that it had before."""
        if self.exchange is not None and self.exchange.is_alive:
            return
        faults = self.folder / "faults.json"
        faults.write_text(json.dumps(self._rules()))
        words = scene.exchange_words(self._port, self.folder / "exchange", faults, self.spec.seed)
        process = await self.launcher.start("exchange", words, self.folder, {})
        self.exchange = process
        deadline = time.monotonic() + EXCHANGE_READY_S
        while not (said := _first_line(process.out)):
            if not process.is_alive or time.monotonic() > deadline:
                raise RuntimeError(f"the exchange did not start: {process.last_words()}")
            await asyncio.sleep(LOOK_S)
        self._port = int(said.split('"rest": "http://127.0.0.1:')[1].split('"')[0])
        await self.market.open()
        self.tell(f"exchange {process.pid} is ready")

    async def _show(self, messages: list[dict[str, object]]) -> None:
        await self.ask_exchange("POST", "market", messages, GLANCE_S)

    async def start_session(self) -> Process:
        """Start `holdfast run`, behind an address of its own."""
        self.take_new_address()
        self.session = await self.launcher.start(
            "session",
            scene.RUN_WORDS,
            self.folder,
            scene.ENVIRONMENT,
            None if self.clock is None else self.clock.path,
        )
        self.tell(f"session {self.session.pid} starts")
        return self.session

    def take_new_address(self) -> None:
        """Let the next session come from an address whose requests nobody has counted yet."""
        self._starts += 1
        self.proxy.source = f"127.0.{1 + self._starts // 250}.{1 + self._starts % 250}"

    def is_running(self) -> bool:
        """Tell whether the session that lives now has come to run."""
        if self.session is None or not self.session.is_alive:
            return False
        try:
            found = read_endpoint(self.data_dir)
            return found.is_running and found.pid == self.session.pid
        except TradingError:
            return False

    def cut_power(self, pid: int, lots: Random) -> int:
        """Lose what a session that was killed had not synced; return how many bytes."""
        lost = self.database.lose_unsynced(lots)
        self.ledger = self.ledger.after_power_cut(pid)
        return lost

    def keep_quiet(self, *, is_on: bool) -> None:
        """Have the trader wish for nothing; what it has stays as it is."""
        path = self.folder / scene.QUIET
        if is_on:
            path.touch()
        else:
            path.unlink(missing_ok=True)

    # Questions

    async def ask_exchange(
        self, verb: str, path: str, body: object = None, timeout_s: float = ANSWER_S
    ) -> dict[str, Any]:
        """Ask the exchange's back door, past the proxy.

        Raises:
            OSError, TimeoutError, aiohttp.ClientError: there was no answer.
        """
        assert self._http is not None
        url = f"http://127.0.0.1:{self._port}/admin/{path}"
        limit = aiohttp.ClientTimeout(total=timeout_s)
        async with self._http.request(verb, url, json=body, timeout=limit) as answer:
            answer.raise_for_status()
            found: dict[str, Any] = await answer.json()
            return found

    async def ask_session(self, verb: str, path: str, **body: object) -> dict[str, Any]:
        """Ask the session's control API.

        Raises:
            OSError, TimeoutError, aiohttp.ClientError, TradingError: there was no answer.
        """
        assert self._http is not None
        where = read_endpoint(self.data_dir)
        headers = {"Authorization": f"Bearer {where.token}"}
        given = body or None
        async with self._http.request(
            verb, f"{where.url}/v1/{path}", json=given, headers=headers
        ) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def truth(self) -> Truth:
        """Return the exchange's own books."""
        document = await self.ask_exchange("GET", "truth")
        return Truth(document["accounts"][scene.KEY])

    async def read_journal(self) -> int:
        """Take in the journal's new facts, without holding up the proxy."""
        return await asyncio.to_thread(self.ledger.read)

    # The exchange's own faults

    async def count_faults(self) -> None:
        """Note what the exchange has done wrong so far; its count ends with its process."""
        with contextlib.suppress(OSError, TimeoutError, aiohttp.ClientError):
            self._count(await self.ask_exchange("GET", "faults", timeout_s=GLANCE_S), "faults")

    async def lift_faults(self) -> None:
        """Have the exchange do nothing wrong from now on."""
        self._count(await self.ask_exchange("DELETE", "faults"), "were")

    async def give_faults(self) -> None:
        """Have it do wrong again."""
        await self.ask_exchange("POST", "faults", self._rules())

    async def lose_frames(self) -> None:
        """Have it leave out frames of a stream that is healthy otherwise."""
        self._scripts += 1
        rules = {"faults": [*scene.LOSSY], "seed": self.spec.seed + self._scripts}
        await self.ask_exchange("POST", "faults", rules)

    def _rules(self) -> dict[str, Any]:
        self._scripts += 1
        return scene.rules_of(self.spec.seed, self._scripts)

    def _count(self, answer: dict[str, Any], name: str) -> None:
        for row in answer[name]:
            self.exchange_fired[row["kind"]] += row["fired"]

    async def close(self) -> None:
        """End everything; what is to be kept must have been copied."""
        self.database.unlock()
        for process in (self.session, self.exchange):
            if process is not None:
                process.signal(signal.SIGCONT)
        if self._market_runs is not None:
            self._market_runs.cancel()
        with contextlib.suppress(RuntimeError):
            await self.launcher.close()
        await self.proxy.close()
        if self._http is not None:
            await self._http.close()
        self.disk.close()
        self.database.close(is_kept=self.is_kept)


def _first_line(path: Path) -> str:
    with contextlib.suppress(OSError):
        text = path.read_text()
        return text if text.endswith("\n") else ""
    return ""
