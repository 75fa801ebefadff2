"""Trades of one symbol that two places tell: files of different kinds, or of other symbols beside.

Each would count twice, in bars, in what fills an order, and in what a strategy hears. Files of one
strand can't overlap; those of two may, by quotes beside trades, or by taking turns. So it is looked
at what they tell: one chunk of each place lies about the time that is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ..model.errors import FeedError
from ..model.market import Trade
from ..model.values import NS_PER_S, Symbol
from .columns import TradeColumns
from .source import Chunk
from .strand import Strand

OVERLAP_NS_MAX = NS_PER_S
"""For so long two places may both tell of a symbol's trades, as where one follows the other."""

Span = tuple[int, int]
"""The times of the first and of the last."""


class Tapes:
    """Watches the chunks of all places of one reading."""

    def __init__(self, strands: Sequence[Strand]) -> None:
        tapes = [strand for strand in strands if strand.kind in ("trades", "capture")]
        counts = Counter(symbol for strand in tapes for symbol in strand.symbols)
        self._shared = frozenset(symbol for symbol, count in counts.items() if count > 1)
        self._spans: dict[Symbol, dict[str, Span]] = {}  # of the last chunk, by symbol and place
        self._both_ns: Counter[Symbol] = Counter()

    def watched(self, strand: Strand, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Yield the chunks of a place.

        Raises:
            FeedError: another place tells the same symbol's trades of the same time.
        """
        if not self._shared.intersection(strand.symbols):
            return chunks
        return self._watched(strand.name, chunks)

    def _watched(self, place: str, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            for symbol, span in _spans(chunk).items():
                if symbol in self._shared:
                    self._see(symbol, place, span)
            yield chunk

    def _see(self, symbol: Symbol, place: str, span: Span) -> None:
        spans = self._spans.setdefault(symbol, {})
        for other, (first, last) in spans.items():
            if other == place:
                continue
            self._both_ns[symbol] += max(0, min(last, span[1]) - max(first, span[0]))
            if self._both_ns[symbol] > OVERLAP_NS_MAX:
                at = datetime.fromtimestamp(max(first, span[0]) // NS_PER_S, UTC)
                raise FeedError(
                    f"the trades of {symbol} of {at:%Y-%m-%dT%H:%M:%S} would count twice: both "
                    f"{other} and {place}, or the files behind them, have them; leave one out"
                )
        spans[place] = span


def _spans(chunk: Chunk) -> dict[Symbol, Span]:
    if isinstance(chunk, TradeColumns):
        return {chunk.symbol: (chunk.times[0], chunk.times[-1])}
    spans: dict[Symbol, Span] = {}
    for message in chunk:
        if type(message) is Trade:
            first, _ = spans.get(message.symbol, (message.ts, 0))
            spans[message.symbol] = first, message.ts
    return spans
