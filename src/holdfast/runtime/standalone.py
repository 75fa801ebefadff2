"""Let a runner stand alone: it pumps a feed, and the event bus takes the place of a session."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..model.errors import ConfigError
from ..model.events import OrderFilled
from ..model.messages import StrategyFailed
from ..model.values import StrategyId, Symbol
from ..ports import Direct, Feed
from .bus import EventBus
from .fetching import fetch_instruments
from .handover import TOPICS
from .publishing import RECOGNIZED
from .pump import FeedPump
from .tally import FillTally

if TYPE_CHECKING:
    from .runner import LiveStrategyRunner


class StrategyConfig(Protocol):
    """What a runner on its own reads of the settings."""

    @property
    def symbols(self) -> Sequence[Symbol]:
        """Return what to show; empty for all that the feed has."""


class Standing(NamedTuple):
    """What keeps a runner going that stands alone."""

    pump: FeedPump
    stop_hearing: Callable[[], None]


async def stand_alone(
    runner: LiveStrategyRunner, feed: Feed, bus: EventBus, wanted: Sequence[Symbol]
) -> Standing:
    """Begin the runner on a feed; wishes and failures are published, fills are heard.

    Raises:
        ConfigError: the feed has nothing to show.
        SessionStateError: the runner has begun already.
        FeedError: the history can't be read.
    """
    if not wanted:
        await fetch_instruments(feed)
    symbols = tuple(wanted) or tuple(contract.symbol for contract in feed.instruments())
    if not symbols:
        raise ConfigError(f"the feed {feed.name} knows no symbols: name them in the config")
    books = FillTally()

    def book(fill: object) -> None:
        if isinstance(fill, OrderFilled):
            books.count(fill)
            runner.on_fact(fill)

    def tell_failure(strategy_id: StrategyId, reason: str) -> None:
        bus.publish("strategy.failed", StrategyFailed(strategy_id=strategy_id, reason=reason))

    if isinstance(feed, Direct):
        feed.on_link = lambda symbol, is_up, _: runner.on_link(symbol, is_up=is_up)
    pump = FeedPump(feed, runner, lambda error: bus.publish("feed.failed", error))
    now = time.time_ns() if feed.is_live else feed.start_ts
    await runner.fetch_history(feed, symbols, now)
    runner.begin(
        symbols=symbols,
        feed=feed,
        now=now,
        emit=lambda wish: bus.publish(TOPICS[type(wish)], wish),
        view=books,
        on_failed=tell_failure,
    )
    stops = [bus.subscribe(topic, book) for topic in ("order.filled", RECOGNIZED)]

    def stop_hearing() -> None:
        for stop in stops:
            stop()

    pump.start()
    return Standing(pump, stop_hearing)
