"""Client order ids: who owns an order can be read off its id, without any lookup.

`hf.2.1a.7.E.sma_cross` is prefix, epoch, sequence, parent's sequence, role and strategy, numbers
in base 36. It fits the alphabet and the 36 characters of Binance's client ids. A strategy's name
that is too long for it ends in a checksum: two that begin alike have ids of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from .values import NS_PER_S, ClOrdId, OrderRole, StrategyId

LENGTH_MAX = 36
STRATEGY_LENGTH_MAX = 12
CHECKSUM_LENGTH = 3
PREFIX = "hf"
NAMES_KEPT = 256
EPOCHS_FROM_NS = 1_767_225_600 * NS_PER_S  # 2026-01-01
EPOCH_NS = NS_PER_S
"""No process starts anew more often than that for long: a start asks the venue a dozen things."""

SETTLED = "settled"
VENUE_CLOSINGS = (
    ("autoclose-", "liquidated"),
    ("adl_autoclose", "deleveraged"),
    ("settlement_autoclose", SETTLED),
    ("delivery_autoclose", SETTLED),
)
"""How Binance begins the ids of orders of its own, and what becomes of a position by them."""

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


def venue_closing(cl_ord_id: ClOrdId) -> str:
    """Return what becomes of a position by an order of the venue's own; "" by any other."""
    return next((what for start, what in VENUE_CLOSINGS if cl_ord_id.startswith(start)), "")


def is_settlement(cl_ord_id: ClOrdId) -> bool:
    """Tell whether an order ends its contract."""
    return venue_closing(cl_ord_id) == SETTLED


def by_number(cl_ord_id: ClOrdId, venue_order_id: str) -> ClOrdId:
    """Return what an order of somebody else's is called here whose name is another order's too.

    One of the venue's own is known by how its name begins.
    """
    is_venues = venue_closing(cl_ord_id) != ""
    return ClOrdId(f"{cl_ord_id if is_venues else 'order'}-{venue_order_id}")


def is_by_number(cl_ord_id: ClOrdId, venue_order_id: str) -> bool:
    """Tell whether an order has such a name, of which the venue knows nothing."""
    begins = cl_ord_id.removesuffix(f"-{venue_order_id}")
    return begins != cl_ord_id and (begins == "order" or venue_closing(ClOrdId(begins)) != "")


class Owner(NamedTuple):
    """What a client order id says."""

    prefix: str
    epoch: int
    seq: int
    parent: int
    role: OrderRole
    strategy: StrategyId  # shortened to `STRATEGY_LENGTH_MAX`, or to the room that was left

    def meant_among(self, known: Iterable[StrategyId]) -> StrategyId | None:
        """Return the one of these strategies that is meant; None where two could be, or none is."""
        names, own = list(known), _cut_id(self)
        meant = [s for s in names if make_cl_ord_id(self._replace(strategy=s)) == own]
        meant = meant or [s for s in names if self.may_be(s)]
        return meant[0] if len(meant) == 1 else None

    def may_be(self, strategy: StrategyId) -> bool:
        """Tell whether a strategy's orders have ids like this one, or once had."""
        own, other = _cut_id(self), self._replace(strategy=strategy)
        return own in (make_cl_ord_id(other), _cut_id(other))


def base36(number: int) -> str:
    """Write a number that is not negative in base 36."""
    text = _DIGITS[number % 36]
    while number >= 36:
        number //= 36
        text = _DIGITS[number % 36] + text
    return text


@lru_cache(maxsize=NAMES_KEPT)
def short_name(strategy: StrategyId, room: int = STRATEGY_LENGTH_MAX) -> str:
    """Return a strategy's name as ids carry it: as it is, or its beginning and a checksum."""
    cut = _FOREIGN.sub("_", strategy)[:room]
    if cut == strategy:
        return cut
    checksum = base36(crc32(strategy.encode()) % 36**CHECKSUM_LENGTH).rjust(CHECKSUM_LENGTH, "0")
    return f"{cut[: max(room - CHECKSUM_LENGTH - 1, 0)]}-{checksum}"[:room]


def make_cl_ord_id(owner: Owner) -> ClOrdId:
    """Compose an id. The strategy's name is shortened and its odd characters replaced."""
    head = _head(owner)
    room = min(max(LENGTH_MAX - len(head), 0), STRATEGY_LENGTH_MAX)
    return ClOrdId(f"{head}{short_name(owner.strategy, room)}"[:LENGTH_MAX])


def _cut_id(owner: Owner) -> str:
    """Compose an id as it once was: two names that begin alike were one."""
    name = _FOREIGN.sub("_", owner.strategy)[:STRATEGY_LENGTH_MAX]
    return f"{_head(owner)}{name}"[:LENGTH_MAX]


def _head(owner: Owner) -> str:
    prefix, epoch, seq, parent, role, _ = owner
    return f"{prefix}.{base36(epoch)}.{base36(seq)}.{base36(parent)}.{role.letter}."


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
