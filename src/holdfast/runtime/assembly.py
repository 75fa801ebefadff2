"""Put a session together: journal, fold, feed, clock, venue, strategies."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from uuid import uuid4

import msgspec

from ..engine.risk import ALL_RULES
from ..engine.state import State
from ..feeds import TESTNET_FEED, FeedSettings
from ..journal import OwnedJournal, open_journal
from ..model.config import TradingConfig
from ..model.errors import ConfigError, StrategyError
from ..model.ids import epoch_at, short_name
from ..model.values import (
    MAIN,
    AccountId,
    SessionId,
    StrategyId,
    Symbol,
    TradingSessionStatus,
)
from ..owner_only import make_folder
from ..ports import Clock, Feed, Venue
from ..strategies import Strategy
from ..venues import VENUES, Opener, Wiring, newest_epoch, open_paper, open_symbols, paper_path
from .account_mark import account_text, check_recorded, claim_folder
from .accounts import (
    all_symbols,
    check_keys,
    check_left_behind,
    check_left_on_paper,
    check_one_market,
    check_shown,
    close_all,
    symbols_by_account,
)
from .broker import LiveBrokerAdapter
from .clock import FeedClock, WallClock
from .fetching import fetch_instruments
from .market_source import feed_settings, open_market, showing_too, usual_symbols
from .parts import Parts
from .recovery import StateRecoveryService
from .strategy_loading import check_strategy, load_strategy

INDISPENSABLE = frozenset({"kill_switch", "session", "filters"})
"""Rules that hold in every configuration."""


def database_of(config: TradingConfig) -> str:
    """Return where the journal is kept, its folder made."""
    url = config.database_url
    if url.startswith("sqlite:///"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        try:
            make_folder(folder)
        except OSError as error:
            text = f"{folder} can't be made: {error.strerror}; name another with --data-dir"
            raise ConfigError(text) from error
    return url


def own_journal(config: TradingConfig, epoch_min: int = 1) -> OwnedJournal:
    """Open the journal as its owner; see `open_journal`.

    Raises:
        JournalLocked: another process owns it; the text says which.
        TradingError: it can't be had.
    """
    where, durability = database_of(config), config.durability
    return open_journal(where, durability=durability, epoch_min=epoch_min)


def _own_for(config: TradingConfig, books: Sequence[Path | None], now: int) -> OwnedJournal:
    """Open the journal for accounts, which have seen no id of its epoch before.

    Epochs of a simulated account count from one, so that a recording gives the same ids each
    time; but a new journal for one that has traded can't know which were used, and an older copy
    of one knows too few.

    Args:
        books: where each simulated account is kept; None for a real one.
    """
    if None in books:
        return own_journal(config, epoch_at(now))
    seen = max((newest_epoch(path) for path in books if path), default=0)
    journal = own_journal(config, seen + 1)
    if journal.sequence or not any(path.exists() for path in books if path):
        return journal
    journal.close()
    return own_journal(config, epoch_at(now))


def _wirings(
    config: TradingConfig,
    state: State,
    feed: Feed,
    clock: Clock,
    wanted: Mapping[AccountId, tuple[Symbol, ...]],
) -> Callable[[AccountId], Wiring]:
    """Return what each account's venue is opened with, by the account's name."""
    listed = functools.cache(feed.instruments)

    def wired(name: AccountId) -> Wiring:
        return Wiring(
            config=config.of_account(name),
            account=name,
            clock=clock,
            symbols=wanted[name],
            known=state.known_to(name),
            instruments=listed,
            is_listed=feed.is_live,
        )

    return wired


async def assemble(  # noqa: PLR0913 - what may be given instead of what is configured
    config: TradingConfig,
    symbols: Sequence[Symbol],
    *,
    feed: Feed | None = None,
    broker: LiveBrokerAdapter | None = None,
    is_dry: bool | None = None,
    session_id: SessionId | None = None,
    clock: Clock | None = None,
    keeps_files: bool = True,
    books: bool = False,
    openers: Mapping[AccountId, Opener] | None = None,
    on_folded: Callable[[bool], None] = lambda _: None,
) -> Parts:
    """Open and fold the journal, and build around it what the session needs.

    Args:
        feed: market data; None opens the configured one.
        broker: the main account; None takes the configured venue's.
        is_dry: True trades on the simulated account; None takes the setting.
        session_id: of a new session; None makes one up.
        clock: tells the session's time; None takes the feed's kind.
        openers: what opens other accounts, where it is not the venue that the settings name.
        books: a live feed shows whole order books, whatever the setting says.
        keeps_files: False leaves the data folder untouched: the records are elsewhere.
        on_folded: hears, before anything is waited for, whether an earlier life has left something.

    Raises:
        TradingError: a part can't be had; what was opened has been given back.
    """
    check_disabled_rules(config)
    is_dry = config.dry_run if is_dry is None else is_dry
    given = openers_of(config, None if is_dry else broker, openers or {}, is_dry=is_dry)
    now = clock.now() if clock else time.time_ns()
    kept_at = _books_at(config, given, broker)
    journal = _own_for(config, kept_at, now)
    venues: list[Venue] = []
    try:
        recovered = StateRecoveryService(journal).recover(config.engine_settings())
        state = recovered.engine.state
        check_left_behind(state, config.account_names)
        is_resumed = config.auto_restart and _was_cut_off(state)
        on_folded(is_resumed or bool(state.all_open_orders()))
        shown = all_symbols(config, symbols)
        left = [symbol for path in kept_at if path for symbol in open_symbols(path)]
        market = feed_settings(config, shown, broker)
        usual = shown if feed else usual_symbols(market)
        market = msgspec.structs.replace(showing_too(market, left), books=market.books or books)
        subscribed = () if feed else market.symbols
        feed = feed or open_market(market, config, state, is_resumed=is_resumed)
        clock = clock or _clock(config, feed, state if is_resumed else None)
        wired = _wirings(config, state, feed, clock, symbols_by_account(config, tuple(symbols)))
        for name, open_venue in given.items():
            venues.append(open_venue(wired(name)))
            _check_venue(config, feed, market, venues[-1])
        texts = {venue.account: account_text(venue, market) for venue in venues}
        if keeps_files:
            _claim(config, state, texts)
        await fetch_instruments(feed)  # only now: a key that lacks is told before any network
        traded = shown or tuple(
            each.symbol for each in feed.instruments() if not usual or each.symbol in usual
        )
        check_shown(config, traded)
        await check_left_on_paper(feed, left, subscribed)
    except BaseException:
        await close_all(venues)
        journal.close()
        raise
    known = state.session_id if is_resumed else session_id or SessionId(str(uuid4()))
    recovered.engine.core.read_lag_ns = max(each.capabilities.read_lag_ns for each in venues)
    return Parts(
        journal=journal,
        recovered=recovered,
        feed=feed,
        clock=clock,
        venues=tuple(venues),
        symbols=traded,
        symbols_of=symbols_by_account(config, tuple(symbols) or traded),
        session_id=known,
        is_resumed=is_resumed,
        markets=tuple(texts.values()) if keeps_files else (),
    )


def _check_venue(config: TradingConfig, feed: Feed, market: FeedSettings, venue: Venue) -> None:
    """Refuse an account that does not go with the session's market and its time."""
    _check_time(feed, venue)
    _check_market(market, venue)
    check_one_market(config, market, venue)


def _claim(config: TradingConfig, state: State, texts: dict[AccountId, str]) -> None:
    """Take the data folder for these accounts, and no others'."""
    check_recorded(config.data_dir, state.markets, texts)
    claim_folder(config.data_dir, texts, has_records=bool(state.session_id))


def openers_of(
    config: TradingConfig,
    broker: LiveBrokerAdapter | None,
    openers: Mapping[AccountId, Opener],
    *,
    is_dry: bool,
) -> dict[AccountId, Opener]:
    """Return what opens each account, the main one first.

    Raises:
        ConfigError: there is no such venue, or two accounts have one key.
    """
    if is_dry:
        return dict.fromkeys(config.account_names, open_paper)
    given = dict(openers)
    if broker is not None:
        given[MAIN] = broker.open
    held = () if broker is None else broker.secrets
    check_keys(config, [name for name in config.account_names if name not in given], held)
    return {
        name: given.get(name) or opener_of(config.of_account(name)) for name in config.account_names
    }


def _books_at(
    config: TradingConfig,
    openers: Mapping[AccountId, Opener],
    broker: LiveBrokerAdapter | None,
) -> list[Path | None]:
    """Return where each simulated account is kept; None for a real one."""
    found: list[Path | None] = []
    for name, opener in openers.items():
        if broker and opener == broker.open:
            found.append(broker.paper_books(config))
        else:
            is_paper = opener is open_paper
            found.append(paper_path(config.data_dir, name) if is_paper else None)
    return found


def opener_of(config: TradingConfig) -> Opener:
    """Return what opens the configured venue.

    Raises:
        ConfigError: there is no such venue.
    """
    if config.venue not in VENUES:
        close = get_close_matches(config.venue, VENUES, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"venue must be one of {', '.join(VENUES)}, was {config.venue!r}{hint}")
    return VENUES[config.venue]


def _check_time(feed: Feed, venue: Venue) -> None:
    if not feed.is_live and not venue.capabilities.is_simulated:
        raise ConfigError(
            f"the account at {venue.name} needs a live feed, and {feed.name} is none: recorded "
            "time can't place orders; leave --feed out, or take --dry-run"
        )


def _check_market(market: FeedSettings, venue: Venue) -> None:
    """Refuse to trade one market's account by the other's prices."""
    is_own = market.testnet and market.rest_url is None
    if market.source == TESTNET_FEED and not is_own and not venue.capabilities.is_simulated:
        raise ConfigError(
            f"the account at {venue.name} is not one of the testnet, whose prices the feed "
            f"{market.source} shows: leave --feed out, or take --testnet or --dry-run"
        )


def check_disabled_rules(config: TradingConfig) -> None:
    """Refuse to switch off what does not exist, or what nothing may go without.

    Raises:
        ConfigError: naming each such rule, and the rules there are.
    """
    unknown = sorted(set(config.disabled) - set(ALL_RULES))
    if unknown:
        raise ConfigError(
            f"disabled: there is no rule {', '.join(unknown)}; rules are {', '.join(ALL_RULES)}"
        )
    kept = sorted(set(config.disabled) & INDISPENSABLE)
    if kept:
        raise ConfigError(f"disabled: {', '.join(kept)} can't be switched off")


def _was_cut_off(state: State) -> bool:
    """Tell whether the session before this process ended without being stopped, or in the middle
    of a stop that is still to be carried out.
    """
    ended = (TradingSessionStatus.STOPPED, TradingSessionStatus.ERROR)
    return bool(state.session_id) and (state.status not in ended or state.is_to_stop)


def _clock(config: TradingConfig, feed: Feed, resumed: State | None) -> Clock:
    if feed.is_live:
        return WallClock()
    return FeedClock(max(feed.start_ts, resumed.last_ts if resumed else 0), config.speed)


def load_strategies(
    specs: Sequence[str | Strategy],
) -> tuple[dict[StrategyId, Strategy], dict[StrategyId, str]]:
    """Make the strategies; two of one name are told apart by a number.

    Raises:
        StrategyError: one can't be found or made, or its orders' ids would be another's.
    """
    made: dict[StrategyId, Strategy] = {}
    descriptions: dict[StrategyId, str] = {}
    on_wire: dict[str, StrategyId] = {}
    for spec in specs:
        name, strategy = _load(spec)
        strategy_id, number = StrategyId(name), 2
        while strategy_id in made:
            strategy_id, number = StrategyId(f"{name}-{number}"), number + 1
        other = on_wire.setdefault(short_name(strategy_id), strategy_id)
        if other != strategy_id:
            raise StrategyError(
                f"orders of {other!r} and {strategy_id!r} could not be told apart: both are "
                f"{short_name(strategy_id)!r} in their ids; give one another name"
            )
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
