"""How an order stands, in a strategy's words."""

from __future__ import annotations

from ..engine.order import Order, RequestState
from ..engine.parent import Parent
from ..engine.parents import part_price
from ..engine.state import State
from ..model import events as ev
from ..model.values import ZERO, ClOrdId, OrderStatus
from ..strategies.context import OrderUpdate

_OF_AN_ORDER = ev.OrderFact | ev.OrderFilled
_WITH_AN_ORDER = ev.OrderSubmitted | ev.OrderDenied | ev.OrderAdopted


def order_of(fact: ev.Event) -> ClOrdId | None:
    """Return the id of the order that a fact is about; None where it is about none."""
    if isinstance(fact, _OF_AN_ORDER):
        return fact.cl_ord_id
    if isinstance(fact, _WITH_AN_ORDER):
        return fact.order.cl_ord_id
    return None


def fill_of(fact: ev.Event, order: Order | None) -> ev.OrderFilled | None:
    """Return the execution that a fact tells of, under its order's own name; None for none.

    One that was booked under another name is told of once it is known whose it is.
    """
    if isinstance(fact, ev.OrderFilled):
        return fact
    if order is None or not isinstance(fact, ev.FillRecognized) or not fact.venue_ts:
        return None
    return ev.OrderFilled(
        ts=fact.ts,
        account=order.request.account,
        symbol=order.request.symbol,
        side=order.side,
        cl_ord_id=fact.cl_ord_id,
        trade_id=fact.trade_id,
        qty=fact.qty,
        price=fact.price,
        fee=fact.fee,
        fee_asset=fact.fee_asset,
        realized_pnl=fact.realized_pnl or ZERO,
        is_maker=fact.is_maker,
        venue_ts=fact.venue_ts,
    )


def update_of(order: Order, fact: ev.Event) -> OrderUpdate:
    """Return how an order stands after a fact; the fact's reason goes before the order's own."""
    return shown(order, getattr(fact, "reason", ""))


def shown(order: Order, reason: str = "") -> OrderUpdate:
    """Return how an order stands."""
    return OrderUpdate(
        cl_ord_id=order.cl_ord_id,
        symbol=order.request.symbol,
        side=order.side,
        status=order.status,
        qty=order.qty,
        cum_qty=order.cum_qty,
        avg_px=order.avg_px,
        reason=reason or order.reason,
        price=order.price,
        is_canceling=_is_on_its_way_out(order),
        is_amending=order.replace is not RequestState.NONE,
    )


def whole(state: State, parent: Parent) -> OrderUpdate:
    """Return how what goes on in parts stands; its number is its id, its price the next part's."""
    start = parent.start
    return OrderUpdate(
        cl_ord_id=ClOrdId(parent.parent_id),
        symbol=start.symbol,
        side=start.side,
        status=OrderStatus.PARTIALLY_FILLED if parent.filled_qty else OrderStatus.NEW,
        qty=start.qty,
        cum_qty=parent.filled_qty,
        price=None if start.is_at_market else part_price(state, parent),
    )


def _is_on_its_way_out(order: Order) -> bool:
    """Tell whether it ends without a further word: one that a cancel outran is taken back later."""
    is_asked = order.cancel is not RequestState.NONE
    return is_asked or order.ending is not None or (order.is_open and order.is_unwanted)
