"""Trades of one symbol side by side: as messages, and as columns to look over quickly."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ..feeds.columns import TradeColumns
from ..model.market import MarketData, Trade
from ..model.values import Symbol

SHORTEST = 32
"""Fewer trades in a row are not worth a block."""

_KINDS = frozenset({Trade})


class Block:
    """Trades in time order, their times and their prices."""

    __slots__ = ("_trades", "prices", "symbol", "times")

    def __init__(
        self,
        symbol: Symbol,
        trades: Sequence[Trade] | TradeColumns,
        times: list[int],
        prices: NDArray[np.float64],
    ) -> None:
        self.symbol = symbol
        self.times = times
        self.prices = prices
        self._trades = trades

    @classmethod
    def of(cls, trades: Sequence[Trade]) -> Block:
        """Make the columns of some trades."""
        prices = np.array([trade.price for trade in trades])
        return cls(trades[0].symbol, trades, [trade.ts for trade in trades], prices)

    def __len__(self) -> int:
        return len(self.times)

    def at(self, place: int) -> Trade:
        """Return one trade."""
        return self._trades[place]

    def messages(self, start: int, stop: int) -> Sequence[Trade]:
        """Return the trades of some places."""
        trades = self._trades
        if isinstance(trades, TradeColumns):
            return trades.messages(start, stop)
        return trades[start:stop]

    def qtys(self, start: int, stop: int) -> list[float]:
        """Return the quantities of some places."""
        trades = self._trades
        if isinstance(trades, TradeColumns):
            return trades.qtys(start, stop)
        return [each.qty for each in trades[start:stop]]

    def inside(self, start: int, stop: int, low: float, high: float) -> int:
        """Return the first place from `start` on whose price is not strictly between; or `stop`."""
        prices = self.prices[start:stop]
        is_outside = ~((prices > low) & (prices < high))
        first = int(is_outside.argmax())
        return start + first if is_outside[first] else stop

    def last_of_periods(self, start: int, stop: int, length_ns: int) -> Iterator[Trade]:
        """Yield the last trade of each period that the places `start` to `stop` touch."""
        times, at = self.times, start
        while at < stop:
            end_ts = times[at] - times[at] % length_ns + length_ns
            at = bisect_left(times, end_ts, at, stop)
            yield self.at(at - 1)


def blocks(chunk: Sequence[MarketData]) -> Iterator[Block | Sequence[MarketData]]:
    """Part a chunk into blocks of trades, and what is between them."""
    if isinstance(chunk, TradeColumns):
        yield Block(chunk.symbol, chunk, chunk.times, chunk.prices)
        return
    kinds = set(map(type, chunk))
    if len(chunk) < SHORTEST or Trade not in kinds:
        yield chunk
    elif kinds == _KINDS and len({each.symbol for each in chunk}) == 1:
        yield Block.of(chunk)  # type: ignore[arg-type]  # all are trades
    else:
        yield from _parted(chunk)


def _parted(chunk: Sequence[MarketData]) -> Iterator[Block | Sequence[MarketData]]:
    others: list[MarketData] = []
    for is_trade, group in groupby(chunk, _kind):
        run = list(group)
        if is_trade and len(run) >= SHORTEST:
            if others:
                yield others
                others = []
            yield Block.of(run)  # type: ignore[arg-type]  # all are trades
        else:
            others += run
    if others:
        yield others


def _kind(message: MarketData) -> Symbol | None:
    return message.symbol if type(message) is Trade else None
