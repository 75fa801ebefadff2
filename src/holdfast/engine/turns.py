"""Turns: the exits and the entry of one wish. Tell of one that ended short.

They leave one behind the other, and nothing makes the venue take them up in that order: an entry
that comes first closes what the exit was to close, and the exit is refused, since nothing is left
to reduce. So it does where the exit is refused, is lost or finds no taker. What was to be turned is
flat then, or less than was wished for: no risk, but not the wish either.
"""

from __future__ import annotations

from decimal import Decimal

from ..model import events as ev
from ..model.values import ZERO, OrderRole, ParentId, plain
from .core import Core
from .order import Order
from .parent import Parent
from .state import State


def on_end(core: Core, ended: Order) -> None:
    """Look at a turn of which an order has ended; not a stop, nor what closes for want of one."""
    parent = core.state.parents.get(ended.request.parent_id)
    if parent is not None and ended.role is _role(parent):
        _tell_short(core, parent)


def on_woken(core: Core, fact: ev.ParentWoken) -> None:
    """Look at a turn whose entry was worked on for the last time, and sends no more parts."""
    parent = core.state.parents.get(fact.parent_id)
    if parent is not None:
        _tell_short(core, parent)


def _tell_short(core: Core, parent: Parent) -> None:
    """Say once that a turn ended short, when the last of its orders has ended, and none is due."""
    wish = _of_one_wish(core.state, parent)
    entry = next((each for each in wish if _role(each) is OrderRole.ENTRY), None)
    exits = [each for each in wish if _role(each) is OrderRole.EXIT]
    if entry is None or not entry.turned_qty or any(_works(core.state, each) for each in wish):
        return
    missing = min(entry.turned_qty, sum((_left(core.state, each) for each in exits), ZERO))
    place = ("turn_short", parent.start.account, parent.start.intent_id)
    if missing > ZERO and place not in core.told:
        core.told[place] = core.now
        core.alarm(
            "turn_short",
            f"{parent.start.symbol}: {plain(missing)} of an entry of {plain(entry.start.qty)} "
            f"closed what its exit had left{_why(core.state, exits)}, and so did not open",
            parent.start.account,
            parent.start.symbol,
        )


def _of_one_wish(state: State, parent: Parent) -> list[Parent]:
    """Return the parents that one wish has begun: their numbers follow one another."""
    found = [parent]
    for step in (-1, 1):
        number = int(parent.parent_id) + step
        while each := state.parents.get(ParentId(str(number))):
            if each.start.intent_id != parent.start.intent_id or each.key != parent.key:
                break
            found.append(each)
            number += step
    return found


def _why(state: State, exits: list[Parent]) -> str:
    reasons = (o.reason for each in exits for o in state.children(each) if o.role is OrderRole.EXIT)
    found = next((reason for reason in reasons if reason), "")
    return f" ({found})" if found else ""


def _role(parent: Parent) -> OrderRole:
    return parent.start.order.role


def _works(state: State, parent: Parent) -> bool:
    """Tell whether an order of the parent's own kind is still open, or to come."""
    return parent.wake_ts is not None or any(
        order.is_open and order.role is _role(parent) for order in state.children(parent)
    )


def _left(state: State, parent: Parent) -> Decimal:
    """Return what an exit has not closed."""
    done = (o.cum_qty for o in state.children(parent) if o.role is OrderRole.EXIT)
    return parent.start.qty - sum(done, ZERO)
