"""The market as a process hears it in some seeds: over the exchange's streams, by the live feed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from ..feeds import FeedSettings
from ..feeds.binance_futures import BinanceFuturesFeed
from ..model.values import Symbol
from .network import Road, SimWire
from .process import Process

LIVE_FEEDS = 0.2
"""The share of seeds in which this is so. In the others the market reaches a session directly."""


def has_live_feed(seed: str) -> bool:
    """Tell whether a seed is one of these."""
    return random.Random(f"{seed}/feed").random() < LIVE_FEEDS


def live_feed(
    symbols: Sequence[Symbol], rest_url: str, now: Callable[[], int], road: Road, process: Process
) -> BinanceFuturesFeed:
    """Return the feed of one process; what is wrong with the road is wrong with it."""
    return BinanceFuturesFeed(
        FeedSettings(symbols=tuple(symbols)),
        rest_url=rest_url,
        now=now,
        random=random.Random(f"{road.seed}/feed/{process.number}").random,
        open_wire=lambda: SimWire(road, process),
    )
