"""The market as a process hears it in some seeds: over the exchange's streams, by the live feed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from ..feeds import FeedSettings
from ..feeds.binance_futures import BinanceFuturesFeed
from ..model.market import MarketData, MarkPrice
from ..model.values import Symbol
from ..venues.binance_futures.streams import LIFETIME_S
from .hearing import Ear
from .network import Road, SimWire

LIVE_FEEDS = 0.2
"""The share of seeds in which this is so. In the others the market reaches a session directly."""


LIFETIMES_S = (8.0, 25.0)
"""How long a connection lasts in half of these seeds, until the next one replaces it."""


def has_live_feed(seed: str) -> bool:
    """Tell whether a seed is one of these."""
    return random.Random(f"{seed}/feed").random() < LIVE_FEEDS


class HeardFeed(BinanceFuturesFeed):
    """The feed, and an ear for what it tells of symbols that are cut off."""

    ear: Ear

    def _tell_link(self, symbol: Symbol, is_up: bool, reason: str) -> None:
        if is_up:
            self.ear.hear_link(symbol, is_up=True)
        super()._tell_link(symbol, is_up, reason)
        if not is_up:
            self.ear.hear_link(symbol, is_up=False)

    def _tell_gap(self, symbol: Symbol, first: int, last: int) -> None:
        super()._tell_gap(symbol, first, last)
        self.ear.hear_gap(symbol)

    def _show(self, message: MarketData) -> None:
        if type(message) is MarkPrice:
            self.ear.hear_mark(message.symbol)
        super()._show(message)


def live_feed(
    symbols: Sequence[Symbol], rest_url: str, now: Callable[[], int], road: Road, ear: Ear
) -> BinanceFuturesFeed:
    """Return the feed of one life; what is wrong with the road is wrong with it."""
    process = ear.process
    lots = random.Random(f"{road.seed}/lifetimes")
    lifetime_s = lots.uniform(*LIFETIMES_S) if lots.random() < 0.5 else LIFETIME_S
    feed = HeardFeed(
        FeedSettings(symbols=tuple(symbols)),
        rest_url=rest_url,
        now=now,
        random=random.Random(f"{road.seed}/feed/{process.number}").random,
        open_wire=lambda: SimWire(road, process),
        lifetime_s=lifetime_s,
    )
    feed.ear = ear
    return feed
