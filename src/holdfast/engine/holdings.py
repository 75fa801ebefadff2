"""Which parent holds what of a position: whose holding a fill closes, and whose it opens.

What no parent holds is nobody's: strangers traded it, or the books were begun with it.
Law: of one side, the parents together hold no more than the position.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from ..model import events as ev
from ..model.ids import parse_cl_ord_id
from ..model.values import BUY, OPERATOR, SELL, ZERO, Key, OrderRole, ParentId, Side, StrategyId
from . import forgetting
from .cover import closes, is_covered
from .exits import trades_at_market
from .forgetting import bound, trade_name
from .to_flatten import is_its_close, is_of_its_close

if TYPE_CHECKING:
    from .order import Order
    from .parent import Execution, Parent
    from .state import State


class Part(msgspec.Struct, frozen=True):
    """What was taken from a parent's holding; `is_turned` where it entered later."""

    parent_id: ParentId
    qty: Decimal
    is_turned: bool


class Closed(msgspec.Struct, frozen=True):
    """How much a fill has closed, and what of it was whose; the rest was nobody's."""

    qty: Decimal
    parts: tuple[Part, ...]


def attribute(state: State, fill: ev.OrderFilled, order: Order | None, before: Decimal) -> None:
    """Say whose holding a fill closes, and whose it opens.

    What it closes is taken from its own parent first, then from the same strategy's, then from
    what is nobody's, then from anybody's, the same strategy's before others', the oldest first.
    The session's close of what was taken over has no strategy, whoever's orders by hand are.
    """
    opened = fill.qty
    if before * fill.side.sign < ZERO:
        closed = min(fill.qty, abs(before))
        opened -= closed
        holders = _holders(state, (fill.account, fill.symbol), fill.side.opposite)
        nobodys = max(abs(before) - sum((p.open_qty for p in holders), ZERO), ZERO)
        near, far = _by_nearness(state, holders, fill, order)
        held = [p.open_qty for p in holders]
        is_exit = order is not None and order.is_ours and order.role is not OrderRole.ENTRY
        left = _close_holdings(near, closed, None if is_exit else fill)
        _close_holdings(far, max(left - nobodys, ZERO), fill, are_others=True)
        if order is None or not order.is_ours:
            taken = zip(holders, held, strict=True)
            parts = (Part(p.parent_id, q - p.open_qty, p.entered_after(fill)) for p, q in taken)
            name = trade_name(fill.account, fill.symbol, fill.trade_id)
            state.nameless_fills[name] = Closed(closed, tuple(each for each in parts if each.qty))
            bound(state.nameless_fills, forgetting.NAMELESS_FILLS_KEPT)
    parent = None if order is None else state.parents.get(order.request.parent_id)
    if parent is not None and order is not None and order.role is OrderRole.ENTRY:
        parent.filled_qty += fill.qty
        parent.turned_qty += fill.qty - opened
        parent.enter(fill)
        _open_holding(state, parent, opened, fill.ts)
    elif opened:
        _give_to_turned(state, fill, opened)


def recognize(state: State, fact: ev.FillRecognized, order: Order) -> None:
    """Give an entry what it has opened under its child's name, as far as that is nobody's still;
    book what a stop, a target or an exit has closed so as if it had been heard as theirs.
    """
    closed = state.nameless_fills.pop(trade_name(*order.key, fact.trade_id), None)
    if closed is not None and fact.gives_back and order.role is not OrderRole.ENTRY:
        _close_its_own(state, fact, order, closed)
    parent = state.parents.get(order.request.parent_id)
    if parent is None or order.role is not OrderRole.ENTRY:
        return
    held = max(state.position(order.key).qty * parent.side.sign, ZERO)
    holders = _holders(state, order.key, parent.side)
    nobodys = max(held - sum((p.open_qty for p in holders), ZERO), ZERO)
    parent.filled_qty += fact.qty
    _open_holding(state, parent, min(fact.qty, nobodys), fact.ts)


def _close_its_own(state: State, fact: ev.FillRecognized, order: Order, closed: Closed) -> None:
    """Give back what a fill was taken to have closed, and close what it was meant to."""
    for part in closed.parts:
        holder = state.parents.get(part.parent_id)
        if holder is None:
            continue
        qty = min(part.qty, holder.turned_qty) if part.is_turned else part.qty
        if part.is_turned:
            holder.turned_qty -= qty
        else:
            holder.taken_qty -= qty
        _open_holding(state, holder, qty, fact.ts)
    side = order.side.opposite
    holders = _holders(state, order.key, side)
    near, far = _by_nearness(state, holders, fact, order)
    _close_holdings(near, closed.qty)
    held = max(state.position(order.key).qty * side.sign, ZERO)
    gone = max(sum((p.open_qty for p in holders), ZERO) - held, ZERO)
    _close_holdings(far, gone, fact, are_others=True)


def _open_holding(state: State, parent: Parent, qty: Decimal, ts: int) -> None:
    if is_covered(state, parent):
        parent.opened_ts = ts
    parent.open_qty += qty
    revive(state, parent)


def _give_to_turned(state: State, fill: ev.OrderFilled, opened: Decimal) -> None:
    """Give what an exit opens by our books to the entries that had closed in its stead.

    No exit opens anything at the venue: it closed, entries came behind it, and those were heard
    of first. The entry that came last has it first. So it is with what strangers, and the venue,
    closed before an entry; what they opened besides is nobody's.
    """
    key = (fill.account, fill.symbol)
    live = [*state.live_parents_of(key), *(state.parents[i] for i in state.closed_parents)]
    turned = [
        each
        for each in live
        if each.key == key and each.side is fill.side and each.entered_ts >= fill.venue_ts
    ]
    for parent in sorted(turned, key=lambda each: -each.entered_ts):
        part = min(opened, parent.turned_qty)
        if part:
            parent.turned_qty -= part
            opened -= part
            _open_holding(state, parent, part, fill.ts)


def holding(state: State, key: Key, strategy_id: StrategyId) -> Decimal:
    """Return what a strategy holds of a symbol, signed; the operator holds the position."""
    if strategy_id == OPERATOR:
        return state.position(key).qty
    held = ZERO
    for parent_id in state.live_parents.get(key, ()):
        parent = state.parents[parent_id]
        if parent.start.strategy_id == strategy_id:
            held += parent.open_qty * parent.start.side.sign
    return held


def nobodys(state: State, key: Key) -> Decimal:
    """Return how much of a position no parent holds."""
    held = state.position(key).qty
    side = BUY if held > ZERO else SELL
    return max(abs(held) - sum((p.open_qty for p in _holders(state, key, side)), ZERO), ZERO)


def revive(state: State, parent: Parent) -> None:
    """Put a parent back among the live ones: after its end there is work again."""
    if parent.parent_id in state.closed_parents:
        state.closed_parents.remove(parent.parent_id)
        state.live_parents[parent.key].append(parent.parent_id)


def _holders(state: State, key: Key, side: Side) -> list[Parent]:
    return [p for p in state.live_parents_of(key) if p.open_qty and p.side is side]


def worked_of_taken_over(state: State, key: Key, exits: list[Order]) -> Decimal:
    """Return how much of what was taken over to be closed others' exits are at work on: what is
    nobody's of what they close, and what parents hold of it, in the order in which it is booked.
    """
    held = state.position(key).qty
    holders = _holders(state, key, BUY if held > ZERO else SELL)
    left, free = {p.parent_id: p.open_qty for p in holders}, nobodys(state, key)
    worked = ZERO
    for order in exits:
        qty = closes(order, abs(held))
        near, far = _by_nearness(state, holders, None, order)
        qty = _count_off(left, near, qty)
        part = min(qty, free)
        free, worked = free - part, worked + part
        _count_off(left, far, qty - part)
    theirs = (max(p.to_flatten - left[p.parent_id], ZERO) for p in holders)
    return worked + sum(theirs, ZERO)


def worked_of(state: State, parent: Parent) -> Decimal:
    """Return how much of what a parent holds others of its strategy's exits are at work on, in the
    order in which they are booked: each closes what its own parent holds first.
    """
    held, holders = abs(state.position(parent.key).qty), _holders(state, parent.key, parent.side)
    left = {p.parent_id: p.open_qty for p in holders}
    exits = [
        order
        for order in state.open_orders_of(parent.key)
        if order.request.strategy_id == parent.strategy_id
        and order.side is not parent.side
        and trades_at_market(order)
        and not is_its_close(state, order)
    ]
    worked = ZERO
    for order in sorted(exits, key=lambda each: each.request.parent_id not in left):
        before = left.get(parent.parent_id, ZERO)
        _count_off(left, _by_nearness(state, holders, None, order)[0], closes(order, held))
        if order.request.parent_id != parent.parent_id:
            worked += before - left.get(parent.parent_id, ZERO)
    return worked


def _count_off(left: dict[ParentId, Decimal], holders: list[Parent], qty: Decimal) -> Decimal:
    """Take a quantity from what holders have left; return what they do not have."""
    for parent in holders:
        part = min(qty, left[parent.parent_id])
        left[parent.parent_id] -= part
        qty -= part
    return qty


def _by_nearness(
    state: State, holders: list[Parent], fill: Execution | None, order: Order | None
) -> tuple[list[Parent], list[Parent]]:
    """Part holders into those whose holding an order is meant to close, and the others.

    What the same strategy came to hold only later, at the venue, was not there to be closed.
    """
    near: list[Parent] = []
    if isinstance(fill, ev.OrderFilled) and is_of_its_close(state, fill, order):
        holders = sorted(holders, key=lambda p: not p.to_flatten)
    elif order is not None and order.is_ours:
        own, strategy = order.request.parent_id, order.request.strategy_id
        same = [p for p in holders if own == p.parent_id or strategy == p.strategy_id]
        later = [p for p in same if fill is not None and p.is_behind(fill)]
        near = [p for p in same if own == p.parent_id or p not in later]
        near.sort(key=lambda p: p.parent_id != own)
        holders = [*same, *(p for p in holders if p not in same)]
    elif order is None and fill is not None:
        owner = parse_cl_ord_id(fill.cl_ord_id)  # its facts are gone
        near = [p for p in holders if owner is not None and owner.may_be(p.strategy_id)]
    return near, [p for p in holders if p not in near]


def _close_holdings(
    holders: list[Parent],
    closed: Decimal,
    fill: Execution | None = None,
    *,
    are_others: bool = False,
) -> Decimal:
    """Take a quantity from holdings, the first one first; return what they do not have.

    Args:
        fill: what closes: an entry that came later at the venue stands in for what was there then;
            None where it was meant to close these.
        are_others: what closes is neither theirs nor their strategies'.
    """
    for parent in holders:
        part = min(closed, parent.open_qty)
        parent.open_qty -= part
        closed -= part
        if fill is not None and parent.entered_after(fill):
            parent.turned_qty += part
        elif are_others:
            parent.taken_qty += part
    return closed


def trim(state: State, key: Key) -> None:
    """Let go of what a position that was taken over as it is does not have."""
    qty = state.position(key).qty
    for side in Side:
        holders = _holders(state, key, side)
        most = max(qty * side.sign, ZERO)
        gone = max(sum((p.open_qty for p in holders), ZERO) - most, ZERO)
        _close_holdings(holders, gone, are_others=True)
