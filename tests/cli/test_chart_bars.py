"""The bars that a report's price charts draw, of feeds that have none of every length."""

from __future__ import annotations

from typing import cast

import pytest

from holdfast.cli.ending import bars_of
from holdfast.model.market import Bar, timeframe_ns
from holdfast.model.values import NS_PER_S, Symbol
from holdfast.ports import Feed
from holdfast.stats import SessionStats

BTC = Symbol("BTCUSDT")
NOW = 1_000_000 * 60 * NS_PER_S


class MinutesAlone:
    """A feed as Binance's is: it has no history below a minute."""

    def history(self, symbol, timeframe, before_ts, count):
        length = timeframe_ns(timeframe)
        if length < timeframe_ns("1m"):
            return []
        until = before_ts - before_ts % length
        return [
            Bar(symbol=symbol, timeframe=timeframe, open_ts=until - n * length,
                ts=until - (n - 1) * length, open=1, high=2, low=1, close=2, volume=1)
            for n in range(count, 0, -1)
        ]  # fmt: skip


@pytest.mark.parametrize("seconds", [50, 3600, 8900])
def test_a_short_session_is_drawn_in_minutes_where_there_is_nothing_shorter(seconds):
    figures = SessionStats(started_ts=NOW - seconds * NS_PER_S, ended_ts=NOW)
    feed = cast("Feed", MinutesAlone())
    found = bars_of(feed, [BTC], figures, NOW)[BTC]
    assert {bar.timeframe for bar in found} == {"1m"}
    assert found[0].open_ts <= figures.started_ts
    assert found[-1].ts == NOW
