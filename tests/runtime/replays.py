"""Replays of markets that a test writes, with and without leaving anything out."""

from __future__ import annotations

import asyncio

from holdfast.exchange import known_instrument
from holdfast.feeds import RecordingFeed
from holdfast.journal import MemoryJournal
from holdfast.model.config import TradingConfig
from holdfast.model.values import NS_PER_S, Symbol
from holdfast.runtime.replay import replay
from holdfast.strategies import Strategy

BTC = Symbol("BTCUSDT")
START = 1_700_000_000 * NS_PER_S


class Listed:
    """A feed of messages in a list, which is all there: what changes nothing may be left out."""

    name = "listed"
    is_live = False
    default_timeframe = "1m"
    pace = 0.0

    def __init__(self, messages, symbols=(BTC,), chunk=500):
        self.all = list(messages)
        self.symbols = symbols
        self.chunk = chunk
        self.start_ts = self.all[0].ts

    def instruments(self):
        return [known_instrument(symbol) for symbol in self.symbols]

    def history(self, symbol, timeframe, before_ts, count):
        return []

    def read(self, after_ts=0):
        for start in range(0, len(self.all), self.chunk):
            yield self.all[start : start + self.chunk]

    async def messages(self, after_ts=0):
        for chunk in self.read():
            yield chunk


class Streamed:
    """The same as another feed, but as a stream alone: every message takes the whole way."""

    def __init__(self, feed):
        for name in ("name", "is_live", "pace", "default_timeframe", "start_ts"):
            setattr(self, name, getattr(feed, name))
        for method in ("instruments", "history", "messages"):
            setattr(self, method, getattr(feed, method))


ORDER_WISHES = {
    "CANCEL": lambda one, order, given: one.cancel(order.cl_ord_id),
    "MODIFY": lambda one, order, given: one.modify(order.cl_ord_id, given["price"]),
}


class Scripted(Strategy):
    """Wishes at the trades whose numbers the script names; looks around while it does."""

    def __init__(self, script, looks=frozenset()):
        self.script = dict(script)
        self.looks = looks
        self.count = 0
        self.seen: list = []

    def on_trade(self, trade):
        number, self.count = self.count, self.count + 1
        if number in self.looks:
            self.seen.append((self.ctx.now(), self.ctx.equity(), self.ctx.position(trade.symbol)))
        if (wish := self.script.get(number)) is not None:
            kind, given = wish
            given = given(trade) if callable(given) else given
            if kind in ORDER_WISHES:
                self.seen.append(resting := self.ctx.orders(trade.symbol))
                for order in resting[: given["count"]]:
                    ORDER_WISHES[kind](self, order, given)
            else:
                self.signal(kind, trade.symbol, **given)

    def on_order(self, update):
        self.seen.append((self.ctx.now(), update))

    def on_fill(self, fill):
        self.seen.append((self.ctx.now(), fill.qty, fill.price, self.ctx.equity()))


def settings(**given):
    free = {"max_daily_loss_pct": "1", "stale_after_s": 3600, "log_trades": False}
    return TradingConfig(**{"symbols": ("BTCUSDT",), **free, **given})


def replayed(feed, strategies, config=None, **given):
    """Return how a replay ended, and its facts."""
    journal = MemoryJournal()
    work = replay(config or settings(), strategies, feed, journal=journal, session_id="s", **given)
    return asyncio.run(work), journal.facts


def both_ways(feed, make, config=None, **given):
    """Replay quickly and carefully with strategies of the same making; return both."""
    quick, careful = make(), make()
    return (
        (*replayed(feed, quick, config, **given), quick),
        (*replayed(Streamed(feed), careful, config, **given), careful),
    )


def recording(path, **given):
    return RecordingFeed(path, **given)
