"""One file of a recording: what is known of it before it is read, and how to read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from ..model.market import MarketData
from ..model.values import Symbol
from .guess import Decimals

SAMPLE_ROWS = 4000
"""How much of a file is looked at before it is read."""

Chunk = Sequence[MarketData]


class Numbers(msgspec.Struct):
    """How far the trades of a capture are counted, by symbol, from file to file.

    `told` is number and time of the last one, `next_ids` the number that follows it, and `unshown`
    how many of those numbered were not shown.
    """

    told: dict[str, tuple[int, int]] = {}
    next_ids: dict[str, int] = {}
    unshown: Counter[str] = msgspec.field(default_factory=Counter)


class Reading(msgspec.Struct, frozen=True):
    """What a pass over the files wants, and what it leaves out.

    `symbols` empty wants all. `skips` counts, by name, what the files hold and no feed shows.
    `last_ts` is up to when the file before this one went, `numbers` how far it had counted.
    """

    symbols: frozenset[Symbol] = frozenset()
    skips: Counter[str] = msgspec.field(default_factory=Counter)
    last_ts: int = 0
    numbers: Numbers = msgspec.field(default_factory=Numbers)

    def wants(self, symbol: Symbol) -> bool:
        return not self.symbols or symbol in self.symbols


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file, sampled.

    `kind` is capture, or that of a table: trades, quotes, klines, marks, funding. `first_ts`
    is the time of its first message, `timeframe` that of its bars or "". `may_have` tells of
    a symbol that the sample did not show whether the file has it further on. `is_numbered` are
    trades with the venue's own numbers, of which nobody knows since when they were heard.
    """

    path: Path
    kind: str
    decimals: dict[Symbol, Decimals]
    first_ts: int
    read: Callable[[Reading], Iterator[Chunk]]
    timeframe: str = ""
    is_numbered: bool = False
    may_have: Callable[[Symbol], bool] = lambda _: False

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(self.decimals)
