"""Client order ids: who owns an order can be read off its id, without any lookup.

`hf.2.1a.7.E.sma_cross` is prefix, epoch, sequence, parent's sequence, role and strategy, numbers
in base 36. It fits the alphabet and the 36 characters of Binance's client ids.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from .values import NS_PER_S, ClOrdId, OrderRole, StrategyId

LENGTH_MAX = 36
STRATEGY_LENGTH_MAX = 12
PREFIX = "hf"
NAMES_KEPT = 256
EPOCHS_FROM_NS = 1_767_225_600 * NS_PER_S  # 2026-01-01
EPOCH_NS = NS_PER_S
"""No process starts anew more often than that for long: a start asks the venue a dozen things."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")
_SHAPE = re.compile(
    r"(?P<prefix>[A-Za-z0-9_-]+)\.(?P<epoch>[0-9a-z]+)\.(?P<seq>[0-9a-z]+)"
    r"\.(?P<parent>[0-9a-z]+)\.(?P<role>[EXST])\.(?P<strategy>[A-Za-z0-9_-]*)"
)


def epoch_at(now: int) -> int:
    """Return the least epoch of a process that starts now.

    It grows with time, faster than by starts: where a journal was lost, or an older copy of it has
    taken its place, no epoch and so no id comes again.
    """
    return max((now - EPOCHS_FROM_NS) // EPOCH_NS, 1)


class Owner(NamedTuple):
    """What a client order id says."""

    prefix: str
    epoch: int
    seq: int
    parent: int
    role: OrderRole
    strategy: StrategyId  # shortened to `STRATEGY_LENGTH_MAX`, or to the room that was left

    def may_be(self, strategy: StrategyId) -> bool:
        """Tell whether a strategy's orders have ids like this one."""
        return make_cl_ord_id(self._replace(strategy=strategy)) == make_cl_ord_id(self)


def base36(number: int) -> str:
    """Write a number that is not negative in base 36."""
    text = _DIGITS[number % 36]
    while number >= 36:
        number //= 36
        text = _DIGITS[number % 36] + text
    return text


@lru_cache(maxsize=NAMES_KEPT)
def _fitting(strategy: StrategyId) -> str:
    return _FOREIGN.sub("_", strategy)[:STRATEGY_LENGTH_MAX]


def make_cl_ord_id(owner: Owner) -> ClOrdId:
    """Compose an id. The strategy's name is cut and its odd characters replaced."""
    prefix, epoch, seq, parent, role, strategy = owner
    head = f"{prefix}.{base36(epoch)}.{base36(seq)}.{base36(parent)}"
    return ClOrdId(f"{head}.{role.letter}.{_fitting(strategy)}"[:LENGTH_MAX])


def parse_cl_ord_id(text: str) -> Owner | None:
    """Read an id back; None where it is not of our shape."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    return Owner(
        prefix=match["prefix"],
        epoch=int(match["epoch"], 36),
        seq=int(match["seq"], 36),
        parent=int(match["parent"], 36),
        role=OrderRole(match["role"]),
        strategy=StrategyId(match["strategy"]),
    )
