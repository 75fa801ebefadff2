"""Which market a session looks at: the configured feed, and the symbols that it shows."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from ..engine.state import State
from ..feeds import DEFAULT_SYMBOLS, FEEDS, TESTNET_FEED, FeedSettings, open_feed
from ..feeds.known import check_known
from ..model.config import TradingConfig
from ..model.errors import ConfigError
from ..model.values import NS_PER_S, Symbol
from ..ports import Feed
from .broker import LiveBrokerAdapter

SYNTHETIC = "synthetic"

USUAL_SYMBOLS: dict[str, tuple[Symbol, ...]] = {
    SYNTHETIC: (Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("SOLUSDT")),
    "binance": DEFAULT_SYMBOLS,
    "binance_futures": DEFAULT_SYMBOLS,
    TESTNET_FEED: DEFAULT_SYMBOLS,
}
"""What feeds by name show when nobody says. Recorded files show all that they have."""


def feed_settings(
    config: TradingConfig,
    symbols: tuple[Symbol, ...] = (),
    broker: LiveBrokerAdapter | None = None,
) -> FeedSettings:
    """Return what the configured feed is made from, and where its market is."""
    settings = FeedSettings(
        source=config.feed,
        symbols=symbols,
        seed=config.seed,
        speed=config.speed,
        books=config.books,
        testnet=config.testnet,
        rest_url=config.rest_url,
        stream_url=config.stream_url,
    )
    is_named = "feed" in config.model_fields_set
    return settings if broker is None else broker.market(settings, is_named=is_named)


def usual_symbols(settings: FeedSettings) -> tuple[Symbol, ...]:
    """Return what a feed shows by its settings; none where that is all that it has."""
    return settings.symbols or USUAL_SYMBOLS.get(settings.source, ())


def showing_too(settings: FeedSettings, left: Sequence[Symbol]) -> FeedSettings:
    """Have a feed show what is open on paper too, beside what it shows anyway."""
    usual = usual_symbols(settings)
    if not usual or not left:
        return settings
    return msgspec.structs.replace(settings, symbols=tuple(dict.fromkeys((*usual, *left))))


def open_market(
    settings: FeedSettings, config: TradingConfig, state: State, *, is_resumed: bool
) -> Feed:
    """Open the configured feed. The synthetic market never goes back behind the journal.

    Raises:
        TradingError: it can't be had.
    """
    if settings.source not in FEEDS and "feed" not in config.model_fields_set:
        raise ConfigError(f"the venue {config.venue} has no feed of its own: name one with --feed")
    if settings.source != SYNTHETIC:
        feed = open_feed(settings)
        if feed.is_live and config.speed != 1:
            raise ConfigError(
                f"the feed {feed.name} is live and can't be hurried: speed must be 1, "
                f"was {config.speed:g}"
            )
        return feed
    whole_s = max(time.time_ns(), state.last_ts + NS_PER_S) // NS_PER_S
    start = state.session_started_ts if is_resumed else whole_s * NS_PER_S
    shown = usual_symbols(settings)
    if not config.invented_symbols:
        check_known(shown)
    return open_feed(msgspec.structs.replace(settings, symbols=shown, start_ts=start))
