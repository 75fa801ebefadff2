"""Wishes that go on in parts: which there are, and how one is ended before its time.

Between two parts nothing of one rests at the venue, nearly all its life: whoever closes a position,
or takes back what could open one, must look here too and not at open orders alone.
"""

from __future__ import annotations

from ..model import events as ev
from ..model.ids import parse_cl_ord_id
from ..model.values import ZERO, ClOrdId, Key, OrderRole, ParentId, Side, StrategyId
from .algos import find
from .core import Core
from .order import Order
from .parent import Parent
from .parents import end, end_early, left_of, may_go_on
from .state import State


def is_in_parts(parent: Parent) -> bool:
    """Tell whether a parent goes out in parts."""
    return bool(find(parent.start.algo)[1])


def is_worked(state: State, parent: Parent) -> bool:
    """Tell whether more of a parent may be sent: at a time, or once what rests has ended."""
    return may_go_on(parent) and (parent.wake_ts is not None or bool(open_parts(state, parent)))


def worked(state: State, key: Key | None = None) -> list[Parent]:
    """Return the parents of which more may be sent, oldest first; None: of all contracts."""
    keys = list(state.live_parents) if key is None else [key]
    live = [state.parents[i] for each in keys for i in state.live_parents.get(each, ())]
    found = [parent for parent in live if is_worked(state, parent)]
    return sorted(found, key=lambda parent: int(parent.parent_id))


def going_on(state: State, key: Key | None = None) -> list[Parent]:
    """Return those of which more is to be sent as things are: not all is at the venue."""
    return [parent for parent in worked(state, key) if left_of(state, parent) > ZERO]


def open_parts(state: State, parent: Parent) -> list[Order]:
    """Return the parts that are at the venue, or may be."""
    return [o for o in state.children(parent) if o.is_open and o.role is OrderRole.ENTRY]


def named(core: Core, name: str) -> Parent | None:
    """Return what goes out in parts and has a name: its number, or the id of an entry of it, which
    may be forgotten.
    """
    order, owner = core.state.orders.get(ClOrdId(name)), parse_cl_ord_id(name)
    if order is not None:
        is_part = order.is_ours and order.role is OrderRole.ENTRY
        number = order.request.parent_id if is_part else ""
    elif owner is not None:
        is_part = owner.prefix == core.settings.order_prefix and owner.role is OrderRole.ENTRY
        number = str(owner.parent) if is_part else ""
    else:
        number = name
    parent = core.state.parents.get(ParentId(number))
    return parent if parent is not None and is_in_parts(parent) else None


def name_of(parent: Parent) -> str:
    """Name what goes out in parts as people are told of it: `twap 7`."""
    return f"{parent.start.algo.partition(':')[0]} {parent.parent_id}"


def end_parts(core: Core, key: Key, reason: str) -> None:
    """Send no further part of what would open, or open again, what is being closed."""
    for parent in worked(core.state, key):
        end_early(core, parent, reason)


def of_owner(state: State, key: Key, owner: StrategyId, side: Side | None = None) -> list[Parent]:
    """Return what a strategy has going on in parts in a contract; None: on both sides."""
    own = [parent for parent in worked(state, key) if parent.strategy_id == owner]
    return [parent for parent in own if side is None or parent.start.order.side is side]


def end_of_owner(core: Core, key: Key, owner: StrategyId, side: Side | None = None) -> None:
    """Send no further part of a strategy's own since it wants otherwise now, and take back what
    rests of it; None: on both sides. Its own wish is nothing to be told of.
    """
    for parent in of_owner(core.state, key, owner, side):
        rests = open_parts(core.state, parent)
        core.emit(ev.ParentWoken(ts=core.now, parent_id=parent.parent_id, is_over=True))
        for order in rests:
            core.cancel(order, "its strategy closes")


def take_back(core: Core, name: ClOrdId, reason: str) -> bool:
    """End what is worked in parts and has that name, and tell whether there is such a one.

    The part that is named is asked for back; where it has ended, or the whole is named, all that
    rests of it.
    """
    parent = named(core, name)
    if parent is None or not is_worked(core.state, parent):
        return False
    part = core.state.orders.get(name)
    rests = [part] if part is not None and part.is_open else open_parts(core.state, parent)
    end_early(core, parent, f"taken back ({reason})")
    for order in rests:
        core.cancel(order, reason)
    return True


def end_left_out(core: Core) -> None:
    """End what was to go on in parts on accounts, or in contracts, that are not traded any more.

    Nothing is open on such an account, or the session had not begun; nothing can be sent there.
    """
    state = core.state
    for key, ids in state.live_parents.items():
        if state.traded(key) is not None:
            continue
        what = key[1] if key[0] in state.named_accounts else f"its account {key[0]}"
        for parent in [state.parents[i] for i in ids]:
            if parent.wake_ts is not None or may_go_on(parent):
                end(core, parent, f"{what} is not traded any more")
