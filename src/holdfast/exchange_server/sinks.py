"""Who hears of what happens at the exchange, and of what."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..exchange import Output
from ..model.market import MarketData
from ..model.values import AccountId, Symbol

Sink = Callable[[Sequence[Output], int], None]
"""Hears what one call set off, whole and in order, and the time; committed already."""

MarketSink = Callable[[MarketData], None]
"""Hears each public message after the core has taken it in. Trades have ids, bars become trades."""

LeverageSink = Callable[[AccountId, Symbol, int, int], None]
"""Hears of an account's new leverage in a symbol, and the time."""

AssetModeSink = Callable[[AccountId, bool, int], None]
"""Hears whether all dollars of an account are one margin now, and the time."""
