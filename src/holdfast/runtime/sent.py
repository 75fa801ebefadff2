"""Which orders left for a request: with it may have left what fell due in the same moment."""

from __future__ import annotations

from collections.abc import Iterable

from ..model.events import Event, OrderSubmitted, ParentStarted
from ..model.values import ClOrdId, OrderRole


def sent_for(facts: Iterable[Event]) -> list[ClOrdId]:
    """Return the orders of a request from the facts that it led to; no stop or target is one."""
    found = list(facts)
    intent = next((fact.intent_id for fact in found if isinstance(fact, ParentStarted)), None)
    orders = [fact.order for fact in found if isinstance(fact, OrderSubmitted)]
    roles = (OrderRole.ENTRY, OrderRole.EXIT)
    return [o.cl_ord_id for o in orders if o.intent_id == intent and o.role in roles]
