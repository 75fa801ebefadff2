"""Ask a feed beforehand for what it would have to wait for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence

from ..engine.engine import Engine
from ..model.bars import UNKNOWN
from ..model.settings import RiskLimits
from ..model.values import Symbol
from ..ports import Complete, Feed, Fetching, Notifier, Wanted
from .attached import Attached
from .seats import Seats

TOLD_AFTER_S = 1.0
"""How long a warm-up may take before it is spoken of."""


async def fetch_instruments(feed: Feed) -> None:
    """Have the contracts ready.

    Raises:
        TradingError: the feed can't have them.
    """
    if isinstance(feed, Fetching):
        await feed.fetch_instruments()


async def fetch_history(feed: Feed, wanted: Sequence[Wanted], before_ts: int) -> None:
    """Have bars ready for `Feed.history` at the same time.

    Raises:
        TradingError: the feed can't have them.
    """
    if isinstance(feed, Fetching):
        await feed.fetch_history(wanted, before_ts)


@contextlib.contextmanager
def telling_warm_up(notifier: Notifier) -> Iterator[None]:
    """Say that strategies are being shown the past, where that takes a while."""
    text = "warming up: the strategies are shown the bars before now"
    telling = asyncio.get_running_loop().call_later(TOLD_AFTER_S, notifier.notify, "info", text)
    try:
        yield
    finally:
        telling.cancel()


def known_from(feed: Feed, symbol: Symbol, now: int) -> int:
    """Return since when a session that begins at a time is shown all of a symbol's trades."""
    since = feed.whole_from(symbol) if isinstance(feed, Complete) else UNKNOWN
    return since if now <= feed.start_ts else max(since, now + 1)


def warmups(
    strategies: Iterable[Attached],
    symbols: Sequence[Symbol],
    feed: Feed,
    seats: Seats,
) -> list[Wanted]:
    """Return the bars that strategies are warmed up with."""
    own = {strategy_id: seat.symbols for strategy_id, seat in seats.items()}
    return [
        (symbol, timeframe, one.warmup_bars)
        for one in strategies
        if one.warmup_bars
        for symbol in own.get(one.strategy_id, symbols)
        for timeframe in one.timeframes or (feed.default_timeframe,)
    ]


async def warm_up_market(
    engine: Engine, feed: Feed, symbols: Sequence[Symbol], limits: RiskLimits, now: int
) -> None:
    """Fill the windows that correlation and volatility look back over.

    Raises:
        TradingError: the feed can't have them.
    """
    sample, count = f"{limits.sample_s}s", limits.correlation_returns + 1
    await fetch_history(feed, [(symbol, sample, count) for symbol in symbols], now)
    for symbol in symbols:
        for bar in feed.history(symbol, sample, now, count):
            engine.handle(bar, bar.ts)
    engine.core.market.awaits_past = False
