"""What a customer said of an order that the exchange core need not know, kept in the order."""

from __future__ import annotations

import msgspec

from ..exchange import Fate, VenueOrder
from ..exchange.orders import ORDINARY
from ..model.values import ClOrdId, IntentId, NewOrder
from .user_events import PLAIN_TERMS, Terms

ALGO_ID_BASE = 10**15
"""Conditional orders are numbered from here on the wire; in the core they share one count."""

_decode = msgspec.json.Decoder(Terms).decode


def note(terms: Terms) -> IntentId:
    """Write terms down where an order keeps them."""
    text = "" if terms == PLAIN_TERMS else msgspec.json.encode(terms).decode()
    return IntentId(text)


def read(order: VenueOrder) -> Terms:
    """Return the terms that an order was placed with."""
    text = order.asked.intent_id
    return _decode(text) if text else PLAIN_TERMS


def fate_of(order: NewOrder) -> Fate:
    """Return what the terms of an order ask the core for."""
    text = order.intent_id
    return Fate(is_protected=_decode(text).price_protect) if text else ORDINARY


def name_in_book(order: VenueOrder, *, is_own: bool) -> ClOrdId:
    """Return an order's client id in the book; a triggered one may have one of its own there."""
    is_renamed = is_own and order.algo_id and order.order_id
    return ClOrdId(f"child-{order.order_id}") if is_renamed else order.cl_ord_id


def algo_id_of(order: VenueOrder) -> int:
    """Return a conditional order's id as the wire has it."""
    return ALGO_ID_BASE + order.algo_id
