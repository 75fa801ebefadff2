"""What a customer said of an order that the exchange core need not know, kept in the order."""

from __future__ import annotations

import msgspec

from ..exchange import VenueOrder
from ..model.values import IntentId
from .user_events import PLAIN_TERMS, Terms

_decode = msgspec.json.Decoder(Terms).decode


def note(terms: Terms) -> IntentId:
    """Write terms down where an order keeps them."""
    text = "" if terms == PLAIN_TERMS else msgspec.json.encode(terms).decode()
    return IntentId(text)


def read(order: VenueOrder) -> Terms:
    """Return the terms that an order was placed with."""
    text = order.asked.intent_id
    return _decode(text) if text else PLAIN_TERMS
