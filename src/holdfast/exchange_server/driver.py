"""The feed on its way into the exchange: re-dated to the wall's time, one message after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from ..exchange import completed_instrument
from ..feeds import open_feed
from ..model.errors import ConfigError
from ..model.instrument import Instrument
from ..model.market import Bar, MarketData, MarkPrice
from ..model.values import Symbol
from ..ports import Feed
from .settings import NO_FEED, ServerSettings
from .tape import MINUTE_NS, Tape

LIVE_FEEDS = {
    "binance": False,
    "binance_futures": False,
    "binance_testnet": True,
    "binance_futures_testnet": True,
}
"""What the venue's own market is called, and whether its test market is meant."""

HISTORY_MINUTES = 500
"""How many candles of a minute there are from before the start, where the feed can make them."""


def open_source(settings: ServerSettings, now: int) -> Feed | None:
    """Open the feed; a made-up one begins now. None where the market is moved by hand.

    Raises:
        ConfigError: there is no such feed, it has not the symbols or the speed wanted.
    """
    feed = settings.feed
    if feed.source == NO_FEED:
        return None
    if feed.source == "synthetic":
        feed = msgspec.structs.replace(feed, start_ts=now)
    feed = msgspec.structs.replace(feed, symbols=settings.symbols)
    is_testnet = LIVE_FEEDS.get(feed.source)
    if is_testnet is None:
        return open_feed(feed)
    if feed.speed != 1:
        raise ConfigError(
            f"the feed {feed.source} is live and can't be hurried: speed must be 1, "
            f"was {feed.speed or 'max'}"
        )
    from ..feeds.binance_futures import BinanceFuturesFeed  # noqa: PLC0415 - loads the adapter

    return BinanceFuturesFeed(feed, testnet=is_testnet, rest_url=settings.feed_url or None)


def listed(feed: Feed | None, symbols: Sequence[Symbol]) -> list[Instrument]:
    """Return the contracts that are traded: known ones as they are, others with brackets.

    What a live venue says of its contracts takes precedence over what is known.

    Raises:
        NetworkError: a live feed has no answer.
        ConfigError: a symbol is not traded there.
    """
    found = {each.symbol: each for each in feed.instruments()} if feed is not None else {}
    wanted = symbols or tuple(found) or (Symbol("BTCUSDT"), Symbol("ETHUSDT"))
    is_live = feed is not None and feed.is_live
    return [completed_instrument(symbol, found.get(symbol), is_listed=is_live) for symbol in wanted]


class Redater:
    """Moves messages from the feed's time to the wall's, at the feed's pace.

    A feed that is read as fast as possible has no pace: what it shows happens when it is read.
    """

    def __init__(self, clock: Callable[[], int], speed: float) -> None:
        self._clock = clock
        self._speed = speed
        self._base: tuple[int, int] | None = None  # the wall's time of a feed's time

    def date(self, ts: int) -> int:
        """Return when a moment of the feed is, on the wall."""
        if self._base is None:
            self._base = (self._clock(), ts)
        if not self._speed:
            return self._clock()
        wall, first = self._base
        return wall + round((ts - first) / self._speed)

    def redate(self, message: MarketData) -> MarketData:
        ts = self.date(message.ts)
        if ts == message.ts:
            return message
        if isinstance(message, Bar):
            length = self.date(message.ts) - self.date(message.open_ts)
            return msgspec.structs.replace(message, open_ts=ts - max(length, 1), ts=ts)
        if isinstance(message, MarkPrice) and message.next_funding_ts is not None:
            ahead = message.next_funding_ts - message.ts
            due = ts + round(ahead / self._speed) if self._speed else ts + ahead
            return msgspec.structs.replace(message, ts=ts, next_funding_ts=due)
        return msgspec.structs.replace(message, ts=ts)


def remember(feed: Feed, tape: Tape, now: int) -> None:
    """Give a symbol the candles of the time before the feed's start, moved to before now.

    Raises:
        NetworkError: a live feed has no answer.
    """
    start = now if feed.is_live else feed.start_ts
    shift = now - now % MINUTE_NS - (start - start % MINUTE_NS)
    bars = feed.history(tape.symbol, "1m", start, HISTORY_MINUTES)
    tape.remember(
        msgspec.structs.replace(bar, open_ts=bar.open_ts + shift, ts=bar.ts + shift) for bar in bars
    )


async def drive(
    feed: Feed, speed: float, clock: Callable[[], int], show: Callable[[MarketData], None]
) -> None:
    """Read a feed to its end.

    Raises:
        FeedError: it can't be read on.
    """
    redater = Redater(clock, speed)
    is_wall_time = feed.name == "synthetic" and speed == 1.0
    async for batch in feed.messages():
        for message in batch:
            show(message if is_wall_time else redater.redate(message))
