"""Put a session together: journal, fold, feed, clock, venue, strategies."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from ..engine.risk import RULES
from ..engine.state import State
from ..feeds import FeedSettings, open_feed
from ..journal import OwnedJournal, open_journal
from ..model.config import TradingConfig
from ..model.errors import ConfigError, StrategyError
from ..model.values import NS_PER_S, SessionId, StrategyId, Symbol, TradingSessionStatus
from ..ports import Clock, Feed
from ..strategies import Strategy
from .broker import LiveBrokerAdapter, PaperBroker, Wiring
from .clock import FeedClock, WallClock
from .fetching import fetch_instruments
from .parts import Parts
from .recovery import StateRecoveryService
from .strategy_loading import check_strategy, load_strategy

INDISPENSABLE = frozenset({"kill_switch", "session", "filters"})
"""Rules that hold in every configuration."""

DEFAULT_SYMBOLS = (Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("SOLUSDT"))
"""What the synthetic feed shows when nobody says."""


def database_of(config: TradingConfig) -> str:
    """Return where the journal is kept, its folder made."""
    url = config.database_url
    if url.startswith("sqlite:///"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{folder} can't be made: {error.strerror}; name another with --data-dir"
            ) from error
    return url


def own_journal(config: TradingConfig) -> OwnedJournal:
    """Open the journal as its owner.

    Raises:
        JournalLocked: another process owns it; the text says which.
        TradingError: it can't be had.
    """
    return open_journal(database_of(config), durability=config.durability)


async def assemble(
    config: TradingConfig,
    symbols: Sequence[Symbol],
    *,
    feed: Feed | None = None,
    broker: LiveBrokerAdapter | None = None,
    session_id: SessionId | None = None,
) -> Parts:
    """Open and fold the journal, and build around it what the session needs.

    Raises:
        TradingError: a part can't be had; what was opened has been given back.
    """
    check_disabled_rules(config)
    journal = own_journal(config)
    try:
        recovered = StateRecoveryService(journal).recover(config.engine_settings())
        state = recovered.engine.state
        is_resumed = config.auto_restart and _was_cut_off(state)
        feed = feed or _open_feed(config, symbols, state, is_resumed=is_resumed)
        await fetch_instruments(feed)
        traded = tuple(symbols) or tuple(i.symbol for i in feed.instruments())
        clock = _clock(config, feed, state if is_resumed else None)
        wiring = Wiring(config, traded, feed.instruments(), clock)
        venue = (broker or PaperBroker()).open(wiring)
    except BaseException:
        journal.close()
        raise
    known = state.session_id if is_resumed else SessionId(str(uuid4()))
    recovered.engine.core.read_lag_ns = venue.capabilities.read_lag_ns
    return Parts(journal, recovered, feed, clock, venue, traded, session_id or known, is_resumed)


def check_disabled_rules(config: TradingConfig) -> None:
    """Refuse to switch off what does not exist, or what nothing may go without.

    Raises:
        ConfigError: naming each such rule, and the rules there are.
    """
    unknown = sorted(set(config.disabled) - set(RULES))
    if unknown:
        raise ConfigError(
            f"disabled: there is no rule {', '.join(unknown)}; rules are {', '.join(RULES)}"
        )
    kept = sorted(set(config.disabled) & INDISPENSABLE)
    if kept:
        raise ConfigError(f"disabled: {', '.join(kept)} can't be switched off")


def _was_cut_off(state: State) -> bool:
    """Tell whether the session before this process ended without being stopped."""
    ended = (TradingSessionStatus.STOPPED, TradingSessionStatus.ERROR)
    return bool(state.session_id) and state.status not in ended


def _open_feed(
    config: TradingConfig, symbols: Sequence[Symbol], state: State, *, is_resumed: bool
) -> Feed:
    """Open the configured feed. The synthetic market never goes back behind the journal."""
    is_made = config.feed == "synthetic"
    whole_s = max(time.time_ns(), state.last_ts + NS_PER_S) // NS_PER_S
    start = state.session_started_ts if is_resumed else whole_s * NS_PER_S
    return open_feed(
        FeedSettings(
            source=config.feed,
            symbols=tuple(symbols) or (DEFAULT_SYMBOLS if is_made else ()),
            seed=config.seed,
            speed=config.speed,
            start_ts=start if is_made else 0,
        )
    )


def _clock(config: TradingConfig, feed: Feed, resumed: State | None) -> Clock:
    if feed.is_live:
        return WallClock()
    return FeedClock(max(feed.start_ts, resumed.last_ts if resumed else 0), config.speed)


def load_strategies(
    specs: Sequence[str | Strategy],
) -> tuple[dict[StrategyId, Strategy], dict[StrategyId, str]]:
    """Make the strategies; two of one name are told apart by a number.

    Raises:
        StrategyError: one can't be found or made.
    """
    made: dict[StrategyId, Strategy] = {}
    descriptions: dict[StrategyId, str] = {}
    for spec in specs:
        name, strategy = _load(spec)
        strategy_id, number = StrategyId(name), 2
        while strategy_id in made:
            strategy_id, number = StrategyId(f"{name}-{number}"), number + 1
        made[strategy_id] = strategy
        descriptions[strategy_id] = spec if isinstance(spec, str) else name
    return made, descriptions


def _load(spec: str | Strategy) -> tuple[str, Strategy]:
    if isinstance(spec, str):
        return load_strategy(spec)
    name = type(spec).__name__
    if not isinstance(spec, Strategy):
        raise StrategyError(f"a strategy is a name, a file's class or a Strategy, was {spec!r:.80}")
    check_strategy(spec, name)
    return name, spec
