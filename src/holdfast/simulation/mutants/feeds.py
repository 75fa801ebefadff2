"""Mutants of the way from the market's streams to the strategies."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.risk import RULES
from ...feeds import binance_futures, repeats
from ...feeds.binance_futures import BinanceFuturesFeed
from ...feeds.repeats import Repeats
from ...model.bars import BarBuilder
from ...model.market import Bar, Trade
from ...model.values import Symbol
from ...venues.binance_futures.market_watch import MarketWatch
from ...venues.binance_futures.streams import Line, Watch
from ..live_feed import HeardFeed
from .engine import passes
from .patching import Patch


def show_what_is_repeated(patch: Patch) -> None:
    patch.attr(Repeats, "is_repeated", lambda _self, _message: False)


def forget_what_was_shown(patch: Patch) -> None:
    """Begin with an empty memory behind each lost connection."""
    original = BinanceFuturesFeed._lost  # noqa: SLF001 - what is taken apart

    def lost(self: BinanceFuturesFeed, path: str, symbols: Sequence[Symbol]) -> None:
        original(self, path, symbols)
        self._repeats.forget()

    patch.attr(BinanceFuturesFeed, "_lost", lost)


def believe_no_new_count(patch: Patch) -> None:
    """Take a lower number for a repeated one for ever, also behind a lost connection."""

    def lost(self: BinanceFuturesFeed, path: str, symbols: Sequence[Symbol]) -> None:
        self._watch.lost(path, symbols)

    patch.attr(BinanceFuturesFeed, "_lost", lost)
    patch.attr(repeats, "CLOCK_NS", repeats.AGAIN_NS_MAX)


def ask_for_nothing_anew(patch: Patch) -> None:
    """Connect again, and ask for no streams on the new connection."""
    asked: set[object] = set()

    async def call(self: binance_futures._Address) -> str:
        if self in asked:
            return self._url.partition("?")[0]
        asked.add(self)
        return self._url

    patch.attr(binance_futures._Address, "__call__", call)  # noqa: SLF001


def trust_in_silence(patch: Patch) -> None:
    patch.attr(Line, "look", lambda *_: "")


def believe_the_deaf(patch: Patch) -> None:
    """Replace a connection that hears nothing as if it were like any other."""

    def watch(first_s: float, silence_s: float, lifetime_s: float, *, is_shared: bool) -> Watch:
        return Watch(first_s, silence_s, lifetime_s, is_shared=not is_shared)

    patch.attr(binance_futures, "Watch", watch)


def tell_no_loss(patch: Patch) -> None:
    patch.attr(MarketWatch, "lost", lambda _self, _path, _symbols: None)


def miss_no_marks(patch: Patch) -> None:
    patch.attr(MarketWatch, "look", lambda _self: None)


def tell_no_gap(patch: Patch) -> None:
    patch.attr(HeardFeed, "_tell_gap", lambda *_: None)


def trade_on_what_is_cut_off(patch: Patch) -> None:
    patch.item(RULES, "stale_data", passes("stale_data"))


def show_parts_of_bars(patch: Patch) -> None:
    """Take what was heard of a bar for all of it."""
    original = BarBuilder.on_time

    def on_time(self: BarBuilder, now: int) -> Sequence[Bar]:
        self.known_from = 0
        return original(self, now)

    patch.attr(BarBuilder, "on_time", on_time)


def leave_out_what_closes_a_bar(patch: Patch) -> None:
    """Close a bar by a trade, and forget to begin the next one with it."""
    original = BarBuilder.on_trade

    def on_trade(self: BarBuilder, trade: Trade) -> Sequence[Bar]:
        return self.on_time(trade.ts) or original(self, trade)

    patch.attr(BarBuilder, "on_trade", on_trade)
