"""Which orders left for a request: with it may have left what fell due in the same moment."""

from __future__ import annotations

from collections.abc import Iterable

from ..engine.order import Order
from ..engine.requests import at_the_market
from ..engine.state import State
from ..model.events import Event, OrderSubmitted, ParentStarted
from ..model.messages import PlaceRequest
from ..model.values import ClOrdId, IntentId, Key, OrderRole

ROLES = (OrderRole.ENTRY, OrderRole.EXIT)
"""Of what is asked for by hand; stops and targets follow by themselves."""


def sent_for(facts: Iterable[Event]) -> list[ClOrdId]:
    """Return the orders of a request from the facts that it led to; no stop or target is one."""
    found = list(facts)
    intent = next((fact.intent_id for fact in found if isinstance(fact, ParentStarted)), None)
    orders = [fact.order for fact in found if isinstance(fact, OrderSubmitted)]
    return [o.cl_ord_id for o in orders if o.intent_id == intent and o.role in ROLES]


def under_way(state: State, key: Key) -> list[ClOrdId]:
    """Return the open orders at the market, which change a position whoever asks for what."""
    return [order.cl_ord_id for order in at_the_market(state, key)]


def orders_of_request(state: State, request: PlaceRequest) -> tuple[list[Order], IntentId | None]:
    """Return what is remembered of the orders of a request's id, and what that became; or None."""
    intent = state.intents.get(f"{request.strategy_id} {request.request_id}")
    orders = [o for o in state.orders.values() if intent and o.request.intent_id == intent]
    return [order for order in orders if order.role in ROLES], intent
