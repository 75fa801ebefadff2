"""What goes on in parts, shown as one order each: its number is its id, and `cancel` takes it."""

from __future__ import annotations

from ..engine.parent import Parent
from ..engine.parents import part_price
from ..engine.parts import going_on, name_of, named, worked
from ..engine.state import State
from ..model import messages as msg
from ..model.values import ENTRY, ClOrdId, Key, OrderStatus
from .live import LiveSession
from .views import Order, when


def whole_view(state: State, parent: Parent) -> Order:
    """Show what was wished for as a whole, with what of it has filled; at its next part's price."""
    start = parent.start
    pattern = start.order
    status = OrderStatus.PARTIALLY_FILLED if parent.filled_qty else OrderStatus.NEW
    return Order(
        symbol=start.symbol,
        side=start.side,
        quantity=start.qty,
        order_type=pattern.order_type,
        price=None if start.is_at_market else part_price(state, parent),
        strategy_id=start.strategy_id,
        time_in_force=pattern.time_in_force,
        stop_loss=start.stop_loss,
        take_profit=start.take_profit,
        algo=start.algo,
        id=ClOrdId(parent.parent_id),
        status=OrderStatus.CANCELED if parent.is_over else status,
        filled_quantity=parent.filled_qty,
        created_at=when(start.ts),
        account=start.account,
    )


def wholes(state: State) -> list[Order]:
    """Return what goes on in parts, the oldest first."""
    return [whole_view(state, parent) for parent in going_on(state)]


def whole_of(live: LiveSession, name: str) -> list[Parent]:
    """Return what is worked in parts and has that name, its own or a part's; none, or one."""
    core = live.engine.core
    parent = named(core, name)
    return [each for each in worked(core.state) if each is parent]


def ended(state: State, before: list[Parent]) -> list[Order]:
    """Show which of those that went on were ended."""
    return [whole_view(state, parent) for parent in before if parent.is_over]


def end_all(live: LiveSession, reason: str = "operator") -> list[Parent]:
    """End all that is worked in parts, and return it; what rests may still be to take back."""
    state = live.engine.state
    found = worked(state)
    for whole in found:
        live.shell.ask(msg.CancelRequest(cl_ord_id=_name_to_end(state, whole), reason=reason))
    return found


def _name_to_end(state: State, parent: Parent) -> ClOrdId:
    """Return a name that ends a parent: its last part's, which no order of others can have."""
    parts = [each.cl_ord_id for each in state.children(parent) if each.role is ENTRY]
    return parts[-1] if parts else ClOrdId(parent.parent_id)


def still_opened(state: State, key: Key) -> str:
    """Say what goes on in a contract that is flat, for whoever wants it closed; "" for nothing."""
    found = going_on(state, key)
    each = (f"{name_of(one)} goes on there (`cancel {one.parent_id}` ends it)" for one in found)
    return "".join(f"; {text}" for text in each)
