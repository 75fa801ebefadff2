"""What keeps an order that was taken on, or a stop, from being a success."""

from __future__ import annotations

from decimal import Decimal

from ..engine.contracts import closable_keys
from ..engine.order import Order as EngineOrder
from ..engine.state import State
from ..model.errors import SessionStateError, VenueRefused
from ..model.values import MAIN, OrderStatus, TradingSessionStatus, plain
from .views import Order

UNANSWERED = "no answer yet: it may be at the venue, and is asked after; do not send it again"


def shortfall_of(placed: Order) -> str:
    """Say why an order that was taken on did not succeed, or not yet; "" where it did."""
    if placed.status is OrderStatus.PENDING_NEW:
        return UNANSWERED
    has_ended = placed.status in (OrderStatus.CANCELED, OrderStatus.EXPIRED)
    if has_ended and not placed.filled_quantity:
        return placed.reason or "it ended without a fill"
    return ""


def check_filled(order: EngineOrder, held: Decimal) -> None:
    """See that an order at the market has done what it was for.

    Args:
        held: the position with which it ended.

    Raises:
        VenueRefused: it has ended, and part of it, or all, has not filled.
    """
    if not order.is_open and order.cum_qty < order.qty:
        filled = f"{plain(order.cum_qty)} of {plain(order.qty)}"
        why = f": {order.reason}" if order.reason else ""
        raise VenueRefused(
            f"{order.cl_ord_id} ended with {filled} filled{why}; "
            f"the position in {order.key[1]} is {plain(held)}"
        )


def check_flat(state: State, status: TradingSessionStatus) -> None:
    """See that a session that was to flatten has not STOPPED with what it could have closed.

    Raises:
        SessionStateError: it had stopped before that was asked for, or was left before it was done.
    """
    if status is TradingSessionStatus.STOPPED and (held := still_held(state)):
        raise SessionStateError(f"the session has STOPPED, and {held}: start a session to close")


def still_held(state: State) -> str:
    """Say what a session that has ended could have closed; "" where there is nothing."""
    held = [
        f"{state.position(key).qty:+f} {key[1]}" + ("" if key[0] == MAIN else f" on {key[0]}")
        for key in closable_keys(state)
    ]
    return f"{', '.join(held)} {'are' if len(held) > 1 else 'is'} still held" if held else ""
