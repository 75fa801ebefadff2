"""What an order is called: by the venue's order id, and by ours.

Executions listed over REST name the venue's order id alone. The child order of a triggered
conditional order carries our id too as far as anybody has seen; where it does not, the venue's
word of who its parent is goes before the child's own client id. An id of ours that the venue tells
goes before what is remembered: a venue that lost its memory counts its orders anew.
"""

from __future__ import annotations

from typing import TypeVar

from ....model.ids import parse_cl_ord_id
from ....model.values import ClOrdId, Side

NAMES_MAX = 50_000
"""Orders remembered; the oldest are forgotten and can be asked for again."""

K = TypeVar("K")
V = TypeVar("V")


class OrderNames:
    """One account's orders by the venue's id. It may be lost: never a source of truth.

    Ids are taken to be unique within their symbol alone.
    """

    __slots__ = ("_children", "_names", "_sides", "limit")

    def __init__(self, limit: int = NAMES_MAX) -> None:
        self.limit = limit
        self._names: dict[tuple[str, int], ClOrdId] = {}
        self._children: dict[ClOrdId, int] = {}  # conditional order -> its child's order id
        self._sides: dict[ClOrdId, Side] = {}  # of conditional orders

    def called(self, symbol: str, order_id: int, told: str) -> ClOrdId:
        """Return our name of an order, learning what the venue calls it when it is new."""
        known = self._names.get((symbol, order_id))
        if known is not None and (known == told or parse_cl_ord_id(told) is None):
            return known
        name = ClOrdId(told or f"order-{order_id}")
        if order_id:
            _put(self._names, (symbol, order_id), name, self.limit)
        return name

    def known(self, symbol: str, order_id: int) -> ClOrdId | None:
        """Return our name of an order; None where it was never heard of."""
        return self._names.get((symbol, order_id))

    def adopt_child(self, cl_ord_id: ClOrdId, symbol: str, order_id: int) -> None:
        """Remember that a conditional order goes on as this ordinary one."""
        _put(self._names, (symbol, order_id), cl_ord_id, self.limit)
        _put(self._children, cl_ord_id, order_id, self.limit)

    def child_of(self, cl_ord_id: ClOrdId) -> int | None:
        """Return the ordinary order that a conditional one became; None before, or unknown."""
        return self._children.get(cl_ord_id)

    def note_side(self, cl_ord_id: ClOrdId, side: Side) -> None:
        """Remember a conditional order's side: the answer to its cancel does not tell it."""
        _put(self._sides, cl_ord_id, side, self.limit)

    def side_of(self, cl_ord_id: ClOrdId) -> Side | None:
        """Return a conditional order's side; None where it was never heard of."""
        return self._sides.get(cl_ord_id)


def _put(memory: dict[K, V], key: K, value: V, limit: int) -> None:
    memory[key] = value
    if len(memory) > limit:
        del memory[next(iter(memory))]
