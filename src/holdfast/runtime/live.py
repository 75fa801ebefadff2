"""One life of a session: from a fold of the journal until it stops, fails or is killed.

Start-up is recovery, always: the journal's lock and a new epoch, the fold, the venue's books,
reconciliation, and only then RUNNING.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from ..engine.engine import Engine
from ..engine.housekeeping import can_be_left
from ..model import messages as msg
from ..model.config import TradingConfig
from ..model.config_keys import secrets_of
from ..model.events import Event
from ..model.market import MarketData
from ..model.order_wish import Wish
from ..model.signal import SignalGenerated
from ..model.values import NS_PER_S, TradingSessionStatus
from ..ports import Notifier
from .accounts import Accounts
from .ahead import ear_for
from .beat import Beat
from .clock import TICK_NS
from .commit_watch import CommitWatch
from .feeding import Feeding
from .fetching import warm_up_market
from .figures import Figures
from .missed_funding import leave_late_funding, settle_missed
from .parts import Parts, Plan
from .past import Past
from .recovery import StateRecoveryService
from .redaction import Redactor
from .rotation import Rotation
from .runner import LiveStrategyRunner
from .seats import seats_of
from .shell import Shell
from .starting import Start, telling_waits
from .strategy_view import StrategyView
from .waking import Waking

AUDIT_WHEN_FAST_NS = 600 * NS_PER_S
"""How often a session that outruns the clock compares its books, in its own time."""

STOP_PATIENCE_S = 30.0
"""How long a stop waits for the venue's answers before it leaves the rest to the next start."""

STOP_TICKS_MAX = 120
"""How many seconds of its own time a session without a wall clock waits for its end."""

_ENDING = (
    TradingSessionStatus.STOPPED,
    TradingSessionStatus.STOPPING,
    TradingSessionStatus.ERROR,
)
"""Where a session only ends: a stop asks nothing more of the engine, unless it is to flatten."""

_log = logging.getLogger("holdfast.session")


class LiveSession:
    """Runs one life. `outcome` is None while it runs and after an orderly end, else the error."""

    def __init__(
        self,
        config: TradingConfig,
        plan: Plan,
        parts: Parts,
        notifier: Notifier,
        listeners: Sequence[Callable[[Sequence[Event]], None]] = (),
    ) -> None:
        self.plan = plan
        self.accounts = Accounts(parts.venues, parts.symbols_of)
        self.venue = self.accounts.main
        self.feed = parts.feed
        self.journal = parts.journal
        self.engine: Engine = parts.recovered.engine
        self.outcome: BaseException | None = None
        self.feed_error: Exception | None = None
        self.is_closed = False
        self.halt = ""  # why the life before was in ERROR: a person has to end that, no restart
        self._config = config
        self._clock = parts.clock
        self._clean = Redactor((*secrets_of(config), *plan.secrets)).clean
        self.notifier = notifier
        venues = self.accounts.venues
        self.shell = Shell(self.engine, parts.journal, parts.clock, venues, notifier)
        self._recovery = StateRecoveryService(self.journal)
        self.figures: Figures | None = None  # kept with the state, where somebody counts
        self.rotation: Rotation | None = None  # of old facts, where they are to be archived
        self.commit_watch: CommitWatch | None = None  # of a journal that may hang
        self.runner = LiveStrategyRunner(hook_budget_ms=config.hook_budget_ms)
        self.runner.clean = self._clean  # a strategy may put anything into its errors and lines
        self.shell.listeners += [*listeners, self._tell_strategies]
        self.view = StrategyView(self.engine, self.venue.account)
        self.on_tick: Callable[[], None] | None = None
        self.needs_ticks: Callable[[], bool] = lambda: False  # even where they decide nothing
        self._left = asyncio.Event()
        self.next_tick = 0
        self.next_audit = 0
        self._saved_at = parts.recovered.from_snapshot
        self._see = self.engine.core.market.see
        self.on_turn: Callable[[], None] = lambda: None  # while a recording plays
        limits = config.risk_limits()
        market = partial(warm_up_market, self.engine, parts.feed, plan.symbols, limits)
        self._past = Past(parts.feed, parts.clock, notifier, market, self._begin_strategies)
        self._beat = Beat(self, config.save_state_interval)
        self._waking = Waking(self.engine, is_live=parts.feed.is_live)
        self.journal.on_failure = self.shell.fail
        self.accounts.tell_failures(self.shell.fail)

    # Start

    async def open(self) -> None:
        """Connect, reconcile, warm up, and reach RUNNING (or PAUSED or STOPPING, as it was left).

        Raises:
            TradingError: the venue can't be reached or declines, or its books can't be explained.
        """
        with telling_waits(self.accounts, self.notifier):
            await self._open()

    async def _open(self) -> None:
        contracts = await self.accounts.connect(ear_for(self.shell, self._clock, self.plan))
        if self.shell.has_failed:  # what was heard already could not be recorded
            raise self.shell.failed.result()
        self.engine.core.market.awaits_past = self.feed.is_live
        venues = tuple(self.accounts.venues.values())
        leave_late_funding(self.feed, venues)
        self.shell.ask(self.plan.beginning(self.journal.epoch, venues, is_live=self.feed.is_live))
        for listed in contracts:
            self.shell.hear(msg.InstrumentListed(**listed._asdict()))
        self.journal.sync()
        if self.feed.is_live:  # else its own time, which its messages tell, has not begun
            self._beat.begin()
        await Start(self.engine, self.shell, self.accounts).reached()
        if self.shell.has_failed:
            raise self.shell.failed.result()
        if self.halt:
            self.shell.ask(msg.FailSession(reason=self.halt))
        # What fails from here on ends a session that runs: `run` tells of it.
        await self.shell.unless_over(self._settle)
        self._attach_strategies()
        await self.shell.unless_over(self._past.ask, self._is_ending)

    async def _settle(self) -> None:
        for venue in self.accounts.venues.values():
            await settle_missed(self.feed, venue, self._clock.now(), self.notifier, is_told=True)

    def _attach_strategies(self) -> None:
        for strategy_id, strategy in self.plan.strategies.items():
            self.runner.add_strategy(strategy_id, strategy)
            text = self.plan.descriptions.get(strategy_id, type(strategy).__name__)
            self.shell.hear(msg.StrategyAttached(strategy_id=strategy_id, description=text))

    async def _begin_strategies(self, now: int) -> None:
        symbols, hear = self.plan.symbols, self.shell.hear
        seats = seats_of(self.engine, self.accounts, self.plan.accounts)
        await self.runner.fetch_history(self.feed, symbols, now, seats)
        if self._is_ending():
            return
        self.runner.begin(
            symbols=symbols,
            feed=self.feed,
            now=now,
            emit=self._on_wish,
            view=self.view,
            on_failed=lambda each, why: hear(msg.StrategyFailed(strategy_id=each, reason=why)),
            seats=seats,
        )
        for symbol in symbols:  # it may be heard already
            if self.engine.core.market.of(symbol).cut_off:
                self.runner.on_link(symbol, is_up=False)

    def _on_wish(self, wish: Wish) -> None:
        if self.shell.stopwatch is not None and type(wish) is SignalGenerated:
            self.shell.stopwatch.wished()
        account = self.plan.accounts.get(wish.strategy_id, wish.account)
        if account != wish.account:
            wish = msgspec.structs.replace(wish, account=account)
        if not self.plan.hands_over(wish):
            self.shell.hear(wish)

    def _tell_strategies(self, facts: Sequence[Event]) -> None:
        for fact in facts:
            self.runner.on_fact(fact)

    # Run

    @property
    def status(self) -> TradingSessionStatus:
        """Return where the session stands."""
        return self.engine.state.status

    def _is_ending(self) -> bool:
        """Tell whether no strategy is to begin any more."""
        return self.status in _ENDING

    @property
    def has_failed(self) -> bool:
        """Tell whether this life is over and another one must go on."""
        return self.outcome is not None or self.shell.failed.done()

    async def run(self) -> None:
        """Run until the session is STOPPED or this life fails; then `outcome` says which."""
        after = self.engine.state.last_ts if self.plan.is_resumed else 0
        feeding = Feeding(self, self._clock, is_hurried=self._config.speed == 0)
        pump = asyncio.ensure_future(feeding.run(after))
        beat = self._beat.begin()
        left = asyncio.ensure_future(self._left.wait())
        stop = asyncio.ensure_future(self._stop_on())
        beside = asyncio.ensure_future(self._beside())
        try:
            ends: set[asyncio.Future[Any]] = {pump, beat, left, self.shell.failed, beside}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            has_fed = pump.done() and pump.exception() is None and self.feed_error is None
            if has_fed and not self.shell.has_failed:
                await self._finish()
        except Exception as error:  # noqa: BLE001 - whatever it is, this life is over
            self.outcome = error
        finally:
            for task in (tasks := (pump, beat, left, stop, beside)):
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for result in ended:
            if isinstance(result, Exception):
                self.outcome = result
        if self.shell.has_failed:
            self.outcome = self.shell.failed.result()

    async def _beside(self) -> None:
        """Do for ever what is to be done beside."""
        await self.shell.unless_over(self._past.insist, self._is_ending)
        for work in self.runner.beside():
            await work
        await self._left.wait()

    def feed_failed(self, error: Exception) -> None:
        """End the session in ERROR: what was to be shown can't be read on."""
        self.feed_error = error
        _log.error("the feed failed", exc_info=error)
        self.shell.hear(msg.FailSession(reason=f"the feed failed: {error}"))

    def on_market(self, message: MarketData) -> None:
        """Take one market message through engine, venue and strategies.

        The engine decides nothing about it, so that it need not go through the shell.
        """
        ts = message.ts
        self.accounts.pass_time(ts)
        self._clock.advance(ts)
        self._waking.heard.add(message.symbol)
        if ts >= self.next_tick:
            self.tick()
        try:
            self._see(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, this life is over
            self.shell.fail(error)
        self.accounts.see(message)
        self.runner.on_market(message)

    def tick(self) -> None:
        """Let time do its work: timers, questions, alarms, closing bars, audits."""
        now = self._clock.now()
        self.next_tick = now + TICK_NS
        self.shell.fire_timers(now, self._waking.may_wake)
        self.accounts.tick(now)
        self.shell.hear(msg.Tick())
        self.runner.on_time(now)
        if self.on_tick is not None:
            self.on_tick()
        # While it starts `Start` asks, and takes what comes for progress.
        if now >= self.next_audit and self.status is not TradingSessionStatus.STARTING:
            self._audit(now)

    def _audit(self, now: int) -> None:
        """Compare the books, also while everything looks well."""
        speed = max(self._config.speed, 1.0)
        interval = AUDIT_WHEN_FAST_NS
        if self._config.speed:
            interval = min(interval, int(self._config.audit_interval_ns * speed))
        is_first = not self.next_audit
        self.next_audit = now + interval
        if not is_first:
            for account in self.accounts.names:
                self.shell.hear(msg.AuditDue(account=account))

    @property
    def unsaved(self) -> int:
        """Return how many facts lie behind the last snapshot."""
        return self.journal.sequence - self._saved_at

    async def save(self) -> None:
        """Keep a snapshot of the fold, so that the next start is quick."""
        await self.shell.committed()
        self.save_now()

    def save_now(self) -> None:
        """Keep a snapshot, unless there is something in it that is not yet on record.

        A session that has not begun has none: its statistics would be of one that nobody knows.
        """
        shell = self.shell
        if shell.has_uncommitted or shell.has_failed or not shell.has_begun:
            return
        self._saved_at = self.journal.sequence
        figures = self.figures.rest(self._saved_at) if self.figures else b""
        self._recovery.save(self.engine.state, figures)

    # End

    async def _finish(self) -> None:
        """The feed has ended, or the session was stopped: bring it to its end."""
        if self.status in (TradingSessionStatus.RUNNING, TradingSessionStatus.PAUSED):
            flatten = self._config.on_stop == "flatten"
            self.shell.ask(msg.StopSession(reason="the feed has ended", flatten=flatten))
        await self.settle()

    def begin_stop(self, reason: str, *, flatten: bool) -> None:
        """Tell the engine to stop, where that has anything to ask of it."""
        if self.status not in ((TradingSessionStatus.STOPPED,) if flatten else _ENDING):
            self.shell.ask(msg.StopSession(reason=reason, flatten=flatten))

    async def stop(self, reason: str, *, flatten: bool) -> None:
        """End the session in order; ERROR is reset, once what is left behind is safe there too."""
        is_in_error = self.status is TradingSessionStatus.ERROR
        self.begin_stop(reason, flatten=flatten)
        with telling_waits(self.accounts, self.notifier, "stop", STOP_PATIENCE_S):
            if is_in_error:
                await self._reset(reason)
            await self.settle()
        self.leave()

    async def _reset(self, reason: str) -> None:
        if not await self._until(lambda: can_be_left(self.engine.state)):
            self.notifier.notify("warning", "the session ends before all it asked for was done")
        if self.status is TradingSessionStatus.ERROR:  # nobody else has meanwhile
            self.shell.ask(msg.ResetSession(reason=reason))

    async def settle(self) -> None:
        """Wait, within bounds, until a session that is stopping has stopped."""
        await self._until(lambda: self.status is not TradingSessionStatus.STOPPING)

    async def _until(self, condition: Callable[[], bool]) -> bool:
        """Wait, within bounds, for something to become true; tell whether it has."""
        if self._config.speed or self.feed.is_live:
            return await self.shell.until(condition, STOP_PATIENCE_S)
        for _ in range(STOP_TICKS_MAX):
            if condition() or self.shell.has_failed:
                break
            self._clock.advance(self._clock.now() + TICK_NS)
            self.tick()
            await self.shell.committed()
        return condition()

    async def _stop_on(self) -> None:
        """Leave once the stop is carried out that an earlier life was asked for."""
        if self.status in (TradingSessionStatus.STOPPING, TradingSessionStatus.STOPPED):
            await self.settle()
            self.leave()

    def leave(self) -> None:
        """Let `run` return though the feed goes on."""
        self._left.set()

    def now(self) -> int:
        """Return the session's time, nanoseconds UTC."""
        return self._clock.now()

    def cancel_at_venue(self) -> None:
        """Ask the venue for every entry back without a record: this life can make none."""
        window = self._config.recv_window_ns
        self.accounts.cancel_entries(self.engine.state, self._clock.now(), window)

    async def close(self) -> None:
        """End the strategies, leave the venue, save, and give the journal back. Once."""
        if self.is_closed:
            return
        self.is_closed = True
        self._beat.end()
        self.runner.end("the session has ended")
        if self.rotation is not None:
            await self.rotation.close()
        try:
            if not self.shell.has_failed:
                await self.save()
        finally:
            try:
                await self.accounts.close()
            finally:
                if self.commit_watch is not None:
                    self.commit_watch.close()
                self.journal.close()
