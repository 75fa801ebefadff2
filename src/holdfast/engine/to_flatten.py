"""How much is left of what was taken over from the venue to be closed.

Rule: the session closes so much, and no more. What is opened beside it is its owner's, and dust
that is left beside it is nobody's: no order closes that alone.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ..model import events as ev
from ..model.values import OPERATOR, ZERO, Key, OrderRole

if TYPE_CHECKING:
    from .order import Order
    from .state import State


def taken_over(state: State, fact: ev.PositionAdopted) -> None:
    """Begin anew with what the venue has."""
    key = (fact.account, fact.symbol)
    state.to_flatten.pop(key, None)
    if fact.flatten and fact.qty:
        state.to_flatten[key] = abs(fact.qty)


def traded(
    state: State, fill: ev.OrderFilled, order: Order | None, held: Decimal, nobodys: Decimal
) -> None:
    """Take off what a fill has closed of it: the close itself, or whoever closed what is nobody's.

    Args:
        held: the position that it came upon, signed.
        nobodys: by how much it made that smaller which no parent holds.
    """
    key = (fill.account, fill.symbol)
    if key not in state.to_flatten:
        return
    now = state.position(key).qty
    left = state.to_flatten[key]
    if held * fill.side.sign < ZERO:
        left -= fill.qty if _is_close(order) else max(nobodys, ZERO)
    left = min(left, abs(now)) if held * now > ZERO else ZERO
    if left <= ZERO or (left < abs(now) and _is_dust(state, key, left)):
        del state.to_flatten[key]
    else:
        state.to_flatten[key] = left


def _is_close(order: Order | None) -> bool:
    if order is None:
        return False
    return order.role is OrderRole.EXIT and order.request.strategy_id == OPERATOR


def _is_dust(state: State, key: Key, qty: Decimal) -> bool:
    instrument = state.instruments.get(key)
    return instrument is not None and instrument.round_qty(qty) < instrument.min_qty
