"""Answer from the journal what a session would answer that is not running. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import time_ns
from typing import Any

from ..engine.engine import Engine
from ..engine.state import State
from ..journal import OwnedJournal, open_journal
from ..model.config import TradingConfig
from ..model.values import MAIN, NS_PER_DAY, AccountId
from ..runtime.control_file import NoSessionRunning, nothing_runs
from ..runtime.control_wire import builtins
from ..runtime.figures import Figures
from ..runtime.left_kill import kill_left_for
from ..runtime.machine import is_made
from ..runtime.recovery import Recovered, StateRecoveryService
from ..runtime.shortfall import still_held
from ..runtime.views import metrics_view, order_view, position_view, when
from ..runtime.wholes import wholes
from ..stats import SessionStats

NOTE = "no session is running; this is what the journal says"


def has_journal(config: TradingConfig) -> bool:
    """Tell whether there is a journal."""
    return is_made(config.database_url)


@contextmanager
def reading(config: TradingConfig) -> Iterator[OwnedJournal]:
    """Open the journal to read it.

    Raises:
        NoSessionRunning: there is none yet.
        JournalError: it can't be read.
    """
    if not has_journal(config):
        raise NoSessionRunning(f"{nothing_runs(config.data_dir)} (none ever ran there)")
    journal = open_journal(config.database_url, read_only=True)
    try:
        yield journal
    finally:
        journal.close()


def recovered_from(config: TradingConfig, journal: OwnedJournal) -> Recovered:
    """Return the fold of a journal. Its market is silent: positions are valued at their entry."""
    return StateRecoveryService(journal).recover(config.engine_settings())


def _figures(journal: OwnedJournal, recovered: Recovered) -> SessionStats:
    """Return the last session's figures, the snapshot's and what came behind it."""
    figures = Figures(recovered.engine.state.session_id)
    figures.recall(journal, recovered, is_resumed=True)
    return figures.stats()


def status(config: TradingConfig) -> dict[str, Any]:
    """Return how the last session ended, in the shape that a running one answers in."""
    with reading(config) as journal:
        recovered = recovered_from(config, journal)
        figures = _figures(journal, recovered)
    engine = recovered.engine
    state = engine.state
    document = {
        "is_running": False,
        "note": NOTE,
        "session": {
            "id": state.session_id,
            "status": state.status,
            "reason": state.status_reason,
            "started_at": when(state.session_started_ts) if state.session_started_ts else None,
            "stopped_at": when(state.last_ts) if state.last_ts else None,
            "strategies": [*state.strategies, *state.stopped_strategies],
            "symbols": sorted({key[1] for key in state.instruments}),
            "total_trades": figures.total_trades,
            "total_pnl": figures.total_pnl,
        },
        "metrics": _metrics(engine, figures),
        "time": when(state.last_ts),
        "parts": wholes(state),
        **_kill_switch(config, state),
        **_accounts(engine),
    }
    found: dict[str, Any] = builtins(document)
    return found


def _kill_switch(config: TradingConfig, state: State) -> dict[str, Any]:
    """Tell what the next start goes by: what was left for it, else what is on record."""
    if found := kill_left_for(config):
        left, file = found
        reason = f"{left.reason} (left in {file}: the next start obeys it)"
        return {"is_killed": True, "kill_reason": reason}
    return {"is_killed": state.is_killed, "kill_reason": state.kill_reason}


def _accounts(engine: Engine) -> dict[str, Any]:
    """Return how each account stands, where there is more than one."""
    state = engine.state
    if len(state.named_accounts) < 2:
        return {}
    found = {name: _without_marks(engine, name) for name in state.named_accounts}
    return {"accounts": {name: {"metrics": metrics} for name, metrics in found.items()}}


def _metrics(engine: Engine, figures: SessionStats) -> dict[str, Any]:
    """Return how the account stands; with a position as it was last sampled, and when that was."""
    found = _without_marks(engine, MAIN)
    if found["equity"] is None and figures.sampled_ts:
        sampled = {
            "equity": figures.equity_end,
            "unrealized_pnl": figures.unrealized_pnl,
            "equity_at": when(figures.sampled_ts),
        }
        found.update(builtins(sampled))
    return found


_OF_THE_MARK = (
    "equity",
    "unrealized_pnl",
    "daily_pnl",
    "free_margin",
    "margin_ratio",
    "leverage",
)
"""What of an account nobody can tell who hears no market, while it has a position."""


def _without_marks(engine: Engine, name: AccountId) -> dict[str, Any]:
    """Return how an account stands, without what a mark price, or today, would be needed for."""
    found: dict[str, Any] = builtins(metrics_view(engine, name, engine.state.last_ts))
    if found["position_count"]:
        found.update(dict.fromkeys(_OF_THE_MARK))
    books, assets = engine.state.account(name), engine.core.exposure.shown_assets(name)
    if time_ns() // NS_PER_DAY not in {books.benchmark(asset).day for asset in assets}:
        found["daily_pnl"] = None
    return {**found, "equity_at": None}


def orders(config: TradingConfig, *, open_only: bool) -> dict[str, Any]:
    """Return the orders that the journal knows to be open, or all that are remembered."""
    with reading(config) as journal:
        engine = recovered_from(config, journal).engine
    state = engine.state
    chosen = state.all_open_orders() if open_only else list(state.orders.values())
    chosen.sort(key=lambda order: order.created_ts)
    found = {"orders": [order_view(engine, order) for order in chosen], "parts": wholes(state)}
    return {"note": NOTE, **builtins(found)}


def positions(config: TradingConfig) -> dict[str, Any]:
    """Return the positions that the journal knows to be open."""
    with reading(config) as journal:
        engine = recovered_from(config, journal).engine
    found = builtins([position_view(engine, key) for key in engine.state.open_keys()])
    return {"note": NOTE, "positions": [each | dict.fromkeys(_UNHEARD) for each in found]}


_UNHEARD = ("mark_price", "unrealized_pnl", "margin_ratio")
"""What of a position nobody can tell who hears no market."""


def held(config: TradingConfig) -> str:
    """Say what the last session has left that could be closed; "" for nothing."""
    with reading(config) as journal:
        return still_held(recovered_from(config, journal).engine.state)


def stats(config: TradingConfig) -> SessionStats:
    """Return the last session's figures."""
    with reading(config) as journal:
        return _figures(journal, recovered_from(config, journal))
