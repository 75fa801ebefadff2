"""Show a strategy the history that it asked for."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from ..model.market import timeframe_ns
from ..ports import Feed
from .attached import Attached

_end = attrgetter("ts")


def warm_up(one: Attached, feed: Feed, now: int, call: Callable[..., object]) -> int:
    """Show history up to a time, as it happened over all time frames; return how many bars.

    Args:
        call: is given the strategy, its hook, and the bar.

    Raises:
        FeedError: the history can't be read.
    """
    window = one.window
    bars = [
        bar
        for symbol in window.symbols
        for timeframe in sorted(window.timeframes, key=timeframe_ns)
        for bar in feed.history(symbol, timeframe, now, one.warmup_bars)
    ]
    bars.sort(key=_end)  # stable: of one end, the shorter first, as they come live
    window.is_warming_up = True
    for bar in bars:
        if one.is_live and window.show(bar) and one.on_bar is not None:
            call(one, one.on_bar, bar)
    window.is_warming_up = False
    return len(bars)
