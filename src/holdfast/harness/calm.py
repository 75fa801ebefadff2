"""A calm: all troubles are over, the session must come back, trade, and agree with the exchange."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any, Protocol

import aiohttp

from ..engine.state import State
from ..journal import open_journal
from ..journal.inspect import verify
from ..model.errors import TradingError
from ..model.values import TradingSessionStatus
from ..runtime.recovery import StateRecoveryService
from .launcher import Process
from .oracles import Truth, differences, wrongs
from .stage import Stage

RECOVERY_S_MAX = 30.0
"""How long a start may take until RUNNING where nothing is wrong any more."""

TRADE_S_MAX = 30.0
"""How long it may take then until an order reaches the exchange."""

LOSSY_S = 1.5
"""How long it trades on a stream that loses frames and nothing else: nobody reconnects for them."""

LOOK_S = 0.1
VIOLATIONS_MAX = 20

_UNANSWERED = (OSError, TimeoutError, aiohttp.ClientError, TradingError)
_RUNNING = TradingSessionStatus.RUNNING.value
BROKEN = "JournalError: journal"
"""What a session says that ends since its journal was locked, or its disk full, in the storm."""

HELD_UP = "the account's stream did not open in"
HELD_UP_S = 15.0
"""What a start says that the storm has held up for as long as it waits, and how long that is."""


class Start(Protocol):
    """Starts the session's process."""

    def __call__(self, *, is_calm: bool) -> Awaitable[Process]: ...


class Calm:
    """Judges a stage. `violations` are sentences that begin with the oracle's name."""

    def __init__(self, stage: Stage, start: Start) -> None:
        self.violations: list[str] = []
        self.rests: list[float] = []
        self.count = 0
        self.last_truth: Truth | None = None
        self._stage = stage
        self._start = start

    def say(self, text: str) -> None:
        """Note a violation."""
        if text not in self.violations and len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(text)
            self._stage.tell(f"VIOLATION {text}")

    async def hold(self) -> None:
        """Let there be a calm, judge, and let the storm go on."""
        stage = self._stage
        stage.tell("calm")
        self.count += 1
        if stage.clock is not None:
            stage.clock.set(0)
        await stage.start_exchange()
        await stage.lift_faults()
        if await self._is_back() and await self._trades():
            await stage.lose_frames()
            await asyncio.sleep(LOSSY_S)
            # No pause: it would take entries back, and what closes goes on closing meanwhile.
            stage.keep_quiet(is_on=True)
            await stage.lift_faults()
            await self._compare()
            await self._check_journal()
            stage.keep_quiet(is_on=False)
            if not self.violations:
                await stage.give_faults()
        stage.tell("the storm goes on")

    async def _is_back(self) -> bool:
        """Start the session where it is not there, and wait until it runs."""
        stage = self._stage
        session = stage.session
        is_left_over = session is not None and session.is_alive
        if session is None or not session.is_alive:
            session = await self._start(is_calm=True)
        document: dict[str, Any] = {}
        began = time.monotonic()

        async def runs() -> bool:
            nonlocal document
            if not stage.is_running():
                return False
            try:
                document = (await stage.ask_session("GET", "status"))["session"]
            except _UNANSWERED:
                return False
            return bool(document["status"] == _RUNNING)

        if await _soon(runs, RECOVERY_S_MAX, lambda: session.is_alive):
            return True
        words = session.last_words()
        if is_left_over and not session.is_alive and _is_of_storm(words, time.monotonic() - began):
            stage.tell("what the storm had done has ended the session")
            return await self._is_back()
        if not session.is_alive:
            self.say(f"recovery: the session ended with code {session.code} in a calm: {words}")
        else:
            told = f"{document.get('status')} ({document.get('reason')})" if document else "silent"
            self.say(f"recovery: not RUNNING after {RECOVERY_S_MAX:g} s of calm but {told}")
        return False

    async def _trades(self) -> bool:
        """Hold that it goes on trading: an order of its own reaches the exchange."""
        stage = self._stage
        before = len((await stage.truth()).names())

        async def grows() -> bool:
            return len((await stage.truth()).names()) > before

        if await _soon(grows, TRADE_S_MAX, lambda: True):
            return True
        status = await stage.ask_session("GET", "status")
        session = status["session"]
        text = f"{session['status']} ({session['reason']})"
        self.say(f"trades: no order in {TRADE_S_MAX:g} s of calm, and the session says {text}")
        return False

    async def _compare(self) -> None:
        """Wait until the books are the same; say what never must be, and what stays different."""
        stage = self._stage
        began = time.monotonic()
        found: list[str] = []

        async def agree() -> bool:
            nonlocal found
            truth = await stage.truth()
            await stage.read_journal()
            self.last_truth = truth
            found = differences(stage.ledger, truth)
            return not found

        has_agreed = await _soon(agree, stage.spec.rest_s, lambda: True)
        if has_agreed:
            self.rests.append(round(time.monotonic() - began, 2))
        for text in [] if has_agreed else found:
            self.say(text)
        assert self.last_truth is not None
        for text in wrongs(stage.ledger, self.last_truth):
            self.say(text)
        status = (await stage.ask_session("GET", "status"))["session"]
        if status["status"] != _RUNNING:
            self.say(f"status: the session is {status['status']}: {status['reason']}")

    async def _check_journal(self) -> None:
        """Hold the chain of hashes, and that snapshot and tail fold to the same as all facts."""
        stage = self._stage
        report = await asyncio.to_thread(verify, stage.ledger.url)
        if not report.is_ok:
            self.say(f"journal: fact {report.broken_at}: {report.problem}")
        problem = await asyncio.to_thread(_fold_problem, stage)
        if problem:
            self.say(f"fold: {problem}")


def _fold_problem(stage: Stage) -> str:
    """Hold what a start would recover (snapshot and tail) against the fold of all facts."""
    journal = open_journal(stage.ledger.url, read_only=True)
    try:
        recovery = StateRecoveryService(journal)
        if problem := recovery.check():
            return problem
        recovered = recovery.recover()
        sequence = recovered.from_snapshot + recovered.facts_folded
        state = State()
        for fact in islice(journal.replay(), sequence):
            state.apply(fact)
        if state != recovered.engine.state:
            return f"snapshot {recovered.from_snapshot} and tail are not the fold of {sequence}"
    finally:
        journal.close()
    return ""


async def _soon(
    is_so: Callable[[], Awaitable[bool]], patience_s: float, may_wait: Callable[[], bool]
) -> bool:
    """Look until it is so, or for so long."""
    deadline = time.monotonic() + patience_s
    while True:
        if await is_so():
            return True
        if time.monotonic() > deadline or not may_wait():
            return False
        await asyncio.sleep(LOOK_S)


def _is_of_storm(words: str, calm_s: float) -> bool:
    """Tell whether last words, said so long into a calm, are of what the storm had done."""
    return BROKEN in words or (HELD_UP in words and calm_s < HELD_UP_S)
