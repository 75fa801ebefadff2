"""A runner on its own pumps a feed and tells the event bus."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from holdfast.feeds import RecordingFeed
from holdfast.model import events as ev
from holdfast.model.config import TradingConfig
from holdfast.model.errors import ConfigError, FeedError
from holdfast.model.market import Bar
from holdfast.model.messages import StrategyFailed
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import NS_PER_MS
from holdfast.runtime.bus import EventBus
from holdfast.runtime.runner import LiveStrategyRunner
from holdfast.strategies import RSIStrategy, SmaCrossStrategy, Strategy
from tests.runtime.runner_session import (
    BTC,
    ETH,
    Misbehaving,
    Recorder,
    boom,
    fill_of,
    klines,
    order_of,
    synthetic,
)


async def test_runner_works_as_the_documentation_shows():
    feed = synthetic(BTC, ETH, duration_s=7200.0, rate=0.5)
    config = TradingConfig(symbols="BTCUSDT")
    event_bus = EventBus()
    signals: list[SignalGenerated] = []

    async def handle_signal(signal_event: SignalGenerated) -> None:
        signals.append(signal_event)

    event_bus.subscribe("signal.generated", handle_signal)

    runner = LiveStrategyRunner(
        strategy_config=config, market_data_service=feed, event_bus=event_bus
    )
    runner.add_strategy("sma_cross", SmaCrossStrategy(fast=2, slow=5))
    runner.add_strategy("rsi", RSIStrategy(period=5))
    await runner.start()
    await runner.wait()
    await runner.stop()
    await event_bus.close()

    assert {signal.strategy_id for signal in signals} == {"sma_cross", "rsi"}
    assert {signal.symbol for signal in signals} == {BTC}
    assert event_bus.errors == 0


async def test_runner_alone_counts_positions_from_the_fills_that_the_bus_tells_of():
    class Holder(Strategy):
        held = Decimal(0)
        fills = 0

        def on_fill(self, fill: ev.OrderFilled) -> None:
            self.fills += 1
            self.held = self.ctx.position(BTC)

    name = "a_holder_of_many_words"
    runner = LiveStrategyRunner(None, synthetic())
    holder, other = Holder(), Holder()
    runner.add_strategy(name, holder)
    runner.add_strategy("other", other)
    await runner.start()

    runner.event_bus.publish("order.filled", fill_of(order_of(name), "1.5"))
    runner.event_bus.publish("order.filled", fill_of(order_of(name), "0.5"))
    runner.event_bus.publish("order.filled", "no fill")
    runner.event_bus.publish("order.fill_recognized", fill_of(order_of(name), "0.25"))

    assert (holder.fills, holder.held) == (3, Decimal("2.25"))
    assert other.fills == 0
    await runner.stop()
    assert not runner.event_bus.has_subscribers("order.filled")
    assert not runner.event_bus.has_subscribers("order.fill_recognized")


async def test_runner_alone_stops_in_the_middle_and_stopping_twice_is_once():
    class Awaited(Recorder):
        has_heard = asyncio.Event()

        def on_bar(self, bar: Bar) -> None:
            super().on_bar(bar)
            self.has_heard.set()

    recorder = Awaited()
    feed = synthetic(duration_s=1e8)
    runner = LiveStrategyRunner(market_data_service=feed)
    runner.add_strategy("r", recorder)
    await runner.start()
    await asyncio.wait_for(recorder.has_heard.wait(), 30)

    await runner.stop()
    await runner.wait()
    await runner.stop()

    assert [kind for kind, _ in recorder.heard].count("stop") == 1


async def test_failed_strategy_is_told_on_the_bus():
    bus = EventBus()
    told: list[StrategyFailed] = []
    bus.subscribe("strategy.failed", told.append)
    runner = LiveStrategyRunner(None, synthetic(), bus)
    runner.add_strategy("bad", Misbehaving("on_trade", boom))

    await runner.start()
    await runner.wait()
    await runner.stop()

    assert [failure.strategy_id for failure in told] == ["bad"]


async def test_torn_feed_is_told_on_the_bus_and_raised_to_who_waits(tmp_path):
    file = klines(tmp_path, 5000)
    file.write_text(file.read_text() + "1,2,3\n")
    bus = EventBus()
    told: list[Exception] = []
    bus.subscribe("feed.failed", told.append)
    runner = LiveStrategyRunner(None, RecordingFeed(file), bus)
    recorder = Recorder()
    runner.add_strategy("r", recorder)
    await runner.start()

    with pytest.raises(FeedError):
        await runner.wait()
    await runner.stop()

    assert [type(error) for error in told] == [FeedError]
    assert recorder.heard[-1] == ("stop", None)


async def test_runner_without_a_feed_or_symbols_says_so():
    with pytest.raises(ConfigError, match="market_data_service must be a feed"):
        await LiveStrategyRunner().start()


async def test_stop_before_the_start_does_nothing():
    runner = LiveStrategyRunner(market_data_service=synthetic())

    await runner.stop()
    await runner.start()
    await runner.stop()


def test_a_hook_has_the_time_that_the_settings_give_it():
    config = TradingConfig(hook_budget_ms=20)

    assert LiveStrategyRunner(config).guard.budget_ns == 20 * NS_PER_MS
    assert LiveStrategyRunner(config, hook_budget_ms=30).guard.budget_ns == 30 * NS_PER_MS
    assert LiveStrategyRunner().guard.budget_ns == 250 * NS_PER_MS
