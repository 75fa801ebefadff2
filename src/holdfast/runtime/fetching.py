"""Ask a feed beforehand for what it would have to wait for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..model.bars import UNKNOWN
from ..model.values import Symbol
from ..ports import Complete, Feed, Fetching, Wanted
from .attached import Attached


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


def known_from(feed: Feed, symbol: Symbol, now: int) -> int:
    """Return since when a session that begins at a time is shown all of a symbol's trades."""
    since = feed.whole_from(symbol) if isinstance(feed, Complete) else UNKNOWN
    return since if now <= feed.start_ts else max(since, now + 1)


def warmups(strategies: Iterable[Attached], symbols: Sequence[Symbol], feed: Feed) -> list[Wanted]:
    """Return the bars that strategies are warmed up with."""
    return [
        (symbol, timeframe, one.warmup_bars)
        for one in strategies
        if one.warmup_bars
        for symbol in symbols
        for timeframe in one.timeframes or (feed.default_timeframe,)
    ]
