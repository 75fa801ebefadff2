"""Stops and targets of ours whose wish is gone, as a power cut takes it.

They are taken on as they rest, for they may guard what their entry has filled. Nobody's wish says
how long: left alone, they would close what is opened next, by a price of before.
"""

from __future__ import annotations

from decimal import Decimal

from ..model.values import NS_PER_S, ZERO, OrderRole
from .core import Core
from .cover import cover
from .exits import closable
from .order import Order
from .state import State

LEARNED_NS = 60 * NS_PER_S
"""How long what they guard may take to be learned: fills are listed later than orders are."""

_PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


def is_orphan(order: Order) -> bool:
    """Tell whether an order is one of those."""
    return order.is_ours and order.is_adopted and order.role in _PROTECTIVE


def guards_nothing(core: Core, order: Order) -> bool:
    """Tell whether it is one of those, and nothing is left, or held, that it could be meant for."""
    if not is_orphan(order) or core.now - order.created_ts < LEARNED_NS:
        return False
    parent = core.state.parents.get(order.request.parent_id)
    if parent is None:
        return _unguarded(core.state, order) <= ZERO
    return not parent.legs and not cover(core.state, parent)


def _unguarded(state: State, order: Order) -> Decimal:
    """Return how much of what an order would close has no order of its kind by a known wish."""
    guarded = (
        parent.open_qty
        for parent in state.live_parents_of(order.key)
        if parent.side is not order.side and parent.protective_price(order.role) is not None
    )
    return closable(state.position(order.key).qty, order.side) - sum(guarded, ZERO)
