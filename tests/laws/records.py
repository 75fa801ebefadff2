"""What is recorded of every order, amendment and withdrawal as it leaves: the venue's own books."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from holdfast.engine.cover import cover
from holdfast.model import commands as cmd
from holdfast.model.values import (
    MAIN,
    ZERO,
    NewOrder,
    OrderRole,
    Side,
    TradingSessionStatus,
)

if TYPE_CHECKING:
    from .world import World


class Sent(NamedTuple):
    """An order or an amendment on its way out, and the venue's own books just then."""

    order: NewOrder
    status: TradingSessionStatus
    is_killed: bool
    position: Decimal
    buys: Decimal  # open or still on the road, entries alone, this one included
    sells: Decimal
    price: Decimal
    equity: Decimal


class Withdrawn(NamedTuple):
    """A stop that was called back."""

    cl_ord_id: str
    held: Decimal  # by its parent, as the engine counts
    position: Decimal  # as the venue counts, positive on the parent's side
    has_successor: bool  # another stop of the parent has reached the venue


def sending(world: World, order: NewOrder) -> Sent:
    """Note what else could trade at the venue when this order leaves."""
    sums = {Side.BUY: ZERO, Side.SELL: ZERO}
    if not order.reduce_only:
        sums[order.side] += order.qty
    for asked, qty in _working(world, order):
        is_other = asked.symbol == order.symbol and asked.cl_ord_id != order.cl_ord_id
        if is_other and not asked.reduce_only:
            sums[asked.side] += qty
    mark = world.references.get(order.symbol, ZERO)
    return Sent(
        order=order,
        status=world.state.status,
        is_killed=world.state.is_killed,
        position=world.venue_qty(order.symbol),
        buys=sums[Side.BUY],
        sells=sums[Side.SELL],
        price=max(mark, order.price or order.trigger_price or ZERO),
        equity=world.venue.exchange.margin(MAIN).balance,
    )


def _working(world: World, order: NewOrder) -> list[tuple[NewOrder, Decimal]]:
    """Open orders at the venue, and those on the road that can still be accepted."""
    open_orders = world.venue.exchange.open_orders(MAIN, order.symbol)
    return [(each.asked, each.leaves_qty) for each in open_orders] + [
        (each.order, each.order.qty)
        for due, each in world.venue._delayed
        if isinstance(each, cmd.SubmitOrder) and due <= each.ts + each.recv_window_ns
    ]


def amending(world: World, command: cmd.ReplaceOrder) -> list[Sent]:
    """Note an amendment like an order of what it leaves open; nothing when it comes too late."""
    there = world.at_venue(command.symbol, command.cl_ord_id)
    if there is not None and not there.is_open:
        return []
    done = there.cum_qty if there is not None else ZERO
    request = world.state.orders[command.cl_ord_id].request
    becomes = msgspec.structs.replace(request, qty=command.qty - done, price=command.price)
    return [sending(world, becomes)]


def withdrawing(world: World, command: cmd.CancelOrder) -> list[Withdrawn]:
    """Note what is left of a parent's protection when one of its stops is called back."""
    order = world.state.orders[command.cl_ord_id]
    parent = world.state.parents.get(order.request.parent_id)
    if order.role is not OrderRole.STOP_LOSS or parent is None:
        return []
    others = (c for c in parent.children if c != command.cl_ord_id)
    found = [world.at_venue(command.symbol, child) for child in others]
    stops = [o for o in found if o is not None and o.asked.role is OrderRole.STOP_LOSS]
    return [
        Withdrawn(
            cl_ord_id=command.cl_ord_id,
            held=cover(world.state, parent),
            position=world.venue_qty(command.symbol) * parent.side.sign,
            has_successor=any(o.is_open or o.triggered_ts for o in stops),
        )
    ]
