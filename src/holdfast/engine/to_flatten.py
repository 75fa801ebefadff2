"""How much is left of what was taken over from the venue to be closed.

Rule: the session closes so much, and no more. What is opened beside it is its owner's, and dust
that is left beside it is nobody's: no order closes that alone. What parents held of it is theirs
until then: what they close of that, the session need not.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ..model import events as ev
from ..model.ids import parse_cl_ord_id
from ..model.values import OPERATOR, ZERO, ClOrdId, Key, OrderRole, OrderType

if TYPE_CHECKING:
    from .order import Order
    from .state import State


def taken_over(state: State, fact: ev.PositionAdopted) -> None:
    """Begin anew with what the venue has, and with what parents hold of it."""
    key = (fact.account, fact.symbol)
    state.to_flatten.pop(key, None)
    if fact.flatten and fact.qty:
        state.to_flatten[key] = abs(fact.qty)
    for parent in state.parents.values():
        if parent.key == key:
            parent.to_flatten = parent.open_qty if fact.flatten else ZERO


def is_its_close(state: State, order: Order) -> bool:
    """Tell whether the session closes by an order what was taken over, and not somebody by hand.

    Of one that was taken on, since a power cut took its facts, nobody knows: it is taken for that.
    """
    parent = state.parents.get(order.request.parent_id)
    if parent is not None:
        return order.role is OrderRole.EXIT and parent.start.closes_taken_over
    is_found = order.is_adopted and order.is_ours and order.request.order_type is OrderType.MARKET
    return is_found and order.key in state.to_flatten and _may_be_its(order.cl_ord_id)


def is_of_its_close(state: State, fill: ev.OrderFilled, order: Order | None) -> bool:
    """Tell whether a fill is of such a close, or may be of one whose facts are gone."""
    if order is not None:
        return is_its_close(state, order)
    return (fill.account, fill.symbol) in state.to_flatten and _may_be_its(fill.cl_ord_id)


def _may_be_its(cl_ord_id: ClOrdId) -> bool:
    """Tell whether an id may be one of the session's closes; an exit by hand has the like.

    To take such an exit for a close leaves what was opened by hand its stop; the contrary would
    take that away, and have the session close it.
    """
    owner = parse_cl_ord_id(cl_ord_id)
    return owner is not None and owner.role is OrderRole.EXIT and owner.may_be(OPERATOR)


def traded(
    state: State, fill: ev.OrderFilled, order: Order | None, held: Decimal, nobodys: Decimal
) -> None:
    """Take off what a fill has closed of it: the close itself, or whoever closed what is nobody's,
    or what a parent held of it.

    Args:
        held: the position that it came upon, signed.
        nobodys: by how much it made that smaller which no parent holds.
    """
    key = (fill.account, fill.symbol)
    if key not in state.to_flatten:
        return
    now = state.position(key).qty
    left, theirs = state.to_flatten[key], _closed_of_parents(state, key)
    if held * fill.side.sign < ZERO:
        is_own = is_of_its_close(state, fill, order)
        left -= fill.qty if is_own else max(nobodys, ZERO) + theirs
    left = min(left, abs(now)) if held * now > ZERO else ZERO
    if left <= ZERO or (left < abs(now) and _is_dust(state, key, left)):
        del state.to_flatten[key]
    else:
        state.to_flatten[key] = left


def _closed_of_parents(state: State, key: Key) -> Decimal:
    """Return how much parents have ceased to hold of it, and note that; the newest goes first."""
    closed = ZERO
    for parent in state.live_parents_of(key):
        gone = max(parent.to_flatten - parent.open_qty, ZERO)
        parent.to_flatten -= gone
        closed += gone
    return closed


def _is_dust(state: State, key: Key, qty: Decimal) -> bool:
    instrument = state.instruments.get(key)
    return instrument is not None and instrument.round_qty(qty) < instrument.min_qty
