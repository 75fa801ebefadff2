"""How facts of the session change the state: epochs, the kill switch, breakers, strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..model import events as ev
from ..model.values import NS_PER_DAY, ZERO, StrategyId, TradingSessionStatus
from . import portfolio
from .account import AccountState
from .breaker import Breaker, BreakerState
from .difference import Difference
from .forgetting import call_off

if TYPE_CHECKING:
    from ..model.instrument import Instrument
    from .state import State


def epoch_started(state: State, fact: ev.EpochStarted) -> None:
    status = state.status
    was_starting = status is TradingSessionStatus.STARTING  # it died on its way up, twice
    is_paused = status is TradingSessionStatus.PAUSED or (was_starting and state.was_paused)
    state.was_paused = is_paused and fact.is_resumed
    state.was_stopping = state.is_to_stop and fact.is_resumed
    state.stop_flattens = state.stop_flattens and state.was_stopping
    state.status, state.status_reason = TradingSessionStatus.STOPPED, "a new epoch"
    state.epoch, state.order_seq = fact.epoch, 0
    ran = {*state.named_strategies, *state.left_strategies}
    owners = {state.parents[i].strategy_id for ids in state.live_parents.values() for i in ids}
    state.left_strategies = tuple(sorted((ran - {*fact.strategies}) & owners))
    for name in sorted({*state.named_strategies} - {*fact.strategies}):  # taken off, or renamed
        call_off(state, StrategyId(name))
    state.portfolio_id, state.named_strategies = fact.portfolio_id, fact.strategies
    state.symbols = fact.symbols
    if fact.keeps_taken_over:
        state.to_flatten = {}
    state.odd_modes = {}  # a venue is not joined while its account is set so
    portfolio.begun(state, fact.accounts, is_new=fact.session_id != state.session_id)
    state.named_accounts = fact.accounts
    state.traded_symbols = dict(zip(fact.accounts, fact.traded, strict=False))  # as with markets
    state.markets.update(zip(fact.accounts, fact.markets, strict=False))  # older facts have none
    if fact.session_id != state.session_id:
        new_session(state, fact)
    for account in fact.accounts:
        state.accounts.setdefault(account, AccountState())
    is_judged = status is TradingSessionStatus.ERROR or not fact.is_resumed
    state.differences = {  # of an account that is not traded any more nobody looks for them
        what: _unseen(found, is_judged=is_judged)
        for what, found in state.differences.items()
        if what.partition(" ")[0] in fact.accounts
    }


def _unseen(found: Difference, *, is_judged: bool) -> Difference:
    """Return a difference as a new process takes it over.

    Two looks shortly behind each other may be one answer's. How often any was seen goes on, so that
    a session that dies behind each look is judged too; not once that has been done, or in another.
    """
    return replace(found, sightings=0, in_a_row=0 if is_judged else found.in_a_row)


def new_session(state: State, fact: ev.EpochStarted) -> None:
    """A new session's clock may be a recording's: what was timed before says nothing."""
    state.session_id, state.session_started_ts = fact.session_id, fact.ts
    state.strategies, state.stopped_strategies = {}, {}
    call_off(state)
    state.message_times, state.execution_times, state.recent_orders = {}, {}, {}
    for account in state.accounts.values():
        account.sampled_ts = 0
        for known in account.benchmarks.values():
            known.peak_equity = ZERO
        if fact.ts < state.last_ts:  # by this clock, what was booked has yet to come
            _forget_days(account, fact)
            account.opened_ts, account.begun_ts = 0, 0
            account.trades_until, account.moved_ts = 0, 0


def _forget_days(account: AccountState, fact: ev.EpochStarted) -> None:
    """Forget the days of another recording, and those of a clock that was far ahead.

    One that was set back a little forgets no loss: its day is this one, or the next.
    """
    tomorrow = fact.ts // NS_PER_DAY + 1
    known = {} if fact.is_recorded else account.benchmarks
    account.benchmarks = {asset: each for asset, each in known.items() if each.day <= tomorrow}


def session_changed(state: State, fact: ev.SessionChanged) -> None:
    state.status, state.status_reason = fact.status, fact.reason
    if fact.status in {TradingSessionStatus.STOPPING, TradingSessionStatus.STOPPED}:
        call_off(state)
    if fact.status is TradingSessionStatus.STOPPED:
        state.stop_flattens = False


def killed(state: State, fact: ev.KillSwitchEngaged) -> None:
    state.is_killed, state.kill_reason = True, fact.reason
    state.is_kill_verified = False
    call_off(state)
    state.kill_flattens = state.kill_flattens or fact.flatten


def released(state: State, _: ev.KillSwitchReleased) -> None:
    state.is_killed, state.kill_reason, state.kill_flattens = False, "", False


def kill_verified(state: State, _: ev.KillSwitchVerified) -> None:
    state.is_kill_verified = True


def flatten_asked(state: State, _: ev.FlattenRequested) -> None:
    state.stop_flattens = True


def breaker_changed(state: State, fact: ev.BreakerChanged) -> None:
    breaker = state.breakers.setdefault(f"{fact.account} {fact.failure}", Breaker())
    was_open = breaker.state is BreakerState.OPEN
    breaker.state = BreakerState(fact.state)
    if breaker.state is not BreakerState.HALF_OPEN:  # which time alone brings about
        breaker.count(fact.ts, fact.failure_count)
    if breaker.state is BreakerState.OPEN and not was_open:
        breaker.opened_ts = fact.ts


def mode_changed(state: State, fact: ev.AccountModeChanged) -> None:
    if fact.problem:
        state.odd_modes[fact.account] = fact.problem
    else:
        state.odd_modes.pop(fact.account, None)


def strategy_started(state: State, fact: ev.StrategyStarted) -> None:
    state.strategies[fact.strategy_id] = fact.description
    state.stopped_strategies.pop(fact.strategy_id, None)
    state.left_strategies = tuple(n for n in state.left_strategies if n != fact.strategy_id)


def strategy_stopped(state: State, fact: ev.StrategyStopped) -> None:
    state.strategies.pop(fact.strategy_id, None)
    state.stopped_strategies[fact.strategy_id] = fact.reason
    call_off(state, fact.strategy_id)


def _has_come_back(before: Instrument, now: Instrument) -> bool:
    is_opened = now.is_trading and not before.is_trading
    return is_opened or (now.can_be_closed and not before.can_be_closed)


def instrument_defined(state: State, fact: ev.InstrumentDefined) -> None:
    key = (fact.account, fact.instrument.symbol)
    known = state.instruments.get(key)
    if known is not None and _has_come_back(known, fact.instrument):
        for parent in state.live_parents_of(key):
            parent.stop_failures = 0  # what was refused meanwhile says nothing of now
    state.instruments[key], state.leverages[key] = fact.instrument, fact.leverage
