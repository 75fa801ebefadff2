"""What surrounds the product: machine, network, exchange, market, operator; and the product."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Protocol

import msgspec

from ..exchange import Output
from ..model import messages as msg
from ..model.errors import TradingError
from ..model.events import Event
from ..model.instrument import Instrument
from ..model.market import MarketData
from ..model.values import Symbol
from ..runtime.live import LiveSession
from ..runtime.lives import Lives
from ..venues.binance_futures.streams import LIFETIME_S
from .absence import Absence
from .accounts import Accounts, names_of
from .against import adversaries_of
from .bourse import open_bourse
from .deeds import Deeds
from .disk import Disk, Killing
from .faults import ALONE, Fault, draw_plan, kind_of
from .full_hours import start_ns
from .hearing import Hearing
from .judges import Judges
from .live_feed import has_live_feed
from .loop import SimLoop
from .market import SYMBOLS, Market, SimFeed, symbols_of
from .meddler import Meddler, has_meddler
from .network import Road
from .operator import Operator
from .oracles import Oracles
from .process import Process
from .product import make_life
from .rest import is_still
from .setup import Setup
from .spec import BOLDNESS, Spec
from .stale import StaleReads
from .timing import REPAIR_S_MAX, Timing
from .withdrawals import Withdrawals

SETTLE_S_MAX = 240
"""How long a world may take to come to rest once nothing goes wrong any more."""

STILL_S = 15
"""How long nothing must be under way before the world counts as at rest."""

RESTART_S, MAX_LOG = (0.3, 3.0), 20_000


class Strike(Protocol):
    """How faults of the plan begin: see `events`."""

    def __call__(self, world: World, fault: Fault, *, is_left_out: bool) -> None: ...


class World:
    """Everything that surrounds the product, and the product in it."""

    is_calm = is_over = False
    skew_ns = 0
    stream_lifetime_s = LIFETIME_S  # of an account's stream

    def __init__(self, spec: Spec, strike: Strike) -> None:
        self.strike, self.spec = strike, spec
        self.seed, self.start_ns = str(spec.seed), start_ns(spec)
        self.loop = SimLoop(self.seed)  # type: ignore[abstract]  # what is missing is not used
        self.lots = random.Random(f"{self.seed}/world")
        self.fired: Counter[str] = Counter()
        self.withdrawals = Withdrawals()
        self.counts: Counter[str] = Counter()
        self.facts: Counter[str] = Counter()
        self.deeds = Deeds()
        self.lines: list[str] = []
        self.process: Process | None = None
        self.processes: list[Process] = []
        self.lives: Lives | None = None
        self.live: LiveSession | None = None
        self.has_strangers = self.lots.random() < 0.3
        durability = self.lots.choice(("process", "process", "power"))
        symbols = symbols_of(self.seed) if spec.has_others else SYMBOLS
        self.market = Market(self.seed, symbols, self.venue_now)
        names, bold = names_of(spec), self.lots.randrange(len(BOLDNESS))
        self.setup = Setup(durability, bold, symbols, are_two=len(names) > 1)
        self.disk, self.plan = self._new_disk(), self._draw_plan()
        self.starting_kill: Fault | None = None
        self.wake, self.feeds = asyncio.Event(), list[tuple[SimFeed, Process]]()
        self.bourse = open_bourse(self.seed, symbols, names, self.venue_now)
        self.accounts = Accounts(self.seed, self.bourse, names)
        self.stale = StaleReads(self.bourse.venue, self._count_stale)
        self.road = Road(self.bourse, self.seed, self.loop.time)
        self.oracles, self.judges = Oracles(self), Judges(self)
        self.hearing = Hearing(self, is_wild=not spec.strategy) if self.has_live_feed else None
        self.timing = Timing(self.loop.time, self._repaired)
        self.bourse.dropped = self.timing.on_dropped
        self._operator, self.meddler, self.absence = Operator(self), Meddler(self), Absence(self)
        self.ends_s = spec.storm_s
        self.against = adversaries_of(self)
        self._kills = list(spec.kills)
        self._arm_kill()
        self.bourse.on_outputs(self._hear_venue)
        self.market.shows += [self.bourse.show, self._show_feeds]

    def _new_disk(self) -> Disk:
        return Disk(
            lots=random.Random(f"{self.seed}/disk"),
            now=self.loop.time,
            on_kill=self._killed,
            on_undurable=self._undurable,
        )

    def _draw_plan(self) -> tuple[Fault, ...]:
        spec = self.spec
        if not spec.has_plan:
            return ()
        return draw_plan(self.seed, spec.storm_s, spec.kinds, has_live_feed=self.has_live_feed)

    @property
    def has_live_feed(self) -> bool:
        """Tell whether the market comes over the exchange's streams."""
        return has_live_feed(self.seed)

    # Time

    def venue_now(self) -> int:
        return self.start_ns + self.loop.now_ns

    def machine_now(self) -> int:
        return self.venue_now() + self.skew_ns

    # Telling

    def log(self, text: str) -> None:
        if self.spec.keeps_log and len(self.lines) < MAX_LOG:
            self.lines.append(f"{self.loop.time():9.3f}  {text}")

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def _killed(self, phase: str) -> None:
        self.fire(f"kill_{phase}")
        self._arm_kill()

    def _undurable(self, text: str) -> None:
        if not self.disk.fails_to_sync:
            self.oracles.say("durable", text)

    def fire(self, kind: str) -> None:
        self.fired[kind] += 1
        self.log(f"fault: {kind}")

    def _count_stale(self) -> None:
        self.fired["stale_reads"] += 1

    def notify(self, level: str, text: str) -> None:
        """Hear what the product tells a person."""
        self.count(f"notice: {level}")
        self.log(f"{level}: {text}")

    # The venue's side

    def _hear_venue(self, outputs: Sequence[Output], now: int) -> None:
        self.oracles.hear_venue(outputs, now)
        self.judges.hear_venue(outputs, now)
        self.timing.hear_venue(outputs)

    def instrument(self, symbol: Symbol) -> Instrument:
        return next(i for i in self.bourse.exchange.instruments() if i.symbol == symbol)

    def _show_feeds(self, message: MarketData) -> None:
        if self.bourse.is_down:
            return
        for feed, process in self.feeds:
            if not process.is_dead:
                self.loop.call_later(0.004, feed.put, message, context=process.context)

    # The machine

    async def _supervise(self) -> None:
        """Start the product, and start it again whenever it has ended."""
        while not self.is_over:
            self.wake.clear()
            for each in self.against:
                each.between() if self.processes else each.begin()
            process = Process(self.loop, len(self.processes) + 1, self._ended)
            self.process = process
            self.processes.append(process)
            self.feeds = [each for each in self.feeds if not each[1].is_dead]
            if self.starting_kill is not None:
                fault, self.starting_kill = self.starting_kill, None
                self.disk.killing = Killing(fault.count, fault.word)
                self.fire("kill_starting")
            self.log(f"process {process.number} starts")
            self.timing.on_start()
            process.start(self._live(process))
            await self.wake.wait()
            self.log(f"process {process.number} ended: {process.reason or 'by itself'}")
            self.count("processes")
            if process is self.process:
                self.live = self.lives = None
            if not process.is_frozen:  # else somebody has taken over already
                await asyncio.sleep(round(self.lots.uniform(*RESTART_S), 3))
                await self.absence.pass_time()

    def _ended(self, process: Process) -> None:
        if process is self.process:
            self.wake.set()

    async def _live(self, process: Process) -> None:
        """The product's main: lives of a session, one after the other."""
        lives = Lives(lambda: self._make(process), self.setup.config, self)
        await lives.start()
        if process is self.process:
            self.lives = lives
        await lives.wait()

    async def _make(self, process: Process) -> LiveSession:
        live = await make_life(self, process)
        if process is self.process:
            self.live = live
        return live

    def _repaired(self, what: str, seconds: float) -> None:
        """Judge how fast a dropped frame was made up for, where nothing else goes wrong."""
        if seconds > REPAIR_S_MAX and self.spec.kinds == ALONE:
            self.oracles.say(
                "repair", f"{what} was dropped, and in the books {seconds:.1f} s later"
            )

    def hear_facts(self, facts: Sequence[Event]) -> None:
        self.timing.hear_facts(facts)
        self.deeds.hear_facts(facts)
        self.facts.update(type(fact).__name__ for fact in facts)
        if self.spec.keeps_log:
            for fact in facts:
                self.log(f"  {type(fact).__name__} {_short(fact)}")

    # What goes wrong

    async def _storm(self) -> None:
        for fault in self.plan:
            await asyncio.sleep(max(0.0, fault.at_s - self.loop.time()))
            if fault.number not in self.spec.without:
                self.log(f"plan: {fault}")
            self.strike(self, fault, is_left_out=fault.number in self.spec.without)
        await asyncio.sleep(max(0.0, self.ends_s - self.loop.time()))

    def _arm_kill(self) -> None:
        """Die at the next of the writes that were asked for, counted from the last death on."""
        if self._kills:
            self.disk.killing = Killing(*self._kills.pop(0))

    def rush(self, seconds: float) -> None:
        """Let the operator lose patience for a while."""
        self._operator.hurries_until = self.loop.time() + seconds

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        self.loop.call_later(seconds, do, context=Context())

    def ask(self, message: msg.Message) -> None:
        """Say something to the session as its operator would."""
        process, live = self.process, self.live
        if process is None or process.is_dead or process.is_frozen or live is None:
            return

        def say() -> None:
            with contextlib.suppress(TradingError):
                live.shell.ask(message)

        self.loop.call_soon(say, context=process.context)

    def stop_session(self, *, flatten: bool) -> None:
        process, lives = self.process, self.lives
        if process is None or process.is_dead or lives is None:
            return

        async def stop() -> None:
            with contextlib.suppress(TradingError):
                await lives.stop("operator", flatten=flatten)

        self.loop.create_task(stop(), context=process.context)

    def _gather_fired(self) -> None:
        for row in self.bourse.venue.faults.account_for():
            if row["fired"]:
                self.fired[kind_of(row)] += int(str(row["fired"]))
        for each in self.against:
            each.count()
        self.fired.update(self.road.fired)
        self.road.fired.clear()
        if self.disk.found:
            self.fired["torn_tail_found"] += self.disk.found

    # One run

    async def run(self) -> None:
        """Live through the storm, then come to rest and be judged."""
        for symbol in self.market.symbols:
            self.market.step(symbol, 0.0)
        create = self.loop.create_task
        tasks = [
            create(self.market.run()),
            create(self._pulse()),
            create(self._supervise()),
        ]
        people = [create(self._operator.run()), *(create(each.run()) for each in self.against)]
        if self.spec.has_others:
            tasks.append(create(self.absence.run()))
            if has_meddler(self.seed):
                people.append(create(self.meddler.run()))
        await self._storm()
        for task in people:
            task.cancel()
        self._gather_fired()
        self._calm_down()
        await self._settle()
        self.is_over = True
        for task in tasks + people:
            task.cancel()

    async def _pulse(self) -> None:
        seconds = 0
        while True:
            await asyncio.sleep(1.0)
            seconds += 1
            self.bourse.pulse()
            if self.spec.strategy:  # whose bars may be long ones, which a second's silence breaks
                self.market.mark_all()
            self.judges.look()
            if seconds % 5 == 0:
                self.oracles.look()
                if self.hearing is not None:
                    self.hearing.look()

    def _calm_down(self) -> None:
        self.log("the storm is over")
        self.is_calm = self.market.is_calm = True
        for each in self.against:
            each.calm_down()
        if self.hearing is not None:
            self.hearing.calm_down()
        self.bourse.venue.faults.clear()
        self.bourse.come_back()
        self.stale.end()
        road, disk = self.road, self.disk
        road.refuses_until = road.swallows_until = 0.0
        road.strange.frames_until = road.strange.answers_until = 0.0
        road.strange.replays = 0
        road.cuts_before = road.cuts_after = road.cuts_early = 0
        disk.is_full = disk.fails_to_sync = False
        disk.killing = self.starting_kill = None
        disk.on_write = lambda: None
        self.skew_ns = 0
        for process in self.processes:
            if process.is_frozen and not process.is_dead:
                process.thaw()

    async def _settle(self) -> None:
        still = 0
        for second in range(math.ceil(SETTLE_S_MAX + self.absence.settle_s) + 1):
            await asyncio.sleep(1.0)
            if second % 20 == 5:
                self.ask(msg.ReleaseKillSwitch(operator="somebody"))
                self.ask(msg.ResumeSession(reason="the storm is over"))
            if self.oracles.violations:
                return
            still = still + 1 if await is_still(self.oracles) else 0
            if still >= STILL_S:
                self.counts["seconds to rest"] += second
                break
        self.oracles.judge_rest()

    def bury(self) -> None:
        """Let go of everything."""
        self.is_over = True
        for each in self.against:
            each.lift()
        self.loop.forget()
        for process in self.processes:
            process.die("the run is over")
            process.bury()


def _short(fact: object) -> str:
    fields = msgspec.to_builtins(fact)
    fields.pop("type", None)
    return " ".join(f"{k}={v}" for k, v in fields.items() if k not in ("ts", "verdicts"))[:300]
