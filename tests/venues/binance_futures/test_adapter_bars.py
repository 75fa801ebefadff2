"""Bars that strategies see are the exchange's own candles, through starts and lost connections."""

from __future__ import annotations

import asyncio
import itertools
import time

from holdfast.model.config import TradingConfig
from holdfast.model.market import timeframe_ns
from holdfast.runtime import bar_routes, filling
from holdfast.runtime.runner import LiveStrategyRunner
from tests.runtime.runner_session import Recorder
from tests.venues.binance_futures.adapter_desk import BTC
from tests.venues.binance_futures.adapter_street import street
from tests.venues.binance_futures.test_adapter_feed import feed_of

HASTE = 12
"""How much faster the exchange's clock goes: a minute is over in five seconds."""

LOOKS_MAX = 2_000


def fast_clock():
    """Return a clock that begins 40 s into a minute."""
    began, minute = time.time_ns(), timeframe_ns("1m")
    first = began - began % minute + 40 * 10**9
    return lambda: first + HASTE * (time.time_ns() - began)


async def test_bars_of_a_start_and_of_a_lost_connection_are_the_exchanges_own(monkeypatch):
    monkeypatch.setattr(filling, "LOOK_S", 0.1)
    monkeypatch.setattr(bar_routes, "MARKS_APART_NS_MAX", timeframe_ns("1m"))
    clock = fast_clock()
    # No beats: a price shown twice is one aggregate, which may reach across the end of a bar.
    with street(clock, beats=False) as market:
        feed = feed_of(market.url, now=clock)
        links, asked = [], []
        fetch = feed.fetch_history

        async def spy(wanted, before_ts):
            asked.extend(wanted)
            await fetch(wanted, before_ts)

        monkeypatch.setattr(feed, "fetch_history", spy)
        recorder = Recorder("1m")
        runner = LiveStrategyRunner(TradingConfig(symbols="BTCUSDT"), feed, hook_budget_ms=5000)
        runner.add_strategy("r", recorder)
        hear = runner.on_link

        def hear_link(symbol, *, is_up):
            links.append(is_up)
            hear(symbol, is_up=is_up)

        monkeypatch.setattr(runner, "on_link", hear_link)
        await runner.start()
        try:
            for look in range(LOOKS_MAX):
                market.price(50_000.0 + look % 97)
                if len(recorder.live) == 1 and not links:
                    market.goes_wrong("disconnect", "*", count=2)
                if len(recorder.live) >= 4:
                    break
                await asyncio.sleep(0.01)
        finally:
            await runner.stop()
        bars = recorder.live
        other = feed_of(market.url, now=clock)
        await other.fetch_history([(BTC, "1m", 20)], bars[-1].ts)
        candles = [c for c in other.history(BTC, "1m", bars[-1].ts, 20) if c.ts >= bars[0].ts]

    assert len(bars) >= 4
    assert links[:2] == [False, True]
    assert len(asked) >= 2  # the bar of the start, and that of the lost connection
    assert [values(bar) for bar in bars] == [values(candle) for candle in candles]
    assert all(later.open_ts == earlier.ts for earlier, later in itertools.pairwise(bars))


def values(bar):
    return bar.open_ts, bar.open, bar.high, bar.low, bar.close, round(bar.volume, 6)


async def test_history_holds_no_bar_that_is_open_at_the_exchange_whatever_our_clock_says():
    clock = fast_clock()
    with street(clock) as market:
        feed = feed_of(market.url, now=clock)
        ahead = clock() + 2 * timeframe_ns("1m")
        market.price(50_001.0)
        await feed.fetch_history([(BTC, "1m", 5)], ahead)

        assert all(bar.ts <= clock() for bar in feed.history(BTC, "1m", ahead, 5))


async def test_history_of_a_late_begin_holds_no_bar_that_is_open_at_the_exchange_either():
    clock = fast_clock()
    with street(clock) as market:
        feed = feed_of(market.url, now=clock)
        market.price(50_001.0)
        heard = aiter(feed.messages())
        try:
            await anext(heard)
            ahead = clock() + 2 * timeframe_ns("1m")
            await feed.fetch_history([(BTC, "1m", 5)], ahead)

            assert all(bar.ts <= clock() for bar in feed.history(BTC, "1m", ahead, 5))
        finally:
            await heard.aclose()
